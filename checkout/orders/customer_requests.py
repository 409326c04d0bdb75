"""Requests of customers: cancel an order before it is packed, or return goods. Nothing happens until the owner decides.

    requested -> accepted | declined | withdrawn        a return: requested -> returning -> returned | closed

Each step is a conditional UPDATE, so a double click, or two people at two screens, take effect once. An order may be packed
while a request to cancel it waits: the request stays, the packer is told, and the owner can still accept it until the
parcel is sent. An accepted cancellation is a refund of everything that is left, with its units back to stock
(orders.refund_requests). Once Stripe has made it, one mail tells the customer of both; if Stripe refuses, the request waits
again. An accepted return waits for the goods (orders.customer_returns).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from checkout.mail import outbox
from checkout.mail.kinds import REQUEST_DECLINED, RETURN_ACCEPTED, RETURN_CLOSED
from checkout.models import CustomerRequest, CustomerRequestLine, Order, OrderLine, Refund
from checkout.orders import customer_returns, mails
from checkout.orders.refund_requests import RefundedUnits, refundable, save_refund, send_refund
from config.fault_points import fault_point
from inventory import issues
from inventory.models import Issue

logger = logging.getLogger(__name__)

Kind, State = CustomerRequest.Kind, CustomerRequest.State
MAX_REQUESTS = 10  # of one order
BATCH_SIZE = 20

CANCEL = gettext_noop(
    "The customer asks to cancel the order. Accept or decline it on the order's page, before it is sent."
)
RETURN = gettext_noop("The customer asks to return goods. Accept or decline it on the order's page.")


class RequestRefused(Exception):
    """The step is not possible. The message says why. Nothing was changed."""


@dataclass(frozen=True)
class ReturnedUnits:
    """Units of one line that the customer wants to return. `reason`: one of CustomerRequestLine.Reason."""

    line_id: int
    quantity: int
    reason: str


def possible_request(order: Order, now: datetime) -> CustomerRequest.Kind | None:
    if order.state != Order.State.PAID or not _lines_to_send(order):
        return None
    if order.packed_at is None:
        return Kind.CANCEL
    too_late = order.sent_at and now > order.sent_at + timedelta(days=settings.RETURN_DAYS)
    return None if too_late or not settings.RETURN_DAYS or not returnable_lines(order) else Kind.RETURN


def returnable_lines(order: Order) -> list[tuple[OrderLine, int]]:
    """Lines with those of their units that are neither refunded nor on their way back."""
    on_their_way = customer_returns.units_in_progress(order)
    left = [(line, line.quantity_to_send - on_their_way[line.pk]) for line in _lines_to_send(order)]
    return [(line, units) for line, units in left if units > 0]


def _lines_to_send(order: Order) -> list[OrderLine]:
    # Charges, such as one for the delivery, have no product.
    return [line for line in order.lines.all() if line.product_id and line.quantity_to_send]


# --- The customer -----------------------------------------------------------------------------


def ask(
    order_id: UUID,
    kind: CustomerRequest.Kind,
    *,
    units: Sequence[ReturnedUnits] = (),
    message: str = "",
    now: datetime,
) -> CustomerRequest:
    """Save the request and tell the owner. A second click returns the first's request. Raises RequestRefused."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        waiting = order.requests.filter(state=State.REQUESTED).first()
        if waiting:
            return waiting
        if possible_request(order, now) != kind:
            raise RequestRefused(why_not(order, kind))
        if order.requests.count() >= MAX_REQUESTS:
            raise RequestRefused(_("You have asked many times. Please write to us instead."))
        left = {line.pk: quantity for line, quantity in returnable_lines(order)}
        if any(not 0 < unit.quantity <= left.get(unit.line_id, 0) for unit in units):
            raise RequestRefused(
                _("Some of these items are refunded or on their way back already. Please check once more.")
            )
        request = CustomerRequest.objects.create(order=order, kind=kind, message=message, created_at=now)
        CustomerRequestLine.objects.bulk_create(
            CustomerRequestLine(
                request=request, line_id=unit.line_id, quantity=unit.quantity, reason=unit.reason
            )
            for unit in units
        )
        sentence = CANCEL if kind == Kind.CANCEL else RETURN
        issues.open_issue(Issue.Kind.CUSTOMER_REQUEST, order.number, sentence)
    logger.info("Order %s: the customer asks for a %s.", order.number, kind.value)
    return request


def why_not(order: Order, kind: CustomerRequest.Kind) -> str:
    if kind == Kind.CANCEL and order.state == Order.State.PAID and order.packed_at:
        return _("Your order is packed already. You can return it instead.")
    if kind == Kind.RETURN and order.sent_at and order.state == Order.State.PAID and returnable_lines(order):
        return _("The time to return this order is over. Please write to us.")
    return _("This is not possible anymore. The page shows what has happened to your order.")


def withdraw(order: Order, *, now: datetime) -> bool:
    """Take back what waits for the owner's decision. False if it was decided meanwhile, or nothing waits."""
    with transaction.atomic():
        done = order.requests.filter(state=State.REQUESTED).update(state=State.WITHDRAWN, decided_at=now)
        if done:
            issues.close(Issue.Kind.CUSTOMER_REQUEST, order.number)
    return bool(done)


# --- The owner --------------------------------------------------------------------------------


def asked_to_cancel(order_ids: Iterable[UUID]) -> list[Order]:
    """Those of the orders whose customers wait for an answer to their request to cancel."""
    waiting = CustomerRequest.objects.filter(
        order__in=list(order_ids), kind=Kind.CANCEL, state=State.REQUESTED
    )
    return [request.order for request in waiting.select_related("order")]


def decline(request_id: int, *, answer: str, actor: str, now: datetime) -> CustomerRequest:
    """Decline the request and tell the customer. Raises RequestRefused if it was decided before."""
    with transaction.atomic():
        request = _undecided(request_id)
        _decide(request, State.DECLINED, answer=answer, actor=actor, now=now)
        _tell(request, REQUEST_DECLINED, answer)
    return request


def accept(request_id: int, *, answer: str, actor: str, now: datetime) -> CustomerRequest:
    """Accept the request: a return is announced to the customer, a cancellation is refunded.

    The refund's state says whether Stripe has made it. Raises RequestRefused or RefundRefused.
    """
    with transaction.atomic():
        request = _undecided(request_id)
        accept_kind = _accept_return if request.kind == Kind.RETURN else _accept_cancellation
        accept_kind(request, answer=answer, actor=actor, now=now)
    fault_point("request.accepted")
    if request.refund:
        send_refund(request.refund, now=now, report=False)
        settle(request.pk, now=now)
        request.refresh_from_db()
    return request


def _accept_return(request: CustomerRequest, *, answer: str, actor: str, now: datetime) -> None:
    # A refund of everything in Stripe's Dashboard names no units.
    is_paid = request.order.state == Order.State.PAID
    if not (is_paid and any(part.line.quantity_to_send for part in request.lines.all())):
        raise RequestRefused(_("These units were refunded meanwhile, so there is nothing to wait for."))
    _decide(request, State.RETURNING, answer=answer, actor=actor, now=now)
    _tell(request, RETURN_ACCEPTED, answer)


def _accept_cancellation(request: CustomerRequest, *, answer: str, actor: str, now: datetime) -> None:
    if request.order.sent_at:
        raise RequestRefused(
            _("The parcel is sent already. Decline the request; the customer can return it.")
        )
    if request.order.state == Order.State.PAID:
        request.refund = _refund_of_everything(request, actor=actor, now=now)
    _decide(request, State.ACCEPTED, answer=answer, actor=actor, now=now)
    if request.refund is None:
        mails.tell_canceled(request)


def _refund_of_everything(request: CustomerRequest, *, actor: str, now: datetime) -> Refund:
    order, token = request.order, f"{Refund.CANCELLATION}{request.pk}:"
    # A refund that Stripe refused leaves its token behind, so the next try has another.
    tries = Refund.objects.filter(token__startswith=token).count()
    units = [
        RefundedUnits(line.pk, line.quantity_to_send, restock=line.item_id is not None)
        for line in order.lines.all()
        if line.quantity_to_send
    ]
    return save_refund(
        order.pk,
        units,
        amount=refundable(order),
        token=f"{token}{tries}",
        reason=Refund.Reason.REQUESTED,
        note=_("canceled by the customer"),
        actor=actor,
        now=now,
    )


def close_return(request_id: int, *, answer: str, actor: str, now: datetime) -> CustomerRequest:
    """Stop waiting for the goods of an accepted return, and tell the customer. Raises RequestRefused if it is over."""
    with transaction.atomic():
        request = _locked(request_id)
        if not customer_returns.close(request, answer=answer, actor=actor, now=now):
            raise RequestRefused(
                _(
                    "This return is over already, or Stripe has not confirmed its refund yet. Nothing was changed."
                )
            )
        request.refresh_from_db()
        _tell(request, RETURN_CLOSED, answer)
    return request


def unsettled() -> QuerySet[CustomerRequest]:
    return CustomerRequest.objects.filter(is_settled=False)


def settle_waiting(now: datetime) -> int:
    """Worker task: settle cancellations whose refund was not confirmed at once. Returns how many are settled."""
    waiting = unsettled().order_by("pk").values_list("pk", flat=True)
    return sum(settle(request_id, now=now) for request_id in list(waiting[:BATCH_SIZE]))


def settle(request_id: int, *, now: datetime) -> bool:
    """Tell the customer once the refund of a cancellation is made, or let the request wait again if it was refused."""
    with transaction.atomic():
        # The lock of the order keeps the refund from failing between this look at its state and the mail.
        request = _locked(request_id)
        if request.is_settled or request.refund is None or request.refund.state == Refund.State.REQUESTED:
            return False
        request.is_settled = True
        if request.refund.state == Refund.State.REFUSED:
            # The customer may have asked again meanwhile. An order has one open request.
            asked_again = request.order.requests.filter(state=State.REQUESTED).exists()
            request.state, request.refund = State.WITHDRAWN if asked_again else State.REQUESTED, None
            request.decided_at, request.decided_by = now if asked_again else None, ""
            issues.open_issue(Issue.Kind.CUSTOMER_REQUEST, request.order.number, CANCEL)
        else:
            mails.tell_canceled(request)
        request.save(update_fields=["state", "refund", "decided_at", "decided_by", "is_settled"])
    return True


def _locked(request_id: int) -> CustomerRequest:
    # The order before the request, as everywhere.
    order_id = CustomerRequest.objects.values_list("order", flat=True).get(pk=request_id)
    Order.objects.select_for_update().get(pk=order_id)
    return CustomerRequest.objects.select_related("order", "refund").get(pk=request_id)


def _undecided(request_id: int) -> CustomerRequest:
    request = _locked(request_id)
    if request.state != State.REQUESTED:
        raise RequestRefused(
            _("This was decided before: %(state)s.") % {"state": request.get_state_display()}
        )
    return request


def _decide(
    request: CustomerRequest, state: CustomerRequest.State, *, answer: str, actor: str, now: datetime
) -> None:
    request.state, request.answer = state, answer
    request.decided_at, request.decided_by = now, actor
    request.is_settled = request.refund is None
    request.save(update_fields=["state", "answer", "decided_at", "decided_by", "refund", "is_settled"])
    issues.close(Issue.Kind.CUSTOMER_REQUEST, request.order.number)


def _tell(request: CustomerRequest, kind: str, answer: str) -> None:
    outbox.queue(
        kind,
        reference=mails.request_reference(request),
        to=request.order.email,
        order=request.order,
        context={"answer": answer},
    )
