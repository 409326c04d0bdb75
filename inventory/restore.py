"""What if Stripe knows more than our database? Then Stripe's counts are right, and a person hears of the gap.

A database restored from a backup shows by the mark, or by the event of a write that we have no row of: they are
ahead of us. Where Stripe has forgotten events that we have not read, a gap, nothing explains a difference any more,
and Stripe is believed too; but then nothing that was sold is lost, and every sale is counted as always.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.moments import in_local_time
from inventory import cases, writes
from inventory.metadata import Reading, Whose
from inventory.models import Movement, ProductStock, StockItem, StockWrite

WHEN_RESTORED = _(
    "On %(when)s Stripe knew more than this shop's database, as after a restored backup. Stripe's counts were "
    "taken. Say “manage.py backfill_events --since” with the day of the backup: what was sold and edited in "
    "between is then listed here. Please compare it with the shelf."
)
WHEN_FORGOTTEN = _(
    "On %(when)s Stripe's events had not been read for so long that it has forgotten some. Its counts were "
    "taken as they are, and what was sold meanwhile is taken off. Please compare with the shelf."
)
BELIEVED = ["on_hand", "began_at", "began_with", "garbled", "garbled_by", "garbled_over", "garbled_since"]


def is_due(stock: ProductStock, mark: Whose) -> bool:
    """Is Stripe ahead of us? A gap is bridged only while no write is on its way."""
    return _is_ahead(stock, mark) or (stock.gap and writes.open_write(stock.pk) is None)


def _is_ahead(stock: ProductStock, mark: Whose) -> bool:
    """Has a database of this shop written more than this one remembers? The mark says so, or the event of such a write."""
    return max(mark.n or 0, stock.lost_n) > stock.n


def adopt(
    stock: ProductStock,
    pairs: Sequence[tuple[StockItem, Reading]],
    mark: Whose,
    read_at: datetime,
    updated_at: datetime | None,
) -> None:
    """Take Stripe's counts for ours, in the caller's transaction; `stock` and the items are locked, and saved by it.

    If the mark is ahead, what our database thinks pending was published by the database that was lost, and what
    was paid up to now may be in Stripe's counts: the fence moves here.
    """
    restored = _is_ahead(stock, mark)
    published = _count_as_published(stock, pairs, read_at) if restored else []
    lines = [*_told_published(published), *_told_differences(pairs)]
    for item, reading in pairs:
        if item.on_hand is not None:
            believe(item, reading, read_at, updated_at)
    stock.n, stock.gap = max(stock.n, mark.n or 0, stock.lost_n), False
    state = {item.key: reading.count for item, reading in pairs}
    writes.remember_state(stock.pk, stock.n, state, by_write=True)
    if restored:
        stock.fence, stock.adopted = read_at, True
    kind, sentence = (cases.RESTORED, WHEN_RESTORED) if restored else (cases.FORGOTTEN, WHEN_FORGOTTEN)
    cases.open_case(
        kind, stock.pk, "\n".join([cases.in_words(sentence, when=in_local_time(read_at)), *lines])
    )


def postpone(stock: ProductStock, mark: Whose) -> None:
    """The reading is too old to take counts from: until the next one, nothing is written over what stands there."""
    stock.lost_n = max(stock.lost_n, mark.n or 0)


def _count_as_published(
    stock: ProductStock, pairs: Sequence[tuple[StockItem, Reading]], now: datetime
) -> list[Movement]:
    StockWrite.objects.filter(product=stock.pk, state=StockWrite.State.OPEN).update(
        state=StockWrite.State.ABANDONED, finished_at=now
    )
    begun = [item for item, _reading in pairs if item.on_hand is not None]
    waiting = Movement.objects.filter(item__in=begun, published_at=None)
    listed = list(waiting.select_related("item"))
    waiting.update(published_at=now)
    for item in begun:
        item.on_hand = (item.on_hand or 0) + item.pending
        item.pending = 0
        item.save(update_fields=["on_hand", "pending"])
    return listed


def believe(item: StockItem, reading: Reading, read_at: datetime, updated_at: datetime | None) -> None:
    """Stripe's count from here on; an unreadable one is measured from what we had when somebody mends it."""
    on_hand = item.on_hand or 0
    item.began_at, item.began_with = updated_at, reading.count
    readable = reading.count is not None
    item.garbled, item.garbled_by, item.garbled_over = (0, 0, False) if readable else (1, -on_hand, False)
    item.garbled_since = None if readable else read_at
    if reading.count is not None and reading.count != on_hand:
        Movement.objects.create(
            item=item,
            kind=Movement.Kind.ADOPTED,
            delta=reading.count - on_hand,
            reference=f"adopted:{item.product_id}:{read_at.isoformat()}",
            reason=f"Stripe showed {reading.count}, the ledger said {on_hand}.",
            actor="Stripe",
            published_at=timezone.now(),
        )
        item.on_hand = reading.count
    item.save(update_fields=BELIEVED)


def _told_published(movements: Sequence[Movement]) -> Iterator[str]:
    line = _("Taken for published: %(movement)s %(key)s (%(reference)s).")
    for each in movements:
        yield cases.in_words(line, movement=each, key=each.item.key, reference=each.reference)


def _told_differences(pairs: Sequence[tuple[StockItem, Reading]]) -> Iterator[str]:
    """Below 0 the ledger says how many were sold that were not there; nothing else remembers it."""
    line = _("%(key)s: the ledger said %(ledger)d, Stripe showed %(count)d.")
    for item, reading in pairs:
        if item.on_hand is not None and reading.count not in (None, item.on_hand):
            yield cases.in_words(line, key=item.key, ledger=item.on_hand, count=reading.count)
