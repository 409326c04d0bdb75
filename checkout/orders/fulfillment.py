"""Apply the outcome of a Checkout Session to its order. Events, return page, backfill and replay all use apply_session.

    open -> awaiting payment -> paid | canceled

Any state can become `paid`. Only a full refund ends `paid`, and a failed refund restores it. Each step is one
transaction of a conditional UPDATE of the order and an idempotent ledger operation, so it takes effect once, however
often and in whatever order sessions are applied, and by however many processes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, prefetch_related_objects
from django.utils import timezone

from checkout import gateway
from checkout.models import Order, OrderLine
from checkout.orders import added_lines, customer_returns, external_orders, mails
from checkout.orders.added_lines import LineChanges
from checkout.stripe_objects import CheckoutSession, session_from
from config.fault_points import fault_point
from inventory.db import update_rows
from inventory.events import inbox
from inventory.models import StripeEvent
from inventory.stock import ledger
from shop.money import format_money

logger = logging.getLogger(__name__)

State = Order.State
BEFORE_PAID = (State.OPEN, State.AWAITING_PAYMENT, State.CANCELED)
# Copied from the session to its order.
SESSION_FIELDS = (
    *("email", "name", "phone", "address", "payment_intent_id"),
    *("subtotal", "shipping", "tax", "discount", "total", "presentment_amount", "presentment_currency"),
)
FAILED = "checkout.session.async_payment_failed"
PAYMENT_ENDED = ("payment_intent.succeeded", "payment_intent.canceled")


@dataclass(frozen=True)
class Payment:
    """A paid session and the time of its payment, by Stripe's clock.

    `changes`: what it sold otherwise than its order says. None if that was not looked at.
    `ignore_cutoff`: the sale is known to be missing in Stripe's count, whenever it was paid.
    """

    session: CheckoutSession
    paid_at: datetime
    changes: LineChanges | None = None
    ignore_cutoff: bool = False


def on_session_event(event: StripeEvent) -> None:
    session = session_from(event.payload["data"]["object"])
    if session.is_unclear:
        if not inbox.stripe_calls_allowed():
            raise inbox.NeedsStripeAccess
        session = gateway.fetch_session(session.id)
    order = apply_session(
        session, failed=event.type == FAILED, happened_at=event.created_at, now=timezone.now()
    )
    if order is not None and order.state == State.AWAITING_PAYMENT:
        ended = StripeEvent.objects.filter(type__in=PAYMENT_ENDED, object_id=order.payment_intent_id)
        if order.payment_intent_id and ended.exists():
            # The payment was captured or canceled before this event was handled.
            _apply_current_session(order)


def settle_paid_sessions(events: Sequence[StripeEvent]) -> set[str]:
    """Settle the paid sessions of this shop's own orders, all in one transaction.

    Returns the ids of the events that are done. The others need on_session_event, which looks more closely.
    """
    sessions = {event: session_from(event.payload["data"]["object"]) for event in events}
    payments = {
        session.id: Payment(session, session.paid_at or event.created_at)
        for event, session in sessions.items()
        if session.is_paid and not session.is_unclear
    }
    own = Order.objects.filter(is_external=False)
    done = _settle(own, payments, now=timezone.now()) if payments else set()
    return {event.pk for event, session in sessions.items() if session.id in done}


def log_payments(events: Sequence[StripeEvent]) -> set[str]:
    """Log payments. Returns the ids of the events that are done: the session's own event counts the sale.

    The others need on_payment_ended: their orders await the payment.
    """
    ids = {event.object_id for event in events} - {""}
    awaiting = set(_awaiting(ids).values_list("payment_intent_id", flat=True))
    done = [event for event in events if event.object_id not in awaiting]
    for event in done:
        _log_payment(event)
    return {event.pk for event in done}


def on_payment_ended(event: StripeEvent) -> None:
    """Settle an order that awaits its payment: one that was authorized at the checkout and is captured later.

    https://docs.stripe.com/payments/place-a-hold-on-a-payment-method
    """
    _log_payment(event)
    for order in _awaiting({event.object_id} - {""}):
        _apply_current_session(order)


def _awaiting(payment_intent_ids: Collection[str]) -> QuerySet[Order]:
    return Order.objects.filter(
        state=State.AWAITING_PAYMENT, payment_intent_id__in=payment_intent_ids
    ).exclude(payment_intent_id="")


def _log_payment(event: StripeEvent) -> None:
    payment = event.payload["data"]["object"]
    amount = format_money(int(payment.get("amount_received") or 0), str(payment.get("currency") or "usd"))
    logger.info(
        "Payment %s over %s %s, order %s.",
        payment.get("id"),
        amount,
        event.type.rpartition(".")[2],
        (payment.get("metadata") or {}).get("order", "unknown here"),
    )


def _apply_current_session(order: Order) -> None:
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    apply_session(gateway.fetch_session(order.session_id or ""), now=timezone.now())


def apply_session(
    session: CheckoutSession,
    *,
    now: datetime,
    failed: bool = False,
    happened_at: datetime | None = None,
    ignore_cutoff: bool = False,
) -> Order | None:
    """Apply the outcome of `session` to its order, idempotently. None if it sold nothing that this shop counts.

    `failed`: an event reports that a later payment failed, which the session itself does not say.
    `happened_at`: time of the event, by Stripe's clock, in case the session has no time of payment.
    `ignore_cutoff`: as in Payment.
    Raises inventory.events.inbox.NeedsStripeAccess or StripeCallError while the session's lines are read: for an
    external order, or where the session sold something else than the order says.
    """
    order = _find_order(session) or external_orders.create_external_order(session)
    if order is None:
        return None
    if session.is_paid:
        paid_at = session.paid_at or happened_at or session.created_at or now
        changes = added_lines.find_changes(order, session)
        payment = Payment(session, paid_at, changes, ignore_cutoff)
        _settle(Order.objects.all(), {session.id: payment}, now=now)
    elif session.status == "expired":
        release_order(order, because="Its payment page has expired.")
    elif failed or session.payment_failed:
        release_order(order, because="The payment failed.")
    elif session.is_awaiting_payment:
        # A bank debit takes days. The units stay held until it succeeds or fails.
        opened = Order.objects.filter(id=order.id, state=State.OPEN)
        if opened.update(
            state=State.AWAITING_PAYMENT,
            currency=session.currency or order.currency,
            **{name: getattr(session, name) for name in SESSION_FIELDS},
        ):
            logger.info("Order %s awaits its payment.", order.number)
    order.refresh_from_db()
    return order


def _find_order(session: CheckoutSession) -> Order | None:
    order = Order.objects.filter(session_id=session.id).first()
    if order:
        return order
    # The shop may not have received the answer that named the session. Its metadata has the order's id. The
    # client_reference_id is not trusted: customers can set it in the address of a payment link.
    try:
        order_id = UUID(session.metadata.get("order", ""))
    except ValueError:
        return None
    saved = Order.objects.filter(id=order_id, session_id=None).update(
        session_id=session.id, session_url=session.url, expires_at=session.expires_at
    )
    order = Order.objects.filter(session_id=session.id).first()
    if saved and order:
        logger.info("Order %s belongs to session %s.", order.number, session.id)
    return order


def _settle(orders: QuerySet[Order], payments: Mapping[str, Payment], *, now: datetime) -> set[str]:
    # Returns the ids of the sessions that are settled, now or before. Those that sold something else than their order
    # says are not, unless the payment has the changes.
    with transaction.atomic():
        # Orders are locked before stock, and in the order of their ids, as everywhere.
        found = orders.filter(session_id__in=payments).defer("session_params").order_by("pk")
        settled = {order: payments[order.session_id or ""] for order in found.select_for_update(no_key=True)}
        # Read after the orders are locked: the owner may be assigning a size at the same time.
        unchecked = [order for order, payment in settled.items() if payment.changes is None]
        prefetch_related_objects(unchecked, "lines")
        for order in unchecked:
            session = settled[order].session
            # Of an order that is paid already, changes on Stripe's page are known.
            if order.state in BEFORE_PAID and not order.has_subtotal(session.subtotal, session.currency):
                del settled[order]
        new = {order: payment for order, payment in settled.items() if order.state in BEFORE_PAID}
        _pay(new, now=now)
    fault_point("pay.committed")
    for order in new:
        logger.info("Order %s is paid: %s.", order.number, "; ".join(map(str, order.lines.all())))
    return {payment.session.id for payment in settled.values()}


def _pay(new: Mapping[Order, Payment], *, now: datetime) -> None:
    # Mark the locked orders as paid and record their sales, in the caller's transaction, so that an order is never
    # paid without its sale or sold without its payment.
    for order, payment in new.items():
        session = payment.session
        # Stripe's clock counts whole seconds and may be slow, but no order is paid before it exists.
        order.paid_at = payment.paid_at if order.is_external else max(payment.paid_at, order.created_at)
        # The refund may be reported before the payment.
        is_refunded = session.total and order.refunded >= session.total
        order.state = State.REFUNDED if is_refunded else State.PAID
        for name in SESSION_FIELDS:
            setattr(order, name, getattr(session, name))
        order.currency = session.currency or order.currency
        if payment.changes:
            added_lines.adopt(order, payment.changes)
    update_rows(list(new), ["state", "paid_at", "currency", *SESSION_FIELDS])
    fault_point("pay.updated")
    prefetch_related_objects(list(new), "lines")
    sales = [
        ledger.SaleLine(
            line.reference,
            line.item_id,
            line.quantity,
            None if payment.ignore_cutoff else order.paid_at,
            line.was_held,
        )
        for order, payment in new.items()
        for line in order.lines.all()
        if line.item_id is not None
    ]
    if new:
        ledger.sell([order.reference for order in new], sales, now=now)
    # A sale that the former program counted was confirmed by it.
    mails.confirm([order for order, payment in new.items() if not payment.ignore_cutoff], now=now)


def release_order(order: Order, *, because: str) -> bool:
    """Cancel an order that was not bought and end its hold. False if it is paid or canceled already."""
    with transaction.atomic():
        unpaid = Order.objects.filter(id=order.id, state__in=(State.OPEN, State.AWAITING_PAYMENT))
        locked = unpaid.select_for_update(no_key=True).first()
        canceled = locked is not None and bool(unpaid.update(state=State.CANCELED))
        fault_point("release_order.updated")
        units = ledger.release(order.reference) if canceled else 0
        if locked is not None and locked.state == State.AWAITING_PAYMENT:
            mails.tell_payment_failed(locked)
    if canceled:
        logger.info("Order %s is canceled, %d units are released: %s", order.number, units, because)
    return canceled


def mark_refunded_if_full(order_id: UUID, *, whole: int | None) -> None:
    # The refund may be reported before the payment.
    paid = Order.objects.filter(id=order_id, state=State.PAID)
    if whole:
        full = paid.filter(refunded__gte=whole)
    elif whole == 0:
        # No amount tells when an order that cost nothing is given back: its units do.
        kept = OrderLine.objects.filter(order=OuterRef("pk"), quantity__gt=F("quantity_refunded"))
        full = paid.filter(~Exists(kept), total=0)
    else:
        full = paid.none()
    if full.update(state=State.REFUNDED):
        customer_returns.complete_all(order_id)
