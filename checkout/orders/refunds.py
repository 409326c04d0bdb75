"""Record refunds that Stripe reports. The order is marked as refunded.

A refund that was made at Stripe names no lines and does not say whether goods were sent back, so the owner is asked, and
stock changes only when they return units (checkout.orders.returns). Refunds of the order's page are known already
(checkout.orders.refund_requests). https://docs.stripe.com/refunds
"""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from checkout import gateway
from checkout.models import Order, Refund
from checkout.orders import mails
from checkout.orders.fulfillment import apply_session, mark_refunded_if_full
from checkout.orders.refund_requests import find_made_refunds, mark_failed
from checkout.stripe_objects import refund_attempt_from, refund_from
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue, StripeEvent
from shop.money import format_money

logger = logging.getLogger(__name__)

FAILURE_EVENTS = ("refund.failed", "charge.refund.updated")
REFUNDED = _(
    "%(refunded)s of %(total)s were refunded. Stock is unchanged: if goods were returned, open the order and "
    "return them to stock."
)
NOT_ARRIVED = _("The refund %(refund)s of %(amount)s did not reach the customer. See the payment at Stripe.")


def on_refund(event: StripeEvent) -> None:
    refund = refund_from(event.payload["data"]["object"])
    if not refund.captured:
        logger.info("The authorization in %s was released; no money was given back.", event.pk)
        return
    order = order_of_payment(refund.payment_intent_id)
    if order is None:
        logger.info("The refund in %s is for no order of this shop.", event.pk)
        return
    ours = Refund.objects.filter(order=order)
    is_unclear = ours.filter(state__in=[Refund.State.REQUESTED, Refund.State.FAILED]).exists()
    if is_unclear:
        # A refund of ours may be in the event's sum, or be in it and have failed since: ask Stripe for both.
        if not inbox.stripe_calls_allowed():
            raise inbox.NeedsStripeAccess
        find_made_refunds(order)
        refund = gateway.refunds_of(order.payment_intent_id)
    with transaction.atomic():
        locked = Order.objects.select_for_update().get(id=order.id)
        accepted = ours.filter(state=Refund.State.ACCEPTED).aggregate(sum=Sum("amount"))["sum"] or 0
        elsewhere = refund.refunded - accepted
        orders = Order.objects.filter(id=order.id)
        orders.filter(refunded__lt=refund.refunded).update(refunded=refund.refunded)
        mark_refunded_if_full(order.id, whole=refund.amount)
        # The total of refunds only grows, in whatever order events arrive, so each refund is reported once.
        if elsewhere > locked.refunded_elsewhere:
            orders.update(refunded_elsewhere=elsewhere)
            mails.tell_refunded_elsewhere(locked, event, amount=elsewhere - locked.refunded_elsewhere)
            issues.open_issue(
                Issue.Kind.REFUND_TO_REVIEW,
                order.number,
                REFUNDED,
                refunded=format_money(refund.refunded, refund.currency or "usd"),
                total=format_money(refund.amount, refund.currency or "usd"),
            )


def on_refund_updated(event: StripeEvent) -> None:
    # Endpoints of older API versions hear of a failed refund by charge.refund.updated alone.
    if refund_attempt_from(event.payload["data"]["object"]).has_failed:
        on_refund_failed(event)


def on_refund_failed(event: StripeEvent) -> None:
    failed = refund_attempt_from(event.payload["data"]["object"])
    order = order_of_payment(failed.payment_intent_id)
    if order is None:
        logger.info("The failed refund in %s is for no order of this shop.", event.pk)
        return
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    # The money is the shop's again, perhaps weeks later. Other refunds of the payment may have succeeded, and events
    # arrive in any order, so the sum is read from Stripe.
    find_made_refunds(order)
    current = gateway.refunds_of(order.payment_intent_id)
    amount = format_money(failed.amount, failed.currency or order.currency or "usd")
    # Stripe reports the failure by several events. The owner may have closed the issue of the first one already.
    handled = StripeEvent.objects.filter(type__in=FAILURE_EVENTS, state=StripeEvent.State.HANDLED)
    reported = handled.filter(object_id=failed.id, payload__data__object__status=failed.status)
    with transaction.atomic():
        orders = Order.objects.filter(id=order.id)
        orders.update(refunded=current.refunded)
        if not current.is_whole:
            orders.filter(state=Order.State.REFUNDED).update(state=Order.State.PAID)
        was_reported = bool(failed.id) and reported.exclude(pk=event.pk).exists()
        if not mark_failed(failed.id) and not was_reported:
            issues.open_issue(
                Issue.Kind.REFUND_FAILED, order.number, NOT_ARRIVED, refund=failed.id, amount=amount
            )
        accepted = Refund.objects.filter(order=order, state=Refund.State.ACCEPTED)
        ours = accepted.aggregate(sum=Sum("amount"))["sum"] or 0
        orders.update(refunded_elsewhere=max(0, current.refunded - ours))


def order_of_payment(payment_intent_id: str) -> Order | None:
    if not payment_intent_id:
        return None
    order = Order.objects.of_payment(payment_intent_id).first()
    if order:
        return order
    # The event of the payment may not have arrived yet. Stripe knows the session.
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    session = gateway.session_of_payment(payment_intent_id)
    return apply_session(session, now=timezone.now()) if session else None
