"""Replace ids in an answer with objects, as `expand[]` asks: up to four levels, counting `data`.

https://docs.stripe.com/expand
"""

from collections.abc import Callable

from fake_stripe.account import Call
from fake_stripe.errors import StripeError
from fake_stripe.store import Json

MAX_DEPTH = 4

# (kind, field) -> the kind of object that the id refers to
REFERENCES = {
    ("product", "default_price"): "price",
    ("price", "product"): "product",
    ("checkout.session", "payment_intent"): "payment_intent",
    ("payment_intent", "latest_charge"): "charge",
    ("payment_intent", "payment_method"): "payment_method",
    ("charge", "payment_intent"): "payment_intent",
    ("dispute", "charge"): "charge",
    ("dispute", "payment_intent"): "payment_intent",
    ("refund", "charge"): "charge",
    ("refund", "payment_intent"): "payment_intent",
    ("shipping_cost", "shipping_rate"): "shipping_rate",
    ("shipping_option", "shipping_rate"): "shipping_rate",
}

# Fields that Stripe can expand and that are always null here. Expanding them is allowed.
NEVER_FILLED = {
    "product": {"tax_code"},
    "price": set[str](),
    "checkout.session": {"customer", "invoice", "payment_link", "setup_intent", "subscription", "discounts"},
    "payment_intent": {"application", "customer", "on_behalf_of", "review", "processing"},
    "charge": {
        "application",
        "application_fee",
        "balance_transaction",
        "customer",
        "failure_balance_transaction",
        "on_behalf_of",
        "review",
        "source_transfer",
        "transfer",
    },
    "payment_method": {"customer"},
    "refund": {
        "balance_transaction",
        "failure_balance_transaction",
        "source_transfer_reversal",
        "transfer_reversal",
    },
    "shipping_rate": {"tax_code"},
    "item": {"discounts", "taxes"},
}

# (kind, field) -> the function that builds a field which is only included when it is expanded; `part.field` is a field of
# a hash in the object
INCLUDES: dict[tuple[str, str], Callable[[Call, Json], object]] = {}

# (kind, field) -> the kind of the hash, or of each hash in the list, through which a path can continue
PARTS = {
    ("checkout.session", "shipping_cost"): "shipping_cost",
    ("checkout.session", "shipping_options"): "shipping_option",
    ("checkout.session", "total_details"): "total_details",
    ("shipping_rate", "fixed_amount"): "fixed_amount",
    ("item", "price"): "price",
}


def includable(
    kind: str, name: str
) -> Callable[[Callable[[Call, Json], object]], Callable[[Call, Json], object]]:
    """Register the function that builds a field which is only included when it is expanded."""

    def register(make: Callable[[Call, Json], object]) -> Callable[[Call, Json], object]:
        INCLUDES[kind, name] = make
        return make

    return register


def expand(call: Call, answer: Json) -> Json:
    """A copy of the answer with every path of the call's `expand` replaced by its object."""
    for path in call.params.get("expand", ()):
        steps = path.split(".")
        if len(steps) > MAX_DEPTH:
            message = f"You cannot expand more than {MAX_DEPTH} levels of a property. Property: {path}"
            raise StripeError(message, executed=False, param="expand")
        answer = _into(call, answer, answer["object"], steps, path)
    return answer


def _into(call: Call, node: Json, kind: str, steps: list[str], path: str) -> Json:
    name, rest = steps[0], steps[1:]
    if node.get("object") == "list" and name == "data":
        if not rest:
            raise _cannot(path)
        return {**node, "data": [_into(call, row, row["object"], rest, path) for row in node["data"]]}
    value = _value(call, node, kind, name, path)
    if rest and (kind, ".".join(steps)) in INCLUDES and isinstance(value, dict):
        return {**node, name: {**value, rest[0]: INCLUDES[kind, ".".join(steps)](call, node)}}
    if value is None and name not in node:
        return node  # such as the tiers of a price without tiers
    if not rest:
        return {**node, name: value}
    below = PARTS.get((kind, name))
    if isinstance(value, list):
        return {**node, name: [_into(call, one, below or name, rest, path) for one in value]}
    if isinstance(value, dict):
        return {**node, name: _into(call, value, value.get("object", below or name), rest, path)}
    return {**node, name: value}


def _value(call: Call, node: Json, kind: str, name: str, path: str) -> object:
    if (kind, name) in REFERENCES:
        return _whole(call, REFERENCES[kind, name], node.get(name))
    if (kind, name) in INCLUDES:
        return node[name] if name in node else INCLUDES[kind, name](call, node)
    if (kind, name) in PARTS or name in NEVER_FILLED.get(kind, ()):
        return node.get(name)
    raise _cannot(path)


def _whole(call: Call, kind: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    row = call.account.store.get(kind, value)
    if row is None and kind == "product":
        return {"id": value, "object": "product", "deleted": True}
    return row if row is not None else value


def _cannot(path: str) -> StripeError:
    return StripeError(f"This property cannot be expanded ({path}).", executed=False, param="expand")
