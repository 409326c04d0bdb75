"""Prices: https://docs.stripe.com/api/prices"""

import re
from dataclasses import dataclass
from decimal import Decimal

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.currencies import MAX_AMOUNT, check_amount
from fake_stripe.errors import StripeError
from fake_stripe.events import difference, emit
from fake_stripe.expand import includable
from fake_stripe.forms import Form
from fake_stripe.paging import page
from fake_stripe.store import Json

AMOUNT = p.Integer(minimum=0, maximum=MAX_AMOUNT)
DECIMAL = p.DecimalText(maximum=MAX_AMOUNT)
TAX = p.one_of("exclusive", "inclusive", "unspecified")
# A product id chosen by the caller.
PRODUCT_ID = p.Text(pattern=re.compile(r"[^\s/?#\[\]]+\Z"), problem="Invalid id")
CUSTOM = p.Shape(
    {"enabled": p.Boolean(), "maximum": AMOUNT, "minimum": AMOUNT, "preset": AMOUNT}, required=("enabled",)
)


@dataclass(frozen=True)
class UpTo:
    """The end of a tier: a number, or "inf", which is stored as None."""

    def read(self, value: "str | Form", name: str) -> int | None:
        return None if value == "inf" else p.Integer(minimum=1).read(value, name)


TIERS = p.ListOf(
    p.Shape(
        {
            "flat_amount": AMOUNT,
            "flat_amount_decimal": DECIMAL,
            "unit_amount": AMOUNT,
            "unit_amount_decimal": DECIMAL,
            "up_to": UpTo(),
        },
        required=("up_to",),
    ),
    minimum=1,
)
OPTION = p.Shape(
    {
        "custom_unit_amount": CUSTOM,
        "tax_behavior": TAX,
        "tiers": TIERS,
        "unit_amount": AMOUNT,
        "unit_amount_decimal": DECIMAL,
    },
    exclusive=("unit_amount", "unit_amount_decimal"),
)
OPTIONS = p.MapOf(p.Currency(), OPTION)
RECURRING = p.Shape(
    {
        "interval": p.one_of("day", "month", "week", "year"),
        "interval_count": p.Integer(minimum=1, maximum=1095),
        "meter": p.Text(),
        "usage_type": p.one_of("licensed", "metered"),
    },
    required=("interval",),
)
AMOUNTS: dict[str, p.Kind] = {
    "currency": p.Currency(),
    "currency_options": OPTIONS,
    "custom_unit_amount": CUSTOM,
    "metadata": p.Metadata(),
    "recurring": RECURRING,
    "tax_behavior": TAX,
    "unit_amount": AMOUNT,
    "unit_amount_decimal": DECIMAL,
}
ONE_AMOUNT = ("unit_amount", "unit_amount_decimal", "custom_unit_amount")
OPTION_AMOUNTS = (*ONE_AMOUNT, "tiers")
DEFAULT_PRICE_DATA = p.Shape(AMOUNTS, required=("currency",), exclusive=ONE_AMOUNT)
PRODUCT_DATA = p.Shape(
    {
        "active": p.Boolean(),
        "id": PRODUCT_ID,
        "metadata": p.Metadata(),
        "name": p.Text(),
        "statement_descriptor": p.Text(max_length=22),
        "tax_code": p.Text(),
        "unit_label": p.Text(max_length=12),
    },
    required=("name",),
)
CREATE = p.body(
    AMOUNTS,
    required=["currency"],
    exclusive=["product", "product_data"],
    active=p.Boolean(),
    billing_scheme=p.one_of("per_unit", "tiered"),
    lookup_key=p.Text(max_length=200),
    nickname=p.Text(),
    product=p.Text(),
    product_data=PRODUCT_DATA,
    tiers=TIERS,
    tiers_mode=p.one_of("graduated", "volume"),
    transfer_lookup_key=p.Boolean(),
    transform_quantity=p.Shape(
        {"divide_by": p.Integer(minimum=1), "round": p.one_of("down", "up")}, required=("divide_by", "round")
    ),
)
UPDATE = p.body(
    active=p.Boolean(),
    currency_options=p.MapOf(p.Currency(), OPTION, unset=True),
    lookup_key=p.Text(max_length=200, unset=True),
    metadata=p.Metadata(),
    nickname=p.Text(unset=True),
    tax_behavior=TAX,
    transfer_lookup_key=p.Boolean(),
)
LIST = p.listing(
    active=p.Boolean(),
    created=p.CREATED,
    currency=p.Currency(),
    lookup_keys=p.ListOf(p.Text(), max_length=10),
    product=p.Text(),
    recurring=p.Shape(
        {
            "interval": p.one_of("day", "month", "week", "year"),
            "meter": p.Text(),
            "usage_type": p.one_of("licensed", "metered"),
        }
    ),
    type=p.one_of("one_time", "recurring"),
)


def make(call: Call, params: Json, *, at: str = "") -> Json:
    """Store a price of an existing product, without an event. `params` are those of AMOUNTS and CREATE.

    at: the parameter that holds them in a larger call, such as `default_price_data`.
    """
    tiered = params.get("billing_scheme") == "tiered"
    if not tiered:
        _require_amount(params, at)
    _check_amounts(params, at)
    for currency, option in params.get("currency_options", {}).items():
        _require_amount(option, _option_name(currency, at), OPTION_AMOUNTS)
    if tiered and not params.get("tiers"):
        raise StripeError("Missing required param: tiers.", code="parameter_missing", param="tiers")
    price = {**_blank(call, params), **_amounts(params)}
    _take_lookup_key(call, price, params)
    call.account.store.put("price_hidden", price["id"], {"livemode": call.livemode, **_hidden(params)})
    return call.account.save(price)


def _option_name(currency: str, at: str = "") -> str:
    return p.join(p.join(at, "currency_options"), currency)


def _require_amount(given: Json, at: str, names: tuple[str, ...] = ONE_AMOUNT) -> None:
    if not any(name in given for name in names):
        message = "Missing required param: unit_amount (or unit_amount_decimal, or custom_unit_amount)."
        raise StripeError(message, code="parameter_missing", param=p.join(at, "unit_amount"))


def _check_amounts(params: Json, at: str = "") -> None:
    _check_amount(params, params["currency"], at)
    for currency, option in params.get("currency_options", {}).items():
        name = _option_name(currency, at)
        if currency == params["currency"]:
            message = f"{currency} is the price's own currency, so it cannot be in currency_options."
            raise StripeError(message, param=name)
        _check_amount(option, currency, name)


def _check_amount(given: Json, currency: str, at: str) -> None:
    check_amount(given.get("unit_amount"), currency, p.join(at, "unit_amount"))
    if "unit_amount_decimal" in given:
        name = p.join(at, "unit_amount_decimal")
        check_amount(Decimal(given["unit_amount_decimal"]), currency, name)


def _blank(call: Call, params: Json) -> Json:
    recurring = params.get("recurring")
    return {
        "id": call.new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": params.get("billing_scheme", "per_unit"),
        "created": call.now,
        "currency": params["currency"],
        "custom_unit_amount": _custom(params.get("custom_unit_amount")),
        "livemode": call.livemode,
        "lookup_key": params.get("lookup_key"),
        "metadata": p.merge_metadata({}, params.get("metadata")),
        "nickname": params.get("nickname"),
        "product": params["product"],
        "recurring": recurring and _recurring(recurring),
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": params.get("tiers_mode"),
        "transform_quantity": params.get("transform_quantity"),
        "type": "recurring" if recurring else "one_time",
    }


def _recurring(given: Json) -> Json:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": given.get("meter"),
        "usage_type": given.get("usage_type", "licensed"),
    }


def _custom(given: Json | None) -> Json | None:
    if not given or not given["enabled"]:
        return None
    return {name: given.get(name) for name in ("maximum", "minimum", "preset")}


def _amounts(given: Json) -> Json:
    """`unit_amount` and `unit_amount_decimal`, from the one that was given. A fraction leaves the first None."""
    if given.get("unit_amount") is not None:
        return {"unit_amount": given["unit_amount"], "unit_amount_decimal": str(given["unit_amount"])}
    text = given.get("unit_amount_decimal")
    if text is None:
        return {"unit_amount": None, "unit_amount_decimal": None}
    number = Decimal(text)
    whole = number == number.to_integral_value()
    return {"unit_amount": int(number) if whole else None, "unit_amount_decimal": f"{number:f}"}


def _hidden(params: Json) -> Json:
    options = {currency: _option(o) for currency, o in params.get("currency_options", {}).items()}
    tiers = [_tier(tier) for tier in params.get("tiers", ())]
    return {"currency_options": options, "tiers": tiers or None}


def _option(given: Json) -> Json:
    return {
        "custom_unit_amount": _custom(given.get("custom_unit_amount")),
        "tax_behavior": given.get("tax_behavior", "unspecified"),
        **_amounts(given),
    }


def _tier(given: Json) -> Json:
    flat = given.get("flat_amount")
    text = given.get("flat_amount_decimal", None if flat is None else str(flat))
    return {"flat_amount": flat, "flat_amount_decimal": text, "up_to": given["up_to"], **_amounts(given)}


def _take_lookup_key(call: Call, price: Json, params: Json) -> None:
    key = params.get("lookup_key")
    if not key:
        return
    for other in call.account.store.table("price").newest_first():
        if other["lookup_key"] != key or other["id"] == price["id"] or other["livemode"] != call.livemode:
            continue
        if not params.get("transfer_lookup_key"):
            message = f"A price (`{other['id']}`) already uses that lookup key."
            raise StripeError(message, param="lookup_key")
        call.account.change(other, lookup_key=None)


def retrieve(call: Call) -> Json:
    """GET /v1/prices/{id}"""
    return call.find("price")


def update(call: Call) -> Json:
    """POST /v1/prices/{id}: everything except amount, currency and product."""
    price = call.find("price")
    fields: Json = {
        n: call.params[n] for n in ("active", "lookup_key", "nickname", "tax_behavior") if n in call.params
    }
    if "metadata" in call.params:
        fields["metadata"] = p.merge_metadata(price["metadata"], call.params["metadata"])
    if fields.get("active") is False and _is_default(call, price):
        message = "This price cannot be archived because it is the default price of its product."
        raise StripeError(message, param="active")
    if fields.get("tax_behavior", price["tax_behavior"]) != price["tax_behavior"] != "unspecified":
        raise StripeError("`tax_behavior` cannot be changed once it is set.", param="tax_behavior")
    _check_amounts({"currency": price["currency"], **call.params})
    _take_lookup_key(call, price, call.params)
    before = _options(call, price)
    _change_options(call, price)
    new = call.account.change(price, **fields)
    previous = difference(price, new)
    if options := difference(before, _options(call, price)):
        previous["currency_options"] = options
    if previous:
        emit(call, "price.updated", new, previous=previous)
    return new


def _is_default(call: Call, price: Json) -> bool:
    product = call.account.store.get("product", price["product"])
    return product is not None and product["default_price"] == price["id"]


def _change_options(call: Call, price: Json) -> None:
    """Update the currency options with the given ones; "" removes all of them."""
    given = call.params.get("currency_options")
    if given is None:
        return
    options = dict(_options(call, price)) if given else {}
    for currency, change in given.items():
        if currency not in options:
            _require_amount(change, _option_name(currency), OPTION_AMOUNTS)
        options[currency] = _changed_option(options.get(currency, {}), change)
    hidden = call.account.store.get("price_hidden", price["id"]) or {}
    call.account.store.put("price_hidden", price["id"], {**hidden, "currency_options": options})


def _changed_option(old: Json, change: Json) -> Json:
    """A new amount replaces the old option; a change without an amount keeps it."""
    if any(name in change for name in OPTION_AMOUNTS):
        return _option({"tax_behavior": old.get("tax_behavior", "unspecified"), **change})
    return {**old, **change}


def _options(call: Call, price: Json) -> Json:
    """The price's amounts in other currencies."""
    return dict((call.account.store.get("price_hidden", price["id"]) or {}).get("currency_options", {}))


def list_all(call: Call) -> Json:
    """GET /v1/prices"""
    params = call.params
    keys = params.get("lookup_keys")

    def keep(row: Json) -> bool:
        if keys is not None and row["lookup_key"] not in keys:
            return False
        wanted = params.get("recurring", {})
        if wanted and any((row["recurring"] or {}).get(name) != value for name, value in wanted.items()):
            return False
        names = ("active", "currency", "product", "type")
        return all(row[name] == params[name] for name in names if name in params)

    return page(call, "price", "/v1/prices", keep)


def of_product(call: Call, product_id: str) -> list[Json]:
    """Every price of a product, oldest first."""
    rows = call.account.store.table("price").oldest_first()
    return [row for row in rows if row["product"] == product_id]


def amount_in(call: Call, price: Json, currency: str) -> int | None:
    """The amount of one unit in `currency`, in minor units; None if it has no whole amount there."""
    if currency == price["currency"]:
        amount = price["unit_amount"]
    else:
        amount = _options(call, price).get(currency, {}).get("unit_amount")
    return amount if amount is None else int(amount)


@includable("price", "currency_options")
def _show_options(call: Call, price: Json) -> object:
    own = {name: price[name] for name in (*ONE_AMOUNT, "tax_behavior")}
    return {**_options(call, price), price["currency"]: own}


@includable("price", "tiers")
def _show_tiers(call: Call, price: Json) -> object:
    return (call.account.store.get("price_hidden", price["id"]) or {}).get("tiers")
