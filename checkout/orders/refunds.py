"""What follows from money that was given back? The order says so, and the owner is asked about the goods.

A refund names no lines and does not tell whether anything was sent back, so nothing returns to stock by itself:
checkout.orders.returns does that when the owner says so. https://docs.stripe.com/refunds
"""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from checkout import gateway
from checkout.models import Order
from checkout.orders.fulfillment import apply_session, mark_refunded_if_full
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue, StripeEvent
from shop.money import format_money

logger = logging.getLogger(__name__)

REFUNDED = _(
    "%(given)s of %(whole)s were given back. Nothing went back into stock: "
    "if goods came back, open the order and take them back."
)
NOT_ARRIVED = _("The refund %(refund)s of %(amount)s did not reach the customer. See the payment at Stripe.")


def on_refund(event: StripeEvent) -> None:
    """charge.refunded, for a part or the whole."""
    refund = gateway.refund_from(event.payload["data"]["object"])
    order = _order_of(refund.payment_intent_id)
    if order is None:
        logger.info("The refund in %s is of no order of this shop.", event.pk)
        return
    _record_refund(order, refund)


def on_refund_failed(event: StripeEvent) -> None:
    """refund.failed, perhaps weeks later: the money is the shop's again, the goods may be anywhere."""
    failed = gateway.failed_refund_from(event.payload["data"]["object"])
    order = _order_of(failed.payment_intent_id)
    if order is None:
        logger.info("The failed refund in %s is of no order of this shop.", event.pk)
        return
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    known = gateway.refunds_of(order.payment_intent_id)
    amount = _money(failed.amount, failed.currency or order.currency)
    with transaction.atomic():
        orders = Order.objects.filter(id=order.id)
        orders.update(refunded=known.refunded)
        if not known.is_whole:
            orders.filter(state=Order.State.REFUNDED).update(state=Order.State.PAID)
        issues.open_issue(
            Issue.Kind.REFUND_FAILED, order.number, NOT_ARRIVED, refund=failed.id, amount=amount
        )


def _record_refund(order: Order, refund: gateway.Refund) -> None:
    """Refunds only grow, whatever the order of their events; told once, and told again when more is given back."""
    with transaction.atomic():
        grown = Order.objects.filter(id=order.id, refunded__lt=refund.refunded).update(
            refunded=refund.refunded
        )
        mark_refunded_if_full(order.id, whole=refund.amount)
        if grown:
            given, whole = (_money(amount, refund.currency) for amount in (refund.refunded, refund.amount))
            issues.open_issue(Issue.Kind.REFUND_TO_REVIEW, order.number, REFUNDED, given=given, whole=whole)


def _money(amount: int, currency: str) -> str:
    return format_money(amount, currency or "usd")


def _order_of(payment_intent_id: str) -> Order | None:
    """The order of a payment. Its own event may still be on the way; then Stripe knows the session."""
    if not payment_intent_id:
        return None
    found = Order.objects.filter(payment_intent_id=payment_intent_id).first()
    if found:
        return found
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    session = gateway.session_of_payment(payment_intent_id)
    return apply_session(session, now=timezone.now()) if session else None
