"""Refund an order through Stripe, whole or by line, from the owner's page.

A refund is saved with its lines before Stripe is asked, under an idempotency key that is derived from its row. If the
answer is lost, or this process dies in between, the worker looks the refund up at Stripe and otherwise sends the identical
request with the same key, so the customer is refunded once. Units go back to stock in the transaction that records Stripe's
answer.

An order that cost nothing has no payment at Stripe. Its refund has no amount, and is saved and finished in one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from checkout import gateway
from checkout.models import CustomerRequest, Order, OrderLine, Refund, RefundLine
from checkout.orders import customer_returns, mails
from checkout.orders.fulfillment import mark_refunded_if_full
from checkout.stripe_objects import MadeRefund
from config.fault_points import fault_point
from config.stripe_client import (
    AuthenticationFailed,
    IdempotencyConflict,
    InvalidRequest,
    NotConfigured,
    PermissionDenied,
    ServerError,
    StripeCallError,
)
from inventory import issues
from inventory.leases import is_due
from inventory.models import Issue
from inventory.stock import ledger, oversold
from shop.money import format_money

logger = logging.getLogger(__name__)

State = Refund.State
BATCH_SIZE = 20
DELAYS = timedelta(seconds=30), timedelta(minutes=10)  # between two requests, first and longest
# Stripe repeats a stored error as long as it keeps the key. When it lists no refund for this long, there is none.
ERROR_IS_FINAL_AFTER = timedelta(hours=1)
MAX_COUNTED = 100

NOT_MADE = gettext_noop("The refund of %(amount)s was not made: %(error)s Nothing was returned to stock.")
NOT_RETURNED = gettext_noop("%(quantity)d × %(line)s were refunded, but not returned to stock: %(error)s")
FAILED = gettext_noop(
    "The refund of %(amount)s did not reach the customer; the money is yours again. Stock is unchanged. Open the order: "
    "refund again, or keep the sale."
)


class RefundRefused(ValueError):
    """The refund cannot be requested. The message says why. Nothing was saved."""


@dataclass(frozen=True)
class RefundedUnits:
    """Units of one line to refund. `restock`: they are for sale again once Stripe has accepted the refund."""

    line_id: int
    quantity: int
    restock: bool


def refundable(order: Order) -> int:
    """What is left of the payment, in the minor unit. Refunds that Stripe has not confirmed yet are taken off."""
    waiting = Refund.objects.filter(order=order, state=State.REQUESTED).aggregate(amount=Sum("amount"))
    return max(0, (order.total or 0) - order.refunded - (waiting["amount"] or 0))


def suggested_amount(
    order: Order, units: Iterable[tuple[OrderLine, int]], *, with_shipping: bool
) -> int | None:
    """What the customer paid for the units, discount and tax included, in the minor unit; None if a price is unknown.

    Everything that is left, shipping included, is what is left of the payment to the cent.
    """
    chosen, left = dict(units), refundable(order)
    if with_shipping and all(chosen.get(line) == line.quantity_to_send for line in order.lines.all()):
        return left
    amount = order.shipping or 0 if with_shipping else 0
    paid_for_goods = (order.total or 0) - (order.shipping or 0)
    for line, quantity in chosen.items():
        is_foreign = line.currency not in ("", order.currency)
        if line.unit_amount is None or is_foreign or not order.subtotal:
            return None
        gross = line.unit_amount * quantity
        amount += (2 * gross * paid_for_goods + order.subtotal) // (2 * order.subtotal)
    return min(amount, left)


def request_refund(
    order_id: UUID,
    units: Sequence[RefundedUnits],
    *,
    amount: int,
    token: str,
    reason: str = "",
    note: str = "",
    actor: str,
    customer_return: int | None = None,
) -> Refund:
    """Save the refund and ask Stripe for it. `token` makes this idempotent: a second click returns the first's refund.

    `customer_return`: id of the CustomerRequest that the refund completes.
    The refund's state says what is known: accepted, refused, or still requested if Stripe has not answered.
    Raises RefundRefused.
    """
    refund = save_refund(
        order_id,
        units,
        amount=amount,
        token=token,
        reason=reason,
        note=note,
        actor=actor,
        now=timezone.now(),
        customer_return=customer_return,
    )
    fault_point("refund.saved")
    return send_refund(refund, now=timezone.now(), report=False)


def _check_amount(order: Order, amount: int, units: Sequence[RefundedUnits]) -> None:
    left = refundable(order)
    if order.is_free and not amount:
        if order.state != Order.State.PAID or not units:
            raise RefundRefused(_("Nothing was paid, and no units of this order are left to cancel."))
        return
    if not order.payment_intent_id:
        raise RefundRefused(_("Stripe has no payment for this order, so there is nothing to refund."))
    if amount < 1:
        raise RefundRefused(_("There is no amount to refund."))
    if amount > left:
        text = _("Only %(left)s of the payment is left to refund.")
        raise RefundRefused(text % {"left": format_money(left, order.currency)})


def save_refund(
    order_id: UUID,
    units: Sequence[RefundedUnits],
    *,
    amount: int,
    token: str,
    reason: str,
    note: str,
    actor: str,
    now: datetime,
    replaces: Refund | None = None,
    customer_return: int | None = None,
) -> Refund:
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        known = Refund.objects.filter(token=token).first()
        if known:
            return known
        _check_amount(order, amount, units)
        refund = Refund.objects.create(
            order=order,
            token=token,
            amount=amount,
            # Never shown to the worker as requested: Stripe has no payment to look for it.
            state=State.REQUESTED if amount else State.ACCEPTED,
            finished_at=None if amount else now,
            reason=reason,
            note=note,
            requested_by=actor,
            created_at=now,
            next_attempt_at=now,
            replaces=replaces,
        )
        _take_units(refund, units)
        if customer_return is not None and not customer_returns.link(customer_return, refund):
            raise RefundRefused(_("This return is over already, or Stripe has not confirmed its refund yet."))
        if not amount:
            _finish(refund, order, whole=0)
            if not refund.is_of_cancellation:  # Accepting a request has a mail of its own.
                mails.tell_free_order_canceled(refund)
    return refund


def _take_units(refund: Refund, units: Sequence[RefundedUnits]) -> None:
    """Take the units off their lines: of two refunds at once, one takes them. Raises RefundRefused for the other."""
    lines = [
        RefundLine(refund=refund, line_id=unit.line_id, quantity=unit.quantity, restock=unit.restock)
        for unit in sorted(units, key=lambda unit: unit.line_id)
    ]
    order_lines = OrderLine.objects.filter(order=refund.order_id)
    # The lines of a failed refund count as refunded until the owner decides, so its successor takes no more.
    for line in lines if refund.replaces_id is None else []:
        enough = order_lines.filter(pk=line.line_id, quantity__gte=F("quantity_refunded") + line.quantity)
        if not enough.update(quantity_refunded=F("quantity_refunded") + line.quantity):
            raise RefundRefused(_("Not as many units are left to refund: another refund was made."))
    RefundLine.objects.bulk_create(lines)
    # What is in the parcel has changed.
    if lines:
        Order.objects.packed().filter(pk=refund.order_id).update(packed_at=None, packed_by="")


def send_refund(refund: Refund, *, now: datetime, report: bool = True) -> Refund:
    """Ask Stripe for the refund, unless another process is doing that. Returns the refund as it is afterwards.

    `report`: open an issue if it is refused. Not needed where the owner sees the answer on the page.
    """
    failures = refund.attempts
    delay = min(DELAYS[0] * 2 ** min(failures, 10), DELAYS[1])
    claimed = Refund.objects.filter(is_due("next_attempt_at", now), pk=refund.pk, attempts=failures).filter(
        state=State.REQUESTED
    )
    if claimed.update(attempts=min(failures + 1, MAX_COUNTED), next_attempt_at=now + delay):
        fault_point("refund.claimed")
        try:
            # After a lost answer it is looked for first: Stripe forgets a key after a day, and stores an error under it
            # although the refund was made.
            payment = refund.order.payment_intent_id
            made = gateway.find_refund(payment, str(refund.pk)) if failures else None
            made = made or gateway.create_refund(
                payment,
                amount=refund.amount,
                reason=refund.reason,
                metadata={"order": str(refund.order_id), "refund": str(refund.pk)},
                key=refund.idempotency_key,
            )
        except StripeCallError as exc:
            _record_failure(refund, exc, is_first=failures == 0, now=now, report=report)
        else:
            fault_point("refund.answered")
            accept(refund, made)
    refund.refresh_from_db()
    return refund


def _record_failure(
    refund: Refund, exc: StripeCallError, *, is_first: bool, now: datetime, report: bool
) -> None:
    # Refuse the refund if it is certain that Stripe has not made it. Otherwise it is asked for again.
    logger.warning("Refund %s of order %s: %s", refund.pk, refund.order.number, exc)
    if isinstance(exc, InvalidRequest) and not isinstance(exc, IdempotencyConflict):
        is_certain = True  # Stripe would have repeated the answer of a request that succeeded.
    elif isinstance(exc, (IdempotencyConflict, AuthenticationFailed, PermissionDenied, NotConfigured)):
        is_certain = is_first  # A wrong key says nothing about an earlier request.
    else:
        is_certain = isinstance(exc, ServerError) and now - refund.created_at > ERROR_IS_FINAL_AFTER
    if not is_certain:
        Refund.objects.filter(pk=refund.pk, state=State.REQUESTED).update(error=str(exc)[:500])
        return
    with transaction.atomic():
        if not _transition(refund, State.REFUSED, error=str(exc)[:500]):
            return
        if refund.replaces_id:
            Refund.objects.filter(pk=refund.replaces_id).update(decided_at=None)  # The owner is asked again.
        else:
            _give_lines_back(refund)
        customer_returns.unlink(refund)
        if report:
            amount = format_money(refund.amount, refund.order.currency)
            issues.open_issue(
                Issue.Kind.REFUND_FAILED, refund.order.number, NOT_MADE, amount=amount, error=exc
            )


def accept(refund: Refund, made: MadeRefund) -> None:
    """Record Stripe's answer and return units to stock. Idempotent."""
    order = refund.order
    with transaction.atomic():
        # Before the items, as a payment locks them.
        locked = Order.objects.select_for_update().get(pk=order.pk)
        if not _transition(refund, State.ACCEPTED, stripe_id=made.id, error=""):
            return
        if made.total is not None:
            # Refunds made at Stripe may be among them; their own event asks about the goods.
            Order.objects.filter(pk=order.pk, refunded__lt=made.total).update(refunded=made.total)
        _finish(refund, locked, whole=made.whole or order.total)
        mails.tell_refunded(refund)
    logger.info("Refund %s of order %s is accepted: %s", refund.pk, order.number, made.id)
    if made.has_failed:
        mark_failed(made.id)


def _finish(refund: Refund, order: Order, *, whole: int | None) -> None:
    customer_returns.complete(refund)
    mark_refunded_if_full(order.pk, whole=whole)
    _return_units(refund, order)


def _return_units(refund: Refund, order: Order) -> None:
    # In the order of the items' primary keys, as every ledger operation locks them.
    for part in refund.lines.select_related("line").order_by("line__item_id"):
        restocked = _restock(refund, part) if part.restock else 0
        if part.line.item_id and order.sent_at is None:
            # Oversold units never were on the shelf, so they are not for sale again.
            oversold.settle_refund(
                part.line.item_id,
                part.quantity,
                restocked=restocked,
                token=f"refund:{refund.pk}:{part.line_id}",
                actor=refund.requested_by,
            )


def _restock(refund: Refund, part: RefundLine) -> int:
    try:
        return ledger.restock(
            part.line.reference,
            part.quantity,
            reference=f"refund:{refund.pk}",
            reason=refund.note or "refunded",
            actor=refund.requested_by,
        )
    except ValueError as exc:
        # The customer has the money already, so the refund stands.
        issues.open_issue(
            Issue.Kind.REFUND_TO_REVIEW,
            refund.order.number,
            NOT_RETURNED,
            quantity=part.quantity,
            line=part.line,
            error=exc,
        )
        return 0


# --- Without an answer, and failed refunds ----------------------------------------------------


def unconfirmed() -> QuerySet[Refund]:
    return Refund.objects.filter(state=State.REQUESTED)


def send_waiting_refunds(now: datetime) -> int:
    """Worker task: ask again for refunds whose answer was lost. Returns how many are decided now."""
    waiting = unconfirmed().filter(is_due("next_attempt_at", now))
    refunds = waiting.select_related("order").order_by("next_attempt_at")[:BATCH_SIZE]
    return sum(send_refund(refund, now=now).state != State.REQUESTED for refund in list(refunds))


def find_made_refunds(order: Order) -> None:
    """Record those of the order's unconfirmed refunds that Stripe has made. Raises StripeCallError."""
    for refund in unconfirmed().filter(order=order).select_related("order"):
        made = gateway.find_refund(order.payment_intent_id, str(refund.pk))
        if made:
            accept(refund, made)


def mark_failed(stripe_id: str) -> bool:
    """Record that an accepted refund failed. Nothing is reversed: an issue asks the owner. False if it is none of ours."""
    refund = Refund.objects.filter(stripe_id=stripe_id).select_related("order").first()
    if refund is None:
        return False
    order = refund.order
    with transaction.atomic():
        Order.objects.select_for_update().get(pk=order.pk)
        failed = Refund.objects.filter(pk=refund.pk, state=State.ACCEPTED).update(state=State.FAILED)
        if failed:
            amount = format_money(refund.amount, order.currency)
            issues.open_issue(Issue.Kind.REFUND_FAILED, order.number, FAILED, amount=amount)
            mails.take_back_refunded(refund)
    return True


def refund_again(failed: Refund, *, actor: str) -> Refund:
    """Repeat a failed refund: the same amount and lines under a new key. Raises RefundRefused if that is decided."""
    units = [RefundedUnits(part.line_id, part.quantity, restock=False) for part in failed.lines.all()]
    with transaction.atomic():
        _decide(failed)
        refund = save_refund(
            failed.order_id,
            units,
            amount=failed.amount,
            token=f"again:{failed.pk}:{timezone.now().timestamp()}",
            reason=failed.reason,
            note=failed.note,
            actor=actor,
            now=timezone.now(),
            replaces=failed,
        )
    return send_refund(refund, now=timezone.now(), report=False)


def keep_sale(failed: Refund, *, actor: str) -> bool:
    """The customer keeps the goods: the lines of a failed refund count as sold again. Raises RefundRefused if decided.

    Returns whether the order was canceled by this refund, which is undone then.
    """
    with transaction.atomic():
        # Before its request, which the worker may be settling.
        Order.objects.select_for_update().get(pk=failed.order_id)
        _decide(failed)
        _give_lines_back(failed)
        return _undo_cancellation(failed, actor=actor)


def _undo_cancellation(failed: Refund, *, actor: str) -> bool:
    made_first = failed
    while made_first.replaces:
        made_first = made_first.replaces
    request = mails.cancellation_of(made_first)
    if request is None or request.state != CustomerRequest.State.ACCEPTED:
        return False
    # The answer was that to an order that is canceled.
    request.state, request.answer, request.is_settled = CustomerRequest.State.DECLINED, "", True
    request.decided_at, request.decided_by = timezone.now(), actor
    request.save(update_fields=["state", "answer", "is_settled", "decided_at", "decided_by"])
    mails.take_back_canceled(request)
    return True


def _decide(failed: Refund) -> None:
    undecided = Refund.objects.filter(pk=failed.pk, state=State.FAILED, decided_at=None)
    if not undecided.update(decided_at=timezone.now()):
        raise RefundRefused(_("This was decided before."))


def _give_lines_back(refund: Refund) -> None:
    for part in refund.lines.order_by("line_id"):
        OrderLine.objects.filter(pk=part.line_id).update(
            quantity_refunded=F("quantity_refunded") - part.quantity
        )


def _transition(refund: Refund, to: str, **fields: object) -> bool:
    waiting = Refund.objects.filter(pk=refund.pk, state=State.REQUESTED)
    return bool(waiting.update(state=to, finished_at=timezone.now(), **fields))
