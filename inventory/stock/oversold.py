"""Units that were sold beyond the stock: refunded, sent from the next delivery, or ignored with a reason.

The publisher records such units as a movement *oversold* of +n, because a count at Stripe is never below 0. So these units
never were on the shelf: if their order is refunded, they do not go back to stock, and if they are to be sent, the next
delivery is smaller by them.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory import issues
from inventory.models import Issue, Movement, OversoldDecision, StockItem
from inventory.stock import ledger

Kind = OversoldDecision.Kind


class NothingOversold(ValueError):
    """As many units are not open for a decision. The message says how many are."""


def undecided(item_id: int) -> int:
    movements = Movement.objects.filter(item=item_id, kind=Movement.Kind.OVERSOLD, delta__gt=0)
    oversold = movements.aggregate(units=Sum("delta"))["units"] or 0
    decided = OversoldDecision.objects.filter(item=item_id).aggregate(units=Sum("units"))["units"] or 0
    return max(0, oversold - decided)


def owed(item_id: int) -> int:
    return OversoldDecision.objects.filter(item=item_id).aggregate(units=Sum("owed"))["units"] or 0


def owed_by_item() -> dict[int, int]:
    """Item id to the units that its next delivery has to cover."""
    owing = OversoldDecision.objects.filter(owed__gt=0).order_by()
    return dict(owing.values_list("item").annotate(units=Sum("owed")))


def covered_text(reference: str) -> str:
    """A sentence about the units of the delivery `reference` that oversold orders took, "" if they took none."""
    taken = Movement.objects.filter(kind=Movement.Kind.OVERSOLD, reference=reference, delta__lt=0)
    units = -(taken.aggregate(units=Sum("delta"))["units"] or 0)
    text = ngettext(
        "%(n)d unit of the delivery is for an oversold order and does not add to the stock.",
        "%(n)d units of the delivery are for oversold orders and do not add to the stock.",
        units,
    )
    return text % {"n": units} if units else ""


def settled_by_refund(units: Iterable[tuple[int | None, int]]) -> list[int]:
    """How many of these refunded units, given by item id, will not go back to stock, because they never were there.

    For units that were not sent. Says what `settle_refund` would do now.
    """
    left: dict[int, int] = {}
    settled = []
    for item_id, quantity in units:
        if item_id is not None and item_id not in left:
            item = StockItem.objects.get(pk=item_id)
            # Until the publisher has recorded what is oversold, the stock itself is negative.
            missing = max(0, -((item.on_hand or 0) + item.pending))
            left[item_id] = undecided(item_id) + owed(item_id) + missing
        settled.append(min(quantity, left[item_id]) if item_id is not None else 0)
        if item_id is not None:
            left[item_id] -= settled[-1]
    return settled


def send_from_next_delivery(item: StockItem, units: int, *, token: str, actor: str) -> bool:
    """Take `units` off the next delivery. False if `token` was decided before. Raises NothingOversold."""
    return _decide(item, Kind.NEXT_DELIVERY, units, token=token, actor=actor, owed=units)


def ignore(item: StockItem, units: int, *, reason: str, token: str, actor: str) -> bool:
    """False if `token` was decided before. Raises NothingOversold."""
    return _decide(item, Kind.IGNORED, units, token=token, actor=actor, reason=reason)


def settle_refund(item_id: int, units: int, *, restocked: int, token: str, actor: str) -> int:
    """Let refunded units that were not sent settle what is oversold. Returns how many did. Idempotent by `token`.

    `restocked`: how many of them were returned to stock in this transaction; those that settle are taken off again.
    """
    with transaction.atomic():
        item = StockItem.objects.select_for_update(of=("self",)).get(pk=item_id)
        if OversoldDecision.objects.filter(token=token).exists():
            return 0
        settled = min(units, undecided(item_id))
        if settled:
            _decide(item, Kind.REFUNDED, settled, token=token, actor=actor)
        # The rest may be units that were promised from the next delivery.
        for decision in OversoldDecision.objects.filter(item=item_id, owed__gt=0).order_by("-id"):
            released = min(decision.owed, units - settled)
            OversoldDecision.objects.filter(pk=decision.pk).update(owed=F("owed") - released)
            settled += released
        back = min(settled, restocked)
        if back:
            reason = "refunded units that were oversold"
            ledger.record_oversold(item_id, -back, reference=token, reason=reason, actor=actor)
    return settled


def _decide(
    item: StockItem, kind: str, units: int, *, token: str, actor: str, reason: str = "", owed: int = 0
) -> bool:
    with transaction.atomic():
        locked = StockItem.objects.select_for_update(of=("self",)).get(pk=item.pk)
        if OversoldDecision.objects.filter(token=token).exists():
            return False
        left = undecided(item.pk)
        if not 0 < units <= left:
            raise NothingOversold(_("%(left)d oversold units wait for a decision.") % {"left": left})
        OversoldDecision.objects.create(
            item=item, kind=kind, units=units, owed=owed, token=token, reason=reason, actor=actor
        )
        if units == left:
            issues.close(Issue.Kind.OVERSOLD, f"{locked.product_id} {locked.key}")
    return True
