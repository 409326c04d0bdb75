"""What follows from how a session ended? settle() is the one door for events, return page, backfill and replay.

    open -> awaiting payment -> paid | released        paid wins from any of these, and is left for refunded only,
                                                       which a refund that failed makes paid again

Each step is a conditional UPDATE of the order and the ledger's verb in one transaction, so it happens once
however often, in whatever order and by however many processes a session is settled.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from checkout import gateway
from checkout.gateway import CheckoutSession, session_from
from checkout.models import Order
from checkout.orders import external_orders
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
    """checkout.session.completed, .async_payment_succeeded, .async_payment_failed and .expired."""
    session = session_from(event.payload["data"]["object"])
    if not session.says_how_it_ended:
        if not inbox.stripe_calls_allowed():
            raise inbox.NeedsStripeAccess
        session = gateway.fetch_session(session.id)
    apply_session(session, failed=event.type == FAILED, happened_at=event.created_at, now=timezone.now())


def log_payment(event: StripeEvent) -> None:
    """payment_intent.succeeded: the session's own event counts it; this one is for the log."""
    payment = event.payload["data"]["object"]
    amount = format_money(int(payment.get("amount_received") or 0), str(payment.get("currency") or "usd"))
    order = (payment.get("metadata") or {}).get("order", "unknown here")
    logger.info("Payment %s over %s succeeded, order %s.", payment.get("id"), amount, order)


def apply_session(
    session: CheckoutSession,
    *,
    now: datetime,
    failed: bool = False,
    happened_at: datetime | None = None,
) -> Order | None:
    """Make the order of `session` true; harmless twice. None where there is nothing for this shop to count.

    `failed`: an event says that a payment which was to come later did not come; the session itself does not.
    `happened_at`: when it was paid, by Stripe's clock, if the session does not say. A session that this shop did
    not open is read from Stripe first (raises inventory.events.inbox.NeedsStripeAccess where that may not be, StripeCallError).
    """
    order = _order_of(session) or external_orders.create_external_order(session)
    if order is None:
        return None
    if session.is_paid:
        _pay(
            order,
            session,
            paid_at=_paid_at(order, session.paid_at or happened_at or session.created_at or now),
        )
    elif session.status == "expired":
        release_order(order, because="Its payment page has expired.")
    elif failed or session.payment_failed:
        release_order(order, because="The payment failed.")
    elif session.is_awaiting_payment:
        _await_payment(order, session)
    order.refresh_from_db()
    return order


def release_order(order: Order, *, because: str) -> bool:
    """Nothing was bought: end the hold. False if the order had gone on otherwise."""
    with transaction.atomic():
        gone = _transition(order.id, State.OPEN, State.AWAITING_PAYMENT, to=State.CANCELED)
        fault_point("settle.given_up")
        units = ledger.release(order.reference) if gone else 0
    if gone:
        logger.info("Order %s came to nothing, %d units are free again: %s", order.number, units, because)
    return gone


def _pay(order: Order, session: CheckoutSession, *, paid_at: datetime) -> None:
    """The sale is counted in the transaction that makes the order paid: never one without the other."""
    with transaction.atomic():
        paid = _transition(order.id, *BEFORE_PAID, to=State.PAID, paid_at=paid_at, **_facts(session))
        fault_point("settle.paid")
        if paid:
            # Read only now that the order's row is ours: the owner may be placing a line at this moment.
            ledger.sell(order.reference, _sale_lines(order, paid_at), now=timezone.now())
            mark_refunded_if_full(order.id, whole=session.total)
    fault_point("settle.committed")
    if paid:
        logger.info("Order %s is paid: %s.", order.number, "; ".join(map(str, order.lines.all())))


def mark_refunded_if_full(order_id: UUID, *, whole: int | None) -> None:
    """A paid order whose `whole` amount was given back is refunded, whichever of the two Stripe told first."""
    if whole:
        paid = Order.objects.filter(id=order_id, state=State.PAID)
        paid.filter(refunded__gte=whole).update(state=State.REFUNDED)


def _sale_lines(order: Order, paid_at: datetime) -> list[ledger.SaleLine]:
    return [
        ledger.SaleLine(line.reference, line.item_id, line.quantity, paid_at, not order.is_external)
        for line in order.lines.exclude(item=None)
        if line.item_id is not None
    ]


def _paid_at(order: Order, stripe_says: datetime) -> datetime:
    """By Stripe's clock, which counts whole seconds and may be slow: nobody pays for an order before it is written."""
    return stripe_says if order.is_external else max(stripe_says, order.created_at)


def _await_payment(order: Order, session: CheckoutSession) -> None:
    """Done by the customer, not yet by the bank: the units stay held, for days if need be."""
    if _transition(order.id, State.OPEN, to=State.AWAITING_PAYMENT, **_facts(session)):
        logger.info("Order %s awaits its payment.", order.number)


def _transition(order_id: UUID, *from_states: str, to: str, **facts: Any) -> bool:
    return bool(Order.objects.filter(id=order_id, state__in=from_states).update(state=to, **facts))


def _facts(session: CheckoutSession) -> dict[str, Any]:
    """What Stripe says of customer and amounts, as columns of the order."""
    amounts = ("subtotal", "shipping", "tax", "discount", "total")
    return {
        "email": session.email,
        "name": session.name,
        "phone": session.phone,
        "address": dict(session.address),
        "payment_intent_id": session.payment_intent_id,
        **{name: getattr(session, name) for name in amounts},
        **({"currency": session.currency} if session.currency else {}),
    }


def _order_of(session: CheckoutSession) -> Order | None:
    """By the session, else by the order's id in the metadata, where we had not heard of the session yet.

    Never by client_reference_id: on a payment link the customer may write it into the address.
    """
    found = Order.objects.filter(session_id=session.id).first()
    return found or _match_by_metadata(session)


def _match_by_metadata(session: CheckoutSession) -> Order | None:
    try:
        order_id = UUID(session.metadata.get("order", ""))
    except ValueError:
        return None
    mine = Order.objects.filter(id=order_id, session_id=None)
    hears = mine.update(session_id=session.id, session_url=session.url, expires_at=session.expires_at)
    order = Order.objects.filter(session_id=session.id).first()
    if hears and order:
        logger.info("Order %s hears of its session %s.", order.number, session.id)
    return order
