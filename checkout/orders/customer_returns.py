"""Accepted returns, from the owner's yes until the goods have arrived.

    returning -> returned | closed

A return is completed in the transaction that records its refund. A refund that was made without naming the return completes
it as well if it covers the return's units, or leaves none of them to refund: the return would be open without end.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from checkout.models import CustomerRequest, CustomerRequestLine, Order, Refund

Kind, State = CustomerRequest.Kind, CustomerRequest.State


def in_progress() -> QuerySet[CustomerRequest]:
    return CustomerRequest.objects.filter(state=State.RETURNING)


def units_in_progress(order: Order) -> Counter[int]:
    """Units on their way back, by the id of the order's line. Those that are being refunded are off their lines already."""
    parts = CustomerRequestLine.objects.filter(request__in=in_progress().filter(order=order, refund=None))
    units = Counter[int]()
    for line_id, quantity in parts.values_list("line", "quantity"):
        units[line_id] += quantity
    return units


def refundable_returns() -> QuerySet[CustomerRequest]:
    """Those that a refund can complete. Returns that were accepted before there was a state for it are among them."""
    returns = CustomerRequest.objects.filter(kind=Kind.RETURN, state__in=[State.RETURNING, State.ACCEPTED])
    return returns.filter(refund=None)


def link(request_id: int, refund: Refund) -> bool:
    """Reserve the return for the refund, in the refund's transaction. False if another refund has it, or it is over."""
    requests = CustomerRequest.objects.filter(pk=request_id, order=refund.order_id, kind=Kind.RETURN)
    if requests.filter(refund=refund).exists():
        return True  # A second click.
    return bool(refundable_returns().filter(pk__in=requests.values("pk")).update(refund=refund))


def unlink(refund: Refund) -> None:
    """The refund was refused: its return waits for another one."""
    CustomerRequest.objects.filter(refund=refund, kind=Kind.RETURN).update(refund=None)


def complete(refund: Refund) -> None:
    """Complete the return of a refund that was made, or those that it covers. The caller has locked the order."""
    if refund.replaces_id:
        return  # Its units were refunded before, and have completed their return then.
    own = CustomerRequest.objects.filter(refund=refund, kind=Kind.RETURN).first()
    left = {part.line_id: part.quantity for part in refund.lines.all()}
    # Units of an older refund were taken off before the customer asked, so they are others.
    others = refundable_returns().filter(order=refund.order_id, created_at__lte=refund.created_at)
    found = [own] if own else []
    found += others.order_by("decided_at", "pk").prefetch_related("lines__line")
    # Units of a refund that Stripe has not confirmed are off their lines, and come back to them if it is refused.
    is_certain = not Refund.objects.filter(order=refund.order_id, state=Refund.State.REQUESTED).exists()
    # A refund belongs to one request.
    is_taken = refund.is_of_cancellation
    for request in found:
        parts = list(request.lines.all())
        is_covered = all(part.quantity <= left.get(part.line_id, 0) for part in parts)
        are_gone = is_certain and not any(part.line.quantity_to_send for part in parts)
        if request == own or is_covered or are_gone:
            for part in parts:
                left[part.line_id] = max(0, left.get(part.line_id, 0) - part.quantity)
            request.refund, is_taken = None if is_taken else refund, True
            _finish(request)


def complete_all(order_id: UUID) -> None:
    """Complete the returns of an order of which nothing is left to refund."""
    in_progress().filter(order=order_id).update(state=State.RETURNED, closed_at=timezone.now())


def _finish(request: CustomerRequest) -> None:
    request.state, request.closed_at = State.RETURNED, timezone.now()
    request.save(update_fields=["state", "refund", "closed_at"])


def close(request: CustomerRequest, *, answer: str, actor: str, now: datetime) -> bool:
    """Close a return of which nothing has arrived. False if it is over, or Stripe has not confirmed its refund yet."""
    open_returns = refundable_returns().filter(pk=request.pk)
    return bool(
        open_returns.update(state=State.CLOSED, closing_answer=answer, closed_by=actor, closed_at=now)
    )
