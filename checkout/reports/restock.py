"""How many wait for which size to be back, and what became of those who asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, IntegerField, Max, OuterRef, Q, Subquery

from checkout.models import RestockSignup
from inventory.models import StockItem

State = RestockSignup.State
ENDED = (State.REFUSED, State.UNSUBSCRIBED, State.GONE, State.EXPIRED)
MAX_SIZES = 1000
MAX_SHOWN = 6  # sizes named on the admin's first page
COUNTED_UP_TO = 100  # of each size; beyond that a number ends in a plus


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


@dataclass(frozen=True)
class MostWanted:
    """A size with the number of confirmed sign-ups that wait for it, counted up to one more than COUNTED_UP_TO."""

    item: StockItem
    number: int

    @property
    def waiting(self) -> str:
        return f"{COUNTED_UP_TO}+" if self.number > COUNTED_UP_TO else str(self.number)


@dataclass(frozen=True)
class WaitingCustomers:
    """`sizes`: those that the most customers wait for. `count`: of all sizes together."""

    sizes: Sequence[MostWanted]
    count: str


class _CountOf(Subquery):
    # Django's Count would add up all rows before a limit.
    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def waiting_customers() -> WaitingCustomers:
    """One query, whose cost grows with the sizes of the catalog and not with the customers: each is counted up to a limit."""
    # The order is that of the index of those who wait. Without it, PostgreSQL also reads the sign-ups that are over.
    waiting = RestockSignup.objects.filter(item=OuterRef("pk"), state=State.WAITING).order_by("pk")
    items = StockItem.objects.annotate(waiting=_CountOf(waiting.values("pk")[: COUNTED_UP_TO + 1]))
    wanted = items.filter(waiting__gt=0).select_related("product").order_by("-waiting", "pk")
    found = list(wanted.only("size", "key", "product__name")[:MAX_SIZES])
    sizes = [MostWanted(item, item.waiting) for item in found]
    is_more = any(size.number > COUNTED_UP_TO for size in sizes)
    total = sum(min(size.number, COUNTED_UP_TO) for size in sizes)
    return WaitingCustomers(sizes[:MAX_SHOWN], f"{total}+" if is_more else str(total))
