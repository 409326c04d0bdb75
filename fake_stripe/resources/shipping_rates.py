"""Shipping rates: https://docs.stripe.com/api/shipping_rates"""

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.currencies import MAX_AMOUNT, check_amount
from fake_stripe.errors import StripeError
from fake_stripe.expand import includable
from fake_stripe.paging import page
from fake_stripe.store import Json

AMOUNT = p.Integer(minimum=0, maximum=MAX_AMOUNT)
TAX = p.one_of("exclusive", "inclusive", "unspecified")
ESTIMATE = p.Shape(
    {
        "unit": p.one_of("business_day", "day", "hour", "month", "week"),
        "value": p.Integer(minimum=1),
    },
    required=("unit", "value"),
)
OPTION: dict[str, p.Kind] = {"amount": AMOUNT, "tax_behavior": TAX}
FIXED = p.Shape(
    {
        "amount": AMOUNT,
        "currency": p.Currency(),
        "currency_options": p.MapOf(p.Currency(), p.Shape(OPTION, required=("amount",))),
    },
    required=("amount", "currency"),
)
FIELDS: dict[str, p.Kind] = {
    "delivery_estimate": p.Shape({"maximum": ESTIMATE, "minimum": ESTIMATE}),
    "display_name": p.Text(max_length=100),
    "fixed_amount": FIXED,
    "metadata": p.Metadata(),
    "tax_behavior": TAX,
    "tax_code": p.Text(),
    "type": p.one_of("fixed_amount"),
}
DATA = p.Shape(FIELDS, required=("display_name",))
CREATE = p.body(FIELDS, required=["display_name"])
UPDATE = p.body(
    active=p.Boolean(),
    fixed_amount=p.Shape({"currency_options": p.MapOf(p.Currency(), p.Shape(OPTION))}),
    metadata=p.Metadata(),
    tax_behavior=TAX,
)
LIST = p.listing(active=p.Boolean(), created=p.CREATED, currency=p.Currency())


def create(call: Call) -> Json:
    """POST /v1/shipping_rates"""
    return make(call, call.params)


def make(call: Call, params: Json, *, at: str = "") -> Json:
    """Store a rate. `at` is the parameter that holds it in a session's `shipping_rate_data`."""
    name = p.join(at, "fixed_amount")
    if "fixed_amount" not in params:
        raise StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)
    _check_amounts(params["fixed_amount"], name)
    estimate = params.get("delivery_estimate")
    rate = {
        "id": call.new_id("shipping_rate"),
        "object": "shipping_rate",
        "active": True,
        "created": call.now,
        "delivery_estimate": estimate and {end: estimate.get(end) for end in ("maximum", "minimum")},
        "display_name": params["display_name"],
        "fixed_amount": {name: params["fixed_amount"][name] for name in ("amount", "currency")},
        "livemode": call.livemode,
        "metadata": p.merge_metadata({}, params.get("metadata")),
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tax_code": params.get("tax_code"),
        "type": "fixed_amount",
    }
    _keep_options(call, rate["id"], params["fixed_amount"].get("currency_options", {}))
    return call.account.save(rate)


def _keep_options(call: Call, rate_id: str, given: Json) -> None:
    # Stripe shows them only where they are expanded.
    options = _options(call, rate_id)
    for currency, one in given.items():
        options[currency] = {"tax_behavior": "unspecified", **options.get(currency, {}), **one}
    call.account.store.put("shipping_rate_hidden", rate_id, {"currency_options": options})


def _options(call: Call, rate_id: str) -> Json:
    return dict((call.account.store.get("shipping_rate_hidden", rate_id) or {}).get("currency_options", {}))


@includable("shipping_rate", "fixed_amount.currency_options")
def _show_options(call: Call, rate: Json) -> object:
    fixed = rate["fixed_amount"]
    own = {"amount": fixed["amount"], "tax_behavior": rate["tax_behavior"]}
    return {**_options(call, rate["id"]), fixed["currency"]: own}


def _check_amounts(fixed: Json, name: str) -> None:
    check_amount(fixed["amount"], fixed["currency"], f"{name}[amount]")
    for currency, option in fixed.get("currency_options", {}).items():
        check_amount(option["amount"], currency, f"{name}[currency_options][{currency}][amount]")


def amount_in(call: Call, rate: Json, currency: str) -> int | None:
    """The rate's amount in `currency`, in minor units; None if it has none."""
    fixed = rate["fixed_amount"]
    if fixed["currency"] == currency:
        return int(fixed["amount"])
    option = _options(call, rate["id"]).get(currency)
    return None if option is None else int(option["amount"])


def retrieve(call: Call) -> Json:
    """GET /v1/shipping_rates/{id}"""
    return call.find("shipping_rate")


def update(call: Call) -> Json:
    """POST /v1/shipping_rates/{id}"""
    rate = call.find("shipping_rate")
    fields: Json = {name: call.params[name] for name in ("active", "tax_behavior") if name in call.params}
    if "metadata" in call.params:
        fields["metadata"] = p.merge_metadata(rate["metadata"], call.params["metadata"])
    _change_options(call, rate)
    return call.account.change(rate, **fields)


def list_all(call: Call) -> Json:
    """GET /v1/shipping_rates"""
    params = call.params

    def keep(row: Json) -> bool:
        if "currency" in params and row["fixed_amount"]["currency"] != params["currency"]:
            return False
        return "active" not in params or bool(row["active"] == params["active"])

    return page(call, "shipping_rate", "/v1/shipping_rates", keep)


def _change_options(call: Call, rate: Json) -> None:
    given = call.params.get("fixed_amount", {}).get("currency_options", {})
    known = _options(call, rate["id"])
    for currency, option in given.items():
        name = f"fixed_amount[currency_options][{currency}]"
        if currency == rate["fixed_amount"]["currency"]:
            message = f"{currency} is the rate's own currency, so it cannot be in currency_options."
            raise StripeError(message, param=name)
        if currency not in known and "amount" not in option:
            message = f"Missing required param: {name}[amount]."
            raise StripeError(message, code="parameter_missing", param=f"{name}[amount]")
        check_amount(option.get("amount"), currency, f"{name}[amount]")
    _keep_options(call, rate["id"], given)
