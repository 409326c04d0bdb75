"""Automatic tax of sessions: one rate of the account for every line. Shipping is not taxed.

The tax is known once the customer has entered an address: https://docs.stripe.com/tax/checkout
"""

from fake_stripe.account import Account, Call
from fake_stripe.errors import StripeError
from fake_stripe.resources import line_items
from fake_stripe.store import Json

NONE = {"enabled": False, "liability": None, "provider": None, "status": None}


def set_up(account: Account, percent: int) -> None:
    """Set up Stripe Tax, as the owner does in the Dashboard."""
    with account.store.transaction():
        account.store.put("setting", "tax", {"percent": percent})


def check(call: Call, params: Json) -> None:
    if params.get("automatic_tax", {}).get("enabled") and not call.account.store.get("setting", "tax"):
        message = "You must have a valid head office address to enable automatic tax calculation."
        raise StripeError(message, param="automatic_tax")


def automatic_tax(params: Json) -> Json:
    if not params.get("automatic_tax", {}).get("enabled"):
        return NONE
    return {
        "enabled": True,
        "liability": {"type": "self"},
        "provider": "stripe",
        "status": "requires_location_inputs",
    }


def apply(call: Call, session: Json) -> Json:
    """Tax the lines of a session whose customer has an address. Included tax changes no amount but its own."""
    setting = call.account.store.get("setting", "tax")
    if not session["automatic_tax"]["enabled"] or setting is None:
        return session
    lines = (call.account.store.get("session_lines", session["id"]) or {"lines": []})["lines"]
    items = [_taxed(call, item, setting["percent"]) for item in lines]
    line_items.keep(call, session["id"], items)
    added = sum(item["amount_total"] for item in items) - sum(item["amount_total"] for item in lines)
    tax = sum(item["amount_tax"] for item in items)
    return {
        **session,
        "amount_total": session["amount_total"] + added,
        "automatic_tax": {**session["automatic_tax"], "status": "complete"},
        "total_details": {**session["total_details"], "amount_tax": tax},
    }


def _taxed(call: Call, item: Json, percent: int) -> Json:
    price = call.account.store.get("price", item["price"]) or {}
    amount = item["amount_subtotal"] - item["amount_discount"]
    if price.get("tax_behavior") == "inclusive":
        return {**item, "amount_tax": round(amount * percent / (100 + percent)), "amount_total": amount}
    tax = round(amount * percent / 100)
    return {**item, "amount_tax": tax, "amount_total": amount + tax}
