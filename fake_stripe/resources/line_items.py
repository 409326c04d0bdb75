"""Line items, shipping options and totals of a session."""

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.errors import StripeError
from fake_stripe.events import emit
from fake_stripe.expand import includable
from fake_stripe.paging import page_of
from fake_stripe.resources import prices, products, shipping_rates
from fake_stripe.store import Json

SHOWN_WITH_SESSION = 10


def make(
    call: Call, given: list[Json], currency: str | None, *, mode: str = "payment"
) -> tuple[list[Json], str]:
    """Line items from a session's `line_items`, in `currency`, or else in the currency of the first price.

    In `subscription` mode prices may be recurring, and one of them must be.

    Returns the items, with prices as ids, and their currency.
    """
    lines = [_price_of(call, line, f"line_items[{i}]") for i, line in enumerate(given)]
    recurring = [i for i, price in enumerate(lines) if price["type"] == "recurring"]
    if mode == "payment" and recurring:
        message = "A session in `payment` mode takes one-time prices only, and this one is recurring."
        raise StripeError(message, param=f"line_items[{recurring[0]}][price]")
    if mode == "subscription" and not recurring:
        message = "A session in `subscription` mode needs at least one recurring price."
        raise StripeError(message, param="line_items")
    currency = currency or str(lines[0]["currency"])
    items = [
        _item(call, line, price, currency, i)
        for i, (line, price) in enumerate(zip(given, lines, strict=True))
    ]
    return items, currency


def _price_of(call: Call, line: Json, name: str) -> Json:
    if "price_data" in line:
        return _inline_price(call, line["price_data"], f"{name}[price_data]")
    if "price" not in line:
        message = f"Missing required param: {name}[price]."
        raise StripeError(message, code="parameter_missing", param=f"{name}[price]")
    price = call.referred("price", line["price"], f"{name}[price]")
    product = call.account.store.get("product", price["product"])
    if not price["active"]:
        message = f"The price {price['id']} is inactive. This field only accepts active prices."
        raise StripeError(message, param=f"{name}[price]")
    if product is None or not product["active"]:
        message = f"The product of the price {price['id']} is not active."
        raise StripeError(message, param=f"{name}[price]")
    if price["transform_quantity"]:
        message = "fake_stripe does not support sessions over prices with `transform_quantity`."
        raise StripeError(message, param=f"{name}[price]")
    return price


def _inline_price(call: Call, data: Json, name: str) -> Json:
    if "recurring" in data and call.params.get("mode") != "subscription":
        message = "A session in `payment` mode takes one-time prices only, and this one is recurring."
        raise StripeError(message, param=f"{name}[recurring]")
    if "product" in data:
        product_id = call.referred("product", data["product"], f"{name}[product]")["id"]
    elif "product_data" in data:
        inner = Call(call.account, call.cause, call.livemode, {**data["product_data"], "active": False})
        product_id = products.create(inner, at=f"{name}[product_data]")["id"]
    else:
        message = f"Missing required param: {name}[product_data]."
        raise StripeError(message, code="parameter_missing", param=f"{name}[product_data]")
    price = prices.make(call, {**data, "product": product_id, "active": False}, at=name)
    emit(call, "price.created", price)
    return price


def _item(call: Call, line: Json, price: Json, currency: str, index: int) -> Json:
    amount = prices.amount_in(call, price, currency)
    if amount is None:
        raise StripeError(_why_no_amount(price, currency), param=f"line_items[{index}][price]")
    if "quantity" not in line:
        name = f"line_items[{index}][quantity]"
        raise StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)
    product = call.account.store.get("product", price["product"]) or {"name": None}
    total = amount * line["quantity"]
    return {
        "id": call.new_id("item"),
        "object": "item",
        "adjustable_quantity": _adjustable(line.get("adjustable_quantity")),
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": currency,
        "description": product["name"],
        "metadata": p.merge_metadata({}, line.get("metadata")),
        "price": price["id"],
        "quantity": line["quantity"],
    }


def _why_no_amount(price: Json, currency: str) -> str:
    if price["unit_amount"] is not None:
        return f"The price {price['id']} has no amount in {currency}; every line needs the same currency."
    if price["billing_scheme"] == "tiered":
        what = "tiers"
    elif price["custom_unit_amount"]:
        what = "an amount that the customer chooses"
    else:
        what = "fractions of the smallest unit"
    return f"fake_stripe does not support sessions over prices with {what}."


def _adjustable(given: Json | None) -> Json | None:
    if not given or not given["enabled"]:
        return None
    return {"enabled": True, "maximum": given.get("maximum", 99), "minimum": given.get("minimum", 0)}


def keep(call: Call, session_id: str, items: list[Json], **facts: bool) -> None:
    """Store a session's lines, and beside them `facts` that stay when the lines change."""
    old = call.account.store.get("session_lines", session_id) or {}
    call.account.store.put("session_lines", session_id, {**old, **facts, "lines": items})


def lines_of(call: Call, session_id: str) -> list[Json]:
    """The lines of a session in order, each with its current price object."""
    row = call.account.store.get("session_lines", session_id) or {"lines": []}
    return [{**item, "price": _price_now(call, item["price"])} for item in row["lines"]]


def _price_now(call: Call, price_id: str) -> Json | None:
    price = call.account.store.get("price", price_id)
    if price is None or not call.version.endswith(".preview"):
        return price
    # https://docs.stripe.com/agentic-commerce/for-sellers: only a preview version tells what an agent's catalog calls it.
    hidden = call.account.store.get("price_hidden", price_id) or {}
    return {**price, "external_reference": hidden.get("external_reference")}


def list_all(call: Call) -> Json:
    """GET /v1/checkout/sessions/{id}/line_items"""
    session = call.find("checkout.session")
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return page_of(call, lines_of(call, session["id"]), url, "line item")


@includable("checkout.session", "line_items")
def _first_lines(call: Call, session: Json) -> object:
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    limit = {"limit": SHOWN_WITH_SESSION}
    inner = Call(call.account, call.cause, call.livemode, limit, version=call.version)
    return page_of(inner, lines_of(call, session["id"]), url, "line item")


@includable("item", "discounts")
def _no_discounts(call: Call, item: Json) -> object:
    return []


@includable("item", "taxes")
def _no_taxes(call: Call, item: Json) -> object:
    return []


def shipping_options(call: Call, given: list[Json], currency: str) -> list[Json]:
    """The `shipping_options` of a session in its currency. Rates given as data are created."""
    return [_shipping_option(call, one, f"shipping_options[{i}]", currency) for i, one in enumerate(given)]


def _shipping_option(call: Call, given: Json, name: str, currency: str) -> Json:
    if "shipping_rate_data" in given:
        rate = shipping_rates.make(call, given["shipping_rate_data"], at=f"{name}[shipping_rate_data]")
    elif "shipping_rate" in given:
        rate = call.referred("shipping_rate", given["shipping_rate"], f"{name}[shipping_rate]")
    else:
        message = f"Missing required param: {name}[shipping_rate]."
        raise StripeError(message, code="parameter_missing", param=f"{name}[shipping_rate]")
    amount = shipping_rates.amount_in(call, rate, currency)
    if amount is None:
        message = f"The shipping rate {rate['id']} has no amount in {currency}."
        raise StripeError(message, param=f"{name}[shipping_rate]")
    if not rate["active"]:
        raise StripeError(f"The shipping rate {rate['id']} is not active.", param=f"{name}[shipping_rate]")
    return {"shipping_amount": amount, "shipping_rate": rate["id"]}


def totals(items: list[Json], shipping: Json | None) -> Json:
    """The total fields of a session: of its items and the chosen shipping option."""
    subtotal = sum(item["amount_subtotal"] for item in items)
    sending = shipping["shipping_amount"] if shipping else 0
    cost = None
    if shipping:
        cost = {
            "amount_subtotal": sending,
            "amount_tax": 0,
            "amount_total": sending,
            "shipping_rate": shipping["shipping_rate"],
        }
    return {
        "amount_subtotal": subtotal,
        "amount_total": subtotal + sending,
        "shipping_cost": cost,
        "total_details": {"amount_discount": 0, "amount_shipping": sending, "amount_tax": 0},
    }
