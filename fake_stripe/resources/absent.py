"""Lists of objects that an account of the fake cannot have. Programs that copy a whole account read them.

No call, page or action creates such an object, so an empty list is the true answer, unless another object names one.
"""

from collections.abc import Callable

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.errors import StripeError
from fake_stripe.paging import page_of
from fake_stripe.store import Json

# The part of the path after /v1/, and the noun of an error.
ABSENT = {
    "application_fees": "fee",
    "coupons": "coupon",
    "credit_notes": "credit note",
    "customers": "customer",
    "invoiceitems": "invoice item",
    "invoices": "invoice",
    "plans": "plan",
    "promotion_codes": "promotion code",
    "radar/early_fraud_warnings": "early fraud warning",
    "reviews": "review",
    "setup_intents": "setup intent",
    "subscription_schedules": "subscription schedule",
    "subscriptions": "subscription",
    "tax_ids": "tax ID",
    "tax_rates": "tax rate",
    "transfers": "transfer",
}
FILTERS: dict[str, dict[str, p.Kind]] = {
    "subscriptions": {"created": p.CREATED, "status": p.Text(max_length=100)},
    "tax_ids": {},
}
# What a session in subscription mode names, by the field.
NAMED = {"invoices": "invoice", "subscriptions": "subscription"}


def listing_of(name: str) -> Callable[[Call], Json]:
    """GET /v1/{name}: an empty list."""

    def list_all(call: Call) -> Json:
        if _is_named(call, name):
            raise StripeError(f"fake_stripe has no {name}, but this account would have some at Stripe.")
        return page_of(call, [], f"/v1/{name}", ABSENT[name])

    return list_all


def _is_named(call: Call, name: str) -> bool:
    """Whether other objects name such an object, or would be listed as one."""
    rows = call.account.store.table
    if name == "plans":
        return any(price["recurring"] for price in rows("price").rows.values())
    return any(session.get(NAMED.get(name, "")) for session in rows("checkout.session").rows.values())


def shape_of(name: str) -> p.Shape:
    return p.listing(**FILTERS.get(name, {"created": p.CREATED}))
