"""Shipping rates: https://docs.stripe.com/api/shipping_rates"""

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.currencies import MAX_AMOUNT, check_amount
from fake_stripe.errors import StripeError
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
FIXED = p.Shape(
    {
        "amount": AMOUNT,
        "currency": p.Currency(),
        "currency_options": p.MapOf(
            p.Currency(), p.Shape({"amount": AMOUNT, "tax_behavior": TAX}, required=("amount",))
        ),
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
UPDATE = p.body(active=p.Boolean(), metadata=p.Metadata(), tax_behavior=TAX)
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
    options = params["fixed_amount"].get("currency_options")
    if options:
        rate["fixed_amount"]["currency_options"] = {
            currency: {"amount": o["amount"], "tax_behavior": o.get("tax_behavior", "unspecified")}
            for currency, o in options.items()
        }
    return call.account.save(rate)


def _check_amounts(fixed: Json, name: str) -> None:
    check_amount(fixed["amount"], fixed["currency"], f"{name}[amount]")
    for currency, option in fixed.get("currency_options", {}).items():
        check_amount(option["amount"], currency, f"{name}[currency_options][{currency}][amount]")


def amount_in(rate: Json, currency: str) -> int | None:
    """The rate's amount in `currency`, in minor units; None if it has none."""
    fixed = rate["fixed_amount"]
    if fixed["currency"] == currency:
        return int(fixed["amount"])
    option = fixed.get("currency_options", {}).get(currency)
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
    return call.account.change(rate, **fields)


def list_all(call: Call) -> Json:
    """GET /v1/shipping_rates"""
    params = call.params

    def keep(row: Json) -> bool:
        if "currency" in params and row["fixed_amount"]["currency"] != params["currency"]:
            return False
        return "active" not in params or bool(row["active"] == params["active"])

    return page(call, "shipping_rate", "/v1/shipping_rates", keep)
