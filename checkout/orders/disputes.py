"""Report disputes to the owner. A dispute says nothing about the goods, so stock changes by nobody but the owner.

https://docs.stripe.com/disputes/how-disputes-work
"""

from __future__ import annotations

import logging

from django.utils.translation import gettext_noop as _

from checkout.orders.refunds import order_of_payment
from checkout.stripe_objects import dispute_from
from config.dates import format_local
from inventory import issues
from inventory.models import Issue, StripeEvent
from shop.money import format_money

logger = logging.getLogger(__name__)

OPENED = _(
    "The customer disputes %(amount)s of the payment: %(reason)s. Stripe has taken the money back for now. Accept the "
    "dispute or answer it in Stripe's Dashboard%(due)s. Stock is unchanged: the units stay sold."
)
INQUIRY = _(
    "The customer's bank asks about %(amount)s of the payment: %(reason)s. No money was taken. Answer or refund it in "
    "Stripe's Dashboard%(due)s. Stock is unchanged: the units stay sold."
)
LOST = _(
    "The dispute over %(amount)s is lost: the customer keeps the money. Stock is unchanged: if goods were returned, open "
    "the order and return them to stock."
)
WON = _("The dispute over %(amount)s is won: the money is yours again. There is nothing to do.")
INQUIRY_CLOSED = _("The bank's question about %(amount)s ended without a dispute. There is nothing to do.")
CLOSED = ("lost", "won", "warning_closed", "prevented")


def on_dispute(event: StripeEvent) -> None:
    dispute = dispute_from(event.payload["data"]["object"])
    order = order_of_payment(dispute.payment_intent_id)
    if order is None:
        logger.warning("The dispute %s is for no order of this shop.", dispute.id)
        return
    # An event of the opening that arrives after the end has an open status, and describes what was.
    opened = INQUIRY if dispute.status.startswith("warning") else OPENED
    decided = WON if dispute.status == "won" else LOST
    closed = decided if dispute.status in {"won", "lost"} else INQUIRY_CLOSED
    sentence = closed if dispute.status in CLOSED else opened
    issues.open_issue(
        Issue.Kind.DISPUTE,
        order.number,
        sentence,
        amount=format_money(dispute.amount, dispute.currency or order.currency or "usd"),
        reason=dispute.reason.replace("_", " ") or "-",
        due=f" ({format_local(dispute.due_by)})" if dispute.due_by else "",
    )
