"""Accept Stripe's counts where Stripe is ahead of our database, and open an issue that lists the differences.

A restored backup is detected by a version tag, or by the event of an update without a local row, that is ahead of
our own number. After an event gap, when Stripe no longer lists events that were never read, differences cannot be
explained, and Stripe's counts are accepted too. No sale is lost then, and every sale is counted as usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.dates import format_local
from inventory import issues
from inventory.models import Issue, Movement, ProductSync, StockItem, StockUpdate
from inventory.stock.metadata import ParsedCount, VersionOwner
from inventory.stripe_sync import updates

AFTER_RESTORE = _(
    "On %(when)s Stripe was ahead of this shop's database, as after restoring a backup. Stripe's counts were "
    "accepted. Run “manage.py backfill_events --since” with the day of the backup: sales and edits made in between "
    "are then listed here. Please compare the counts with the shelf."
)
AFTER_EVENT_GAP = _(
    "On %(when)s Stripe's events had not been read for so long that some are no longer available. Stripe's counts "
    "were accepted as they are, and sales made in the meantime are subtracted. Please compare the counts with the "
    "shelf."
)
ADOPTED_FIELDS = [
    "on_hand",
    "opened_at",
    "opened_count",
    "invalid_edits",
    "invalid_units",
    "invalid_overwritten",
    "invalid_since",
]


def needs_recovery(sync: ProductSync, tag: VersionOwner) -> bool:
    """Whether Stripe is ahead of us, or an event gap can be closed. A gap waits until no update is open."""
    return _is_ahead(sync, tag) or (sync.event_gap and updates.open_update(sync.pk) is None)


def _is_ahead(sync: ProductSync, tag: VersionOwner) -> bool:
    # Whether a database of this shop sent updates that this one has no rows of, by version tag or by event.
    return max(tag.number or 0, sync.highest_seen_number) > sync.number


def adopt(
    sync: ProductSync,
    pairs: Sequence[tuple[StockItem, ParsedCount]],
    tag: VersionOwner,
    fetched_at: datetime,
    updated_at: datetime | None,
) -> None:
    """Accept Stripe's counts, in the caller's transaction, which has locked `sync` and the items and saves them.

    If the version tag is ahead, the lost database had published what is pending here, and payments up to now may be
    in Stripe's counts, so the sales cutoff moves to `fetched_at`.
    """
    restored = _is_ahead(sync, tag)
    lines = []
    if restored:
        line = _("Treated as published: %(movement)s %(key)s (%(reference)s).")
        for movement in _count_as_published(sync, pairs, fetched_at):
            facts = {"movement": movement, "key": movement.item.key, "reference": movement.reference}
            lines.append(issues.translate(line, **facts))
    for item, reading in pairs:
        if item.on_hand is None:
            continue
        if reading.count not in (None, item.on_hand):
            # A ledger below 0 is the number of units sold beyond the stock, which is recorded nowhere else.
            line = _("%(key)s: the ledger had %(ledger)d, Stripe showed %(count)d.")
            facts = {"key": item.key, "ledger": item.on_hand, "count": reading.count}
            lines.append(issues.translate(line, **facts))
        accept_remote_count(item, reading, fetched_at, updated_at)
    sync.number, sync.event_gap = max(sync.number, tag.number or 0, sync.highest_seen_number), False
    counts = {item.key: reading.count for item, reading in pairs}
    updates.record_snapshot(sync.pk, sync.number, counts, from_update=True)
    kind, sentence = Issue.Kind.EVENT_GAP, AFTER_EVENT_GAP
    if restored:
        sync.sales_cutoff, sync.cutoff_from_restore = fetched_at, True
        kind, sentence = Issue.Kind.RESTORED_DATABASE, AFTER_RESTORE
    summary = issues.translate(sentence, when=format_local(fetched_at))
    issues.open_issue(kind, sync.pk, "\n".join([summary, *lines]))


def defer(sync: ProductSync, tag: VersionOwner) -> None:
    # The reading is too old to accept counts from. Until the next one, no update may overwrite Stripe's counts.
    sync.highest_seen_number = max(sync.highest_seen_number, tag.number or 0)


def _count_as_published(
    sync: ProductSync, pairs: Sequence[tuple[StockItem, ParsedCount]], now: datetime
) -> list[Movement]:
    StockUpdate.objects.filter(product=sync.pk, state=StockUpdate.State.OPEN).update(
        state=StockUpdate.State.ABANDONED, finished_at=now
    )
    items = [item for item, _reading in pairs if item.on_hand is not None]
    pending = Movement.objects.filter(item__in=items, published_at=None)
    movements = list(pending.select_related("item"))
    pending.update(published_at=now)
    for item in items:
        item.on_hand = (item.on_hand or 0) + item.pending
        item.pending = 0
        item.save(update_fields=["on_hand", "pending"])
    return movements


def accept_remote_count(
    item: StockItem, reading: ParsedCount, fetched_at: datetime, updated_at: datetime | None
) -> None:
    # Continue the ledger with Stripe's count. An invalid count will be measured from ours once it is corrected.
    on_hand = item.on_hand or 0
    item.opened_at, item.opened_count = updated_at, reading.count
    readable = reading.count is not None
    item.invalid_edits, item.invalid_units, item.invalid_overwritten = (
        (0, 0, False) if readable else (1, -on_hand, False)
    )
    item.invalid_since = None if readable else fetched_at
    if reading.count is not None and reading.count != on_hand:
        Movement.objects.create(
            item=item,
            kind=Movement.Kind.ADOPTED,
            delta=reading.count - on_hand,
            reference=f"adopted:{item.product_id}:{fetched_at.isoformat()}",
            reason=f"Stripe showed {reading.count}, the ledger had {on_hand}.",
            actor="Stripe",
            published_at=timezone.now(),
        )
        item.on_hand = reading.count
    item.save(update_fields=ADOPTED_FIELDS)
