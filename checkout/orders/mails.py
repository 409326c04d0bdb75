"""Queue the mails that customers get about their orders, in the transactions of what they report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import override

from checkout.carriers import CARRIERS, tracking_url
from checkout.mail import outbox
from checkout.mail.kinds import (
    CANCELLATION_ACCEPTED,
    ORDER_CANCELED,
    ORDER_CONFIRMATION,
    ORDER_REFUNDED,
    ORDER_SENT,
    OUT_OF_STOCK,
    PAYMENT_FAILED,
    is_on,
)
from checkout.mail.outbox import QueuedMail
from checkout.models import CustomerMail, CustomerRequest, Order, OrderLine, Refund
from config.languages import first_language
from inventory.models import StripeEvent

# Events may be days late. But a first reading of Stripe's history must not mail customers of long ago, least of all those of
# payment links, whom another program has told.
LATEST_CONFIRMATION, LATEST_OF_EXTERNAL = timedelta(days=7), timedelta(days=1)


def confirm(orders: Iterable[Order], *, now: datetime) -> None:
    outbox.queue_all(
        [
            QueuedMail(ORDER_CONFIRMATION, order.reference, order.email, order)
            for order in orders
            if order.state == Order.State.PAID and order.paid_at and now - order.paid_at < _latest(order)
        ]
    )


def _latest(order: Order) -> timedelta:
    return LATEST_OF_EXTERNAL if order.is_external else LATEST_CONFIRMATION


def tell_payment_failed(order: Order) -> None:
    # Such as a debit that the customer's bank returned.
    outbox.queue(PAYMENT_FAILED, reference=order.reference, to=order.email, order=order)


def tell_sent(order: Order) -> None:
    """Tell how the parcel can be followed: once for each tracking number."""
    context = {
        "carrier": CARRIERS[order.carrier][0] if order.carrier in CARRIERS else "",
        "tracking_number": order.tracking_number,
        "tracking_url": tracking_url(order.carrier, order.tracking_number),
    }
    outbox.queue(ORDER_SENT, reference=_parcel_reference(order), to=order.email, order=order, context=context)


def take_back_sent(order: Order) -> None:
    outbox.cancel(ORDER_SENT, reference=_parcel_reference(order))


def _parcel_reference(order: Order) -> str:
    return f"{order.reference}:{order.carrier}:{order.tracking_number}"


def tell_refunded(refund: Refund) -> None:
    """Tell what is refunded, unless the mail about the cancellation tells it: tell_canceled."""
    order = refund.order
    if cancellation_of(refund) is None or not is_on(CANCELLATION_ACCEPTED):
        reference = refund_reference(refund)
        outbox.queue(
            ORDER_REFUNDED, reference=reference, to=order.email, order=order, context=_refunded(refund)
        )


def tell_canceled(request: CustomerRequest) -> None:
    """Tell that the cancellation is accepted, with the refund if one is on its way."""
    context: dict[str, Any] = {"answer": request.answer}
    kind = ORDER_CANCELED
    if request.refund and request.refund.amount and request.refund.state == Refund.State.ACCEPTED:
        kind, context = CANCELLATION_ACCEPTED, {**context, **_refunded(request.refund)}
    order, reference = request.order, request_reference(request)
    outbox.queue(kind, reference=reference, to=order.email, order=order, context=context)


def tell_free_order_canceled(refund: Refund) -> None:
    """Tell that the owner has canceled an order that cost nothing. Nothing is told of some units, or of ones that came back."""
    order = Order.objects.get(pk=refund.order_id)
    if order.state == Order.State.REFUNDED and order.sent_at is None:
        reference = refund_reference(refund)
        outbox.queue(ORDER_CANCELED, reference=reference, to=order.email, order=order)


def take_back_refunded(refund: Refund) -> None:
    """Cancel the unsent mail about a refund that failed. One about a cancellation is replaced by one without a refund."""
    outbox.cancel(ORDER_REFUNDED, reference=refund_reference(refund))
    request = cancellation_of(refund)
    if request and outbox.cancel(CANCELLATION_ACCEPTED, reference=request_reference(request)):
        tell_canceled(request)


def take_back_canceled(request: CustomerRequest) -> None:
    """Cancel the unsent mail about a cancellation that was undone. It names no refund any more."""
    outbox.cancel(ORDER_CANCELED, reference=request_reference(request))


def cancellation_of(refund: Refund) -> CustomerRequest | None:
    requests = CustomerRequest.objects.filter(refund=refund, kind=CustomerRequest.Kind.CANCEL)
    return requests.select_related("order", "refund").first()


def request_reference(request: CustomerRequest) -> str:
    return f"request:{request.pk}"


def _refunded(refund: Refund) -> dict[str, Any]:
    lines = refund.lines.select_related("line__product").order_by("line__position")
    with override(refund.order.language or first_language()):
        parts = [f"{part.quantity} × {_named(part.line)}" for part in lines]
    return {"amount": refund.amount, "parts": parts}


def refund_reference(refund: Refund) -> str:
    return f"refund:{refund.pk}"


def tell_refunded_elsewhere(order: Order, event: StripeEvent, *, amount: int) -> None:
    if timezone.now() - event.created_at < _latest(order):
        outbox.queue(
            ORDER_REFUNDED,
            reference=f"{order.reference}:{event.pk}"[:255],
            to=order.email,
            order=order,
            context={"amount": amount},
        )


def tell_out_of_stock(line: OrderLine, *, note: str) -> bool:
    """Tell that a line cannot be sent, for the owner: once for each line. `note`: what happens next."""
    return outbox.queue(
        OUT_OF_STOCK,
        reference=line.reference,
        to=line.order.email,
        order=line.order,
        context=out_of_stock_context(line, note=note),
    )


def out_of_stock_context(line: OrderLine, *, note: str) -> dict[str, Any]:
    with override(line.order.language or first_language()):
        item = _named(line)
    return {"item": item, "note": note}


def out_of_stock_mail(line: OrderLine) -> CustomerMail | None:
    return CustomerMail.objects.filter(kind=OUT_OF_STOCK, reference=line.reference).first()


def _named(line: OrderLine) -> str:
    return " ".join(filter(None, [line.shown_name, line.size, line.color]))
