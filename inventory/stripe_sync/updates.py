"""Life cycle of a stock update: prepared, then applied or abandoned. One transaction each, no network."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from config.kept_queries import KeptQuery
from inventory import issues, leases
from inventory.db import update_rows
from inventory.leases import Lease
from inventory.locks import lock_sync
from inventory.models import (
    Installation,
    Issue,
    Movement,
    ProductSync,
    StockItem,
    StockUpdate,
    VersionSnapshot,
)
from inventory.stock import counts
from inventory.stock.metadata import VersionTag

logger = logging.getLogger(__name__)

Open, Applied, Abandoned = StockUpdate.State.OPEN, StockUpdate.State.APPLIED, StockUpdate.State.ABANDONED

_OPEN_UPDATE = KeptQuery(lambda product_id: StockUpdate.objects.filter(product=product_id, state=Open))
# Items whose count is invalid or not tracked are never overwritten, and their movements wait.
_READABLE_ITEMS = KeptQuery(
    lambda product_id: (
        StockItem.objects.filter(product=product_id, state=StockItem.State.COUNTED)
        .select_for_update()
        .order_by("pk")
    )
)
# In `apply_update`, which changes no key, so orders that refer to the items need not wait.
_ITEMS = KeptQuery(
    lambda product_id: (
        StockItem.objects.filter(product=product_id).select_for_update(no_key=True).order_by("pk")
    )
)
_UNPUBLISHED_UNITS = KeptQuery(
    lambda update_id: (
        Movement.objects.filter(stock_update=update_id, published_at=None)
        .order_by()
        .values_list("item")
        .annotate(units=Sum("delta"))
    )
)


def open_update(product_id: str) -> StockUpdate | None:
    return _OPEN_UPDATE.first(product_id)


# --- Prepare ----------------------------------------------------------------------------------


def prepare_update(lease: Lease) -> StockUpdate | None:
    """Collect pending movements in one update under the next version tag, and renew the lease.

    None if there is nothing to send now, or another worker has the lease.
    """
    shop = Installation.current()
    with transaction.atomic():
        sync = lock_sync(lease.product_id)
        if sync.lease_holder != lease.holder or sync.pause_reason or open_update(sync.pk):
            return None
        if sync.highest_seen_number > sync.number or sync.event_gap:
            # Our rows are from a backup, or too old: a refresh must accept Stripe's counts first.
            return None
        items = _READABLE_ITEMS.all(sync.pk)
        pending = Movement.objects.filter(item__in=items, published_at=None)
        # A sum of 0 may be that of several movements.
        is_pending = any(item.pending for item in items) or pending.exists()
        if not sync.needs_version_bump and not is_pending:
            return None
        tag = VersionTag(shop, sync.pk, sync.number + 1)
        totals = {item: counts.published_total(item.on_hand or 0, item.pending) for item in items}
        for item, total in totals.items():
            if total.shortfall or total.surplus:
                _correct(item, total, tag.number)
        update = _save_update(tag, {item.key: total.count for item, total in totals.items()})
        pending.update(stock_update=update)
        ProductSync.objects.filter(pk=sync.pk).update(
            number=tag.number,
            needs_version_bump=False,
            differs=False,
            lease_until=Now() + leases.LEASE_DURATION,
        )
        fault_point("prepare.created")
    fault_point("prepare.committed")
    return update


def _save_update(tag: VersionTag, totals: dict[str, int]) -> StockUpdate:
    now = timezone.now()
    update = StockUpdate.objects.create(
        product_id=tag.product,
        number=tag.number,
        idempotency_key=f"{tag}/{secrets.token_hex(8)}",
        totals=totals,
        created_at=now,
        sent_at=now,  # At once. A worker that dies before only shortens the time for which the key is trusted.
    )
    VersionSnapshot.objects.create(product_id=tag.product, number=tag.number, counts=totals, from_update=True)
    return update


def _correct(item: StockItem, total: counts.PublishedTotal, number: int) -> None:
    # What the count at Stripe cannot show, a shortfall or a surplus, becomes a movement of its own and opens an issue.
    subject = f"{item.product_id} {item.key}"
    if total.shortfall:
        kind = Movement.Kind.OVERSOLD
        reason = "More was sold than was in stock; a count at Stripe is never below 0."
        sentence = _("%(units)d of %(key)s were sold beyond the stock. Deliver them later, or refund them.")
        issues.open_issue(Issue.Kind.OVERSOLD, subject, sentence, units=total.shortfall, key=item.key)
    else:
        kind = Movement.Kind.ADJUSTED
        reason = "A count at Stripe has six digits at most."
        issues.open_issue(
            Issue.Kind.COUNT_TOO_LARGE,
            subject,
            _("%(units)d of %(key)s are in stock beyond %(most)d, the highest possible count."),
            units=total.surplus,
            key=item.key,
            most=counts.MAX_COUNT,
        )
    delta, reference = total.shortfall - total.surplus, f"write:{item.product_id}:{number}"
    Movement.objects.create(item=item, kind=kind, delta=delta, reference=reference, reason=reason)
    StockItem.objects.filter(pk=item.pk).update(pending=F("pending") + delta)


# --- Apply, abandon ---------------------------------------------------------------------------


def apply_update(update: StockUpdate, now: datetime, *, answered: datetime | None = None) -> bool:
    """Record that the update is at Stripe and publish its movements. False if that was recorded before.

    `answered`: when the request began, if this is its own answer and not a replay. It is as good as a refresh.
    """
    with transaction.atomic():
        sync = lock_sync(update.product_id)
        changed = StockUpdate.objects.filter(pk=update.pk, state=Open).update(state=Applied, finished_at=now)
        if not changed:
            return False
        fault_point("apply.changed")
        units = dict(_UNPUBLISHED_UNITS.all(update.pk))
        Movement.objects.filter(stock_update=update, published_at=None).update(published_at=now)
        items = _ITEMS.all(sync.pk)
        moved = [item for item in items if item.pk in units]
        for item in moved:
            item.on_hand = (item.on_hand or 0) + units[item.pk]
            item.pending -= units[item.pk]
        update_rows(moved, ["on_hand", "pending"])
        # An edit moved the ledger while the update was open: it is unknown which of the two Stripe applied last.
        on_hand = {item.key: item.on_hand for item in items}
        was_edited = any(on_hand.get(key) != count for key, count in update.totals.items())
        # A refresh compares nothing while an update is open, so another one must follow.
        was_refreshed = sync.refreshed_at is not None and sync.refreshed_at >= update.created_at
        own_row = ProductSync.objects.filter(pk=sync.pk)
        if was_edited or was_refreshed:
            own_row.request_refresh()
        if answered is not None:
            own_row.update(refreshed_at=answered)
    logger.info("Published to Stripe: %s update %d %s", update.product_id, update.number, update.totals)
    fault_point("apply.committed")
    return True


def abandon_update(update_id: int, now: datetime) -> None:
    """Give up an update without proof that it is at Stripe. Its movements go into the next one.

    If it was applied after all, the next total corrects the count, so a wrong guess does no harm.
    """
    with transaction.atomic():
        update = StockUpdate.objects.get(pk=update_id)
        lock_sync(update.product_id)
        update.refresh_from_db()
        if update.state != Open:
            return
        if update.event_seen:
            apply_update(update, now)
            return
        StockUpdate.objects.filter(pk=update_id).update(state=Abandoned, finished_at=now)
        Movement.objects.filter(stock_update=update, published_at=None).update(stock_update=None)
        ProductSync.objects.filter(pk=update.product_id).request_refresh(needs_version_bump=True)
    logger.warning("Abandoned: %s update %d", update.product_id, update.number)
    fault_point("abandon.committed")


# --- Counts under a version tag ---------------------------------------------------------------


def record_snapshot(
    product_id: str, number: int, counts: Mapping[str, int | None], *, from_update: bool
) -> None:
    """Store the counts that stood under version tag `number`: those left by the update, then those after each edit."""
    readable = {key: count for key, count in counts.items() if count is not None}
    rows = VersionSnapshot.objects.filter(product=product_id, number=number)
    if from_update:
        if not rows.filter(from_update=True).update(counts=readable):
            VersionSnapshot.objects.create(
                product_id=product_id, number=number, from_update=True, counts=readable
            )
        return
    known = [pk for pk, counts in rows.values_list("pk", "counts") if counts == readable]
    if known:
        # A form has brought the tag back: it stands again, and the next form may show it.
        rows.filter(pk=known[0]).update(created_at=timezone.now())
    else:
        VersionSnapshot.objects.create(product_id=product_id, number=number, counts=readable)


def snapshots_of(product_id: str, number: int) -> list[dict[str, int]]:
    return list(
        VersionSnapshot.objects.filter(product=product_id, number=number).values_list("counts", flat=True)
    )
