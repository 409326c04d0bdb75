"""Life cycle of a stock update: frozen, then applied or abandoned. One transaction each, no network.

Lock order everywhere: the product's row in ProductSync first, then its items by primary key.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from inventory import issues
from inventory.leases import Lease
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
from inventory.stock.metadata import VersionTag, update_payload

logger = logging.getLogger(__name__)

Open, Applied, Abandoned = StockUpdate.State.OPEN, StockUpdate.State.APPLIED, StockUpdate.State.ABANDONED


def open_update(product_id: str) -> StockUpdate | None:
    return StockUpdate.objects.filter(product=product_id, state=Open).first()


def key_prefix(product_id: str) -> str:
    """The prefix of the idempotency keys of all our updates of a product, including those whose rows are lost."""
    return f"{Installation.current()}/{product_id}/"


def number_in(key: str, product_id: str) -> int:
    text = key.removeprefix(key_prefix(product_id)).partition("/")[0]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def payload_of(write: StockUpdate) -> dict[str, str]:
    # The metadata to send. A retry reuses the idempotency key, so the bytes must be the same every time.
    return update_payload(write.totals, VersionTag(Installation.current(), write.product_id, write.number))


# --- Freeze -----------------------------------------------------------------------------------


def create_update(claim: Lease) -> StockUpdate | None:
    """Gather pending movements into one update under the next version tag. None if there is nothing to send now."""
    prefix = key_prefix(claim.product_id)
    with transaction.atomic():
        stock = ProductSync.objects.locked(claim.product_id)
        if not claim.is_held(stock) or stock.pause_reason or open_update(stock.pk):
            return None
        if stock.highest_seen_number > stock.number or stock.event_gap:
            return (
                None  # Our rows are from a backup, or too old: first, a refresh must accept Stripe's counts.
            )
        items = _readable_items(stock.pk)
        if not stock.needs_version_bump and not _waiting(items):
            return None
        write = _new_update(stock, items, prefix)
        fault_point("freeze.made")
    fault_point("freeze.committed")
    return write


def _readable_items(product_id: str) -> list[StockItem]:
    items = StockItem.objects.filter(product=product_id, state=StockItem.State.COUNTED)
    return list(items.select_for_update().order_by("pk"))


def _waiting(items: list[StockItem]) -> bool:
    return Movement.objects.filter(item__in=items, published_at=None).exists()


def _new_update(stock: ProductSync, items: list[StockItem], prefix: str) -> StockUpdate:
    n = stock.number + 1
    totals = {item.key: _total(item, n) for item in items}
    write = StockUpdate.objects.create(
        product_id=stock.pk,
        number=n,
        idempotency_key=f"{prefix}{n}/{secrets.token_hex(8)}",
        totals=totals,
        created_at=timezone.now(),
    )
    Movement.objects.filter(item__in=items, published_at=None).update(stock_update=write)
    VersionSnapshot.objects.create(product_id=stock.pk, number=n, counts=totals, from_update=True)
    ProductSync.objects.filter(pk=stock.pk).update(number=n, needs_version_bump=False, differs=False)
    return write


def _total(item: StockItem, n: int) -> int:
    # The item's count with everything pending. A shortfall or surplus is recorded as a movement and opens an issue.
    total, subject = counts.published_total(item.on_hand or 0, item.pending), f"{item.product_id} {item.key}"
    if total.shortfall:
        reason = "More was sold than was in stock; a count at Stripe is never below 0."
        _add_correction(item, Movement.Kind.OVERSOLD, total.shortfall, n, reason)
        sentence = _("%(units)d of %(key)s were sold beyond the stock. Deliver them later, or refund them.")
        issues.open_issue(Issue.Kind.OVERSOLD, subject, sentence, units=total.shortfall, key=item.key)
    if total.surplus:
        _add_correction(
            item, Movement.Kind.ADJUSTED, -total.surplus, n, "A count at Stripe has six digits at most."
        )
        sentence = _("%(units)d of %(key)s are in stock beyond %(most)d, the highest possible count.")
        issues.open_issue(
            Issue.Kind.COUNT_TOO_LARGE,
            subject,
            sentence,
            units=total.surplus,
            key=item.key,
            most=counts.MAX_COUNT,
        )
    return total.count


def _add_correction(item: StockItem, kind: str, delta: int, n: int, reason: str) -> None:
    reference = f"write:{item.product_id}:{n}"
    Movement.objects.create(item=item, kind=kind, delta=delta, reference=reference, reason=reason)
    StockItem.objects.filter(pk=item.pk).update(pending=F("pending") + delta)


# --- Apply, abandon ---------------------------------------------------------------------------


def apply_update(write_id: int, now: datetime, *, answered: datetime | None = None) -> bool:
    """Record that the update is at Stripe and publish its movements. False if that was recorded before.

    `answered`: when the request began, if this is its own answer and not a replay. It is as good as a refresh.
    """
    with transaction.atomic():
        write = StockUpdate.objects.get(pk=write_id)
        stock = ProductSync.objects.locked(write.product_id)
        changed = StockUpdate.objects.filter(pk=write_id, state=Open).update(state=Applied, finished_at=now)
        if not changed:
            return False
        fault_point("apply.changed")
        _publish_movements(write, now)
        if _differs(write) or _was_refreshed_meanwhile(stock, write):
            request_refresh(stock.pk)
        if answered is not None:
            ProductSync.objects.filter(pk=stock.pk).update(refreshed_at=answered)
    logger.info("Published to Stripe: %s update %d %s", write.product_id, write.number, write.totals)
    fault_point("apply.committed")
    return True


def _was_refreshed_meanwhile(stock: ProductSync, write: StockUpdate) -> bool:
    # A refresh compares nothing while an update is open, so another one must follow.
    return stock.refreshed_at is not None and stock.refreshed_at >= write.created_at


def _publish_movements(write: StockUpdate, now: datetime) -> None:
    movements = Movement.objects.filter(stock_update=write, published_at=None)
    sums = dict(movements.order_by().values_list("item").annotate(units=Sum("delta")))
    movements.update(published_at=now)
    for item_id in sorted(sums):
        StockItem.objects.filter(pk=item_id).update(
            on_hand=F("on_hand") + sums[item_id], pending=F("pending") - sums[item_id]
        )


def _differs(write: StockUpdate) -> bool:
    # An edit moved the ledger while the update was open: it is unknown which of the two Stripe applied last.
    on_hand = dict(StockItem.objects.filter(product=write.product_id).values_list("key", "on_hand"))
    return any(on_hand.get(key) != count for key, count in write.totals.items())


def abandon_update(write_id: int, now: datetime) -> None:
    """Give up an update without proof that it is at Stripe. Its movements go into the next one.

    If it was applied after all, the next total corrects the count, so a wrong guess does no harm.
    """
    with transaction.atomic():
        write = StockUpdate.objects.get(pk=write_id)
        ProductSync.objects.locked(write.product_id)
        write.refresh_from_db()
        if write.state != Open:
            return
        if write.event_seen:
            apply_update(write_id, now)
            return
        StockUpdate.objects.filter(pk=write_id).update(state=Abandoned, finished_at=now)
        Movement.objects.filter(stock_update=write, published_at=None).update(stock_update=None)
        ProductSync.objects.filter(pk=write.product_id).request_refresh(needs_version_bump=True)
    logger.warning("Abandoned: %s update %d", write.product_id, write.number)
    fault_point("abandon.committed")


def request_refresh(product_id: str) -> None:
    ProductSync.objects.filter(pk=product_id).request_refresh()


def record_snapshot(
    product_id: str, number: int, state: Mapping[str, int | None], *, from_update: bool
) -> None:
    """Store the counts that stood under version tag n: one state left by the update, then each state after an edit once."""
    readable = {key: count for key, count in state.items() if count is not None}
    if from_update:
        VersionSnapshot.objects.update_or_create(
            product_id=product_id, number=number, from_update=True, defaults={"counts": readable}
        )
    elif readable not in snapshots_of(product_id, number):
        VersionSnapshot.objects.create(product_id=product_id, number=number, counts=readable)


def snapshots_of(product_id: str, number: int) -> list[dict[str, int]]:
    return list(
        VersionSnapshot.objects.filter(product=product_id, number=number).values_list("counts", flat=True)
    )
