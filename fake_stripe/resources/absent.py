"""Lists of objects that an account of the fake cannot have. Programs that copy a whole account read them.

No call, page or action creates such an object, so an empty list is the true answer.
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
    "disputes": "dispute",
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


def listing_of(name: str) -> Callable[[Call], Json]:
    """GET /v1/{name}: an empty list."""

    def list_all(call: Call) -> Json:
        # Stripe lists a recurring price as a plan too.
        prices = call.account.store.table("price").rows.values()
        if name == "plans" and any(price["recurring"] for price in prices):
            raise StripeError("fake_stripe has no plans, and this account has a recurring price.")
        return page_of(call, [], f"/v1/{name}", ABSENT[name])

    return list_all


def shape_of(name: str) -> p.Shape:
    return p.listing(**FILTERS.get(name, {"created": p.CREATED}))
