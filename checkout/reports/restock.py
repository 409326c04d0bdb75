"""How many wait for which size to be back, and what became of those who asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q

from checkout.models import RestockSignup
from inventory.models import StockItem

State = RestockSignup.State
ENDED = (State.REFUSED, State.UNSUBSCRIBED, State.GONE, State.EXPIRED)
MAX_SIZES = 1000


@dataclass(frozen=True)
class WaitingForSize:
    """Numbers of sign-ups. `last_wave`: when mails were queued last."""

    item: StockItem
    waiting: int
    unconfirmed: int
    mailed: int
    ended: int
    last_wave: datetime | None


def waiting_by_size() -> Sequence[WaitingForSize]:
    counted = (
        RestockSignup.objects.order_by()
        .values("item")
        .annotate(
            waiting=Count("pk", filter=Q(state=State.WAITING)),
            unconfirmed=Count("pk", filter=Q(state=State.UNCONFIRMED)),
            mailed=Count("pk", filter=Q(state__in=[State.MAILING, State.MAILED])),
            ended=Count("pk", filter=Q(state__in=ENDED)),
            last_wave=Max("wave__created_at"),
        )
        .order_by("-waiting", "-mailed", "item")[:MAX_SIZES]
    )
    rows = list(counted)
    items = StockItem.objects.select_related("product").in_bulk([row["item"] for row in rows])
    return [
        WaitingForSize(
            items[row["item"]],
            row["waiting"],
            row["unconfirmed"],
            row["mailed"],
            row["ended"],
            row["last_wave"],
        )
        for row in rows
    ]
