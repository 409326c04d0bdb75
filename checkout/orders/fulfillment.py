"""Apply the outcome of a Checkout Session to its order. Events, return page, backfill and replay all use apply_session.

    open -> awaiting payment -> paid | canceled

Any state can become `paid`. Only a full refund ends `paid`, and a failed refund restores it. Each step is one
transaction of a conditional UPDATE of the order and an idempotent ledger operation, so it takes effect once, however
often and in whatever order sessions are applied, and by however many processes.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from checkout import gateway
from checkout.models import Order
from checkout.orders import added_lines, external_orders
from checkout.stripe_objects import CheckoutSession, session_from
from config.fault_points import fault_point
from inventory.events import inbox
from inventory.models import StripeEvent
from inventory.stock import ledger
from shop.money import format_money

logger = logging.getLogger(__name__)

State = Order.State
BEFORE_PAID = (State.OPEN, State.AWAITING_PAYMENT, State.CANCELED)
FAILED = "checkout.session.async_payment_failed"


def on_session_event(event: StripeEvent) -> None:
    session = session_from(event.payload["data"]["object"])
    if not (session.status and session.payment_status):
        # Events of Stripe's oldest API versions have no status.
        if not inbox.stripe_calls_allowed():
            raise inbox.NeedsStripeAccess
        session = gateway.fetch_session(session.id)
    apply_session(session, failed=event.type == FAILED, happened_at=event.created_at, now=timezone.now())


def log_payment(event: StripeEvent) -> None:
    # payment_intent.succeeded is only logged: the session's own event counts the sale.
    payment = event.payload["data"]["object"]
    amount = format_money(int(payment.get("amount_received") or 0), str(payment.get("currency") or "usd"))
    order = (payment.get("metadata") or {}).get("order", "unknown here")
    logger.info("Payment %s over %s succeeded, order %s.", payment.get("id"), amount, order)


def apply_session(
    session: CheckoutSession, *, now: datetime, failed: bool = False, happened_at: datetime | None = None
) -> Order | None:
    """Apply the outcome of `session` to its order, idempotently. None if it sold nothing that this shop counts.

    `failed`: an event reports that a later payment failed, which the session itself does not say.
    `happened_at`: time of the event, by Stripe's clock, in case the session has no time of payment.
    Raises inventory.events.inbox.NeedsStripeAccess or StripeCallError while the session's lines are read: for an
    external order, or where the session sold something else than the order says.
    """
    order = _find_order(session) or external_orders.create_external_order(session)
    if order is None:
        return None
    if session.is_paid:
        _pay(order, session, session.paid_at or happened_at or session.created_at or now)
    elif session.status == "expired":
        release_order(order, because="Its payment page has expired.")
    elif failed or session.payment_failed:
        release_order(order, because="The payment failed.")
    elif session.is_awaiting_payment and _transition(
        order.id, State.OPEN, to=State.AWAITING_PAYMENT, **_session_fields(session)
    ):
        # A bank debit takes days. The units stay held until it succeeds or fails.
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


def _pay(order: Order, session: CheckoutSession, paid_at: datetime) -> None:
    if not order.is_external:
        # Stripe's clock counts whole seconds and may be slow, but no order is paid before it exists.
        paid_at = max(paid_at, order.created_at)
    changes = added_lines.find_changes(order, session)
    # One transaction, so that an order is never paid without its sale or sold without its payment.
    with transaction.atomic():
        paid = _transition(order.id, *BEFORE_PAID, to=State.PAID, paid_at=paid_at, **_session_fields(session))
        fault_point("pay.updated")
        if paid:
            added_lines.adopt(order, changes)
            # Read after the UPDATE has locked the order's row: the owner may be assigning a size at the same time.
            sales = [
                ledger.SaleLine(line.reference, line.item_id, line.quantity, paid_at, line.was_held)
                for line in order.lines.exclude(item=None)
                if line.item_id is not None
            ]
            ledger.sell(order.reference, sales, now=timezone.now())
            mark_refunded_if_full(order.id, whole=session.total)
    fault_point("pay.committed")
    if paid:
        logger.info("Order %s is paid: %s.", order.number, "; ".join(map(str, order.lines.all())))


def release_order(order: Order, *, because: str) -> bool:
    """Cancel an order that was not bought and end its hold. False if it is paid or canceled already."""
    with transaction.atomic():
        canceled = _transition(order.id, State.OPEN, State.AWAITING_PAYMENT, to=State.CANCELED)
        fault_point("release_order.updated")
        units = ledger.release(order.reference) if canceled else 0
    if canceled:
        logger.info("Order %s is canceled, %d units are released: %s", order.number, units, because)
    return canceled


def mark_refunded_if_full(order_id: UUID, *, whole: int | None) -> None:
    # The refund may be reported before the payment.
    if whole:
        paid = Order.objects.filter(id=order_id, state=State.PAID)
        paid.filter(refunded__gte=whole).update(state=State.REFUNDED)


def _transition(order_id: UUID, *from_states: str, to: str, **fields: Any) -> bool:
    return bool(Order.objects.filter(id=order_id, state__in=from_states).update(state=to, **fields))


def _session_fields(session: CheckoutSession) -> dict[str, Any]:
    columns = (
        "email",
        "name",
        "phone",
        "payment_intent_id",
        "subtotal",
        "shipping",
        "tax",
        "discount",
        "total",
    )
    fields = {column: getattr(session, column) for column in columns} | {"address": dict(session.address)}
    return fields | ({"currency": session.currency} if session.currency else {})
