"""Apply one reading of a product to its counts.

A reading records only the first count of an item. It also lists invalid counts, pauses a product that another
shop writes, accepts Stripe's counts when our database is older than Stripe, and detects differences. Edits are
counted from events (inventory.stripe_sync.product_events).
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from inventory import issues
from inventory.models import Installation, Issue, Movement, ProductSync, StockItem
from inventory.stock.metadata import (
    SINGLE_ITEM_KEY,
    VERSION_KEY,
    ParsedCount,
    VersionOwner,
    identify_version,
    read,
    read_key,
)
from inventory.stripe_sync import backup_recovery, missed_events, updates
from shop import gateway
from shop.metadata import parse
from shop.models import Product

logger = logging.getLogger(__name__)

Parked = ProductSync.PauseReason
Pair = tuple[StockItem, ParsedCount]


def apply_snapshot(product: gateway.StripeProduct, wanted: int) -> None:
    """Apply a reading in one transaction. `wanted`: how many refreshes were requested when it began."""
    Installation.current()
    with transaction.atomic():
        stock, is_new = _sync_row(product)
        if stock is None or _is_stale(stock, product.fetched_at):
            return
        if product.deleted:
            if not stock.pause_reason:
                stock.pause(Parked.DELETED)
        else:
            # An edit may have been counted since the reading began, which is then too old to begin a ledger with.
            _apply_counts(stock, product, may_begin=is_new or stock.refreshes_requested <= wanted)
        stock.refreshed_at = product.fetched_at
        stock.refreshes_done = max(stock.refreshes_done, wanted)
        if stock.refresh_attempts:
            stock.refresh_attempts, stock.next_refresh_at = 0, None
            issues.close(Issue.Kind.REFRESH_FAILED, stock.pk)
        stock.save()


def _sync_row(product: gateway.StripeProduct) -> tuple[ProductSync | None, bool]:
    # The product's row, locked, and whether it is new. The first reading creates it and is its sales cutoff.
    if not Product.objects.filter(pk=product.id).exists():
        return None, False
    is_new = False
    if not product.deleted:
        _row, is_new = ProductSync.objects.get_or_create(
            product_id=product.id, defaults={"sales_cutoff": product.fetched_at}
        )
    return ProductSync.objects.select_for_update().filter(pk=product.id).first(), is_new


def _is_stale(stock: ProductSync, fetched_at: datetime) -> bool:
    # A newer reading was applied before. One from the future does not count: the clock has been set back since.
    return stock.refreshed_at is not None and fetched_at < stock.refreshed_at <= timezone.now()


def _apply_counts(stock: ProductSync, product: gateway.StripeProduct, *, may_begin: bool) -> None:
    """`may_begin`: whether a ledger may begin, or continue, with the counts of this reading."""
    pairs, mark = _pairs(product), tag_of(product)
    if stock.pause_reason == Parked.DELETED:
        stock.pause(Parked.NOT)
    if _is_paused_by(stock, mark):
        _open_items(pairs, product, may_begin=may_begin)
        return
    if backup_recovery.needs_recovery(stock, mark):
        if may_begin:
            backup_recovery.adopt(stock, pairs, mark, product.fetched_at, product.updated_at)
        else:
            backup_recovery.defer(stock, mark)
    _open_items(pairs, product, may_begin=may_begin)
    _compare(stock, pairs, mark)


def _is_paused_by(stock: ProductSync, mark: VersionOwner) -> bool:
    # Pause the product while another database's version tag stands, until the owner takes over or the tag is gone.
    if mark.foreign and mark.foreign != stock.accepted_version:
        stock.pause(Parked.FOREIGN, mark.foreign)
        sentence = _(
            "Its version tag is %(mark)s, which this shop's database did not set. No counts are sent to Stripe until "
            "you run “manage.py sync_catalog --product %(product)s --take-over”."
        )
        issues.open_issue(Issue.Kind.FOREIGN_VERSION, stock.pk, sentence, mark=mark.foreign, product=stock.pk)
        return True
    if stock.pause_reason == Parked.FOREIGN:
        stock.pause(Parked.NOT)
        issues.close(Issue.Kind.FOREIGN_VERSION, stock.pk)
    return False


def _compare(stock: ProductSync, pairs: list[Pair], mark: VersionOwner) -> None:
    # Request a stock update where Stripe's counts differ from the ledger. Undecidable while an update is open.
    counted = [(item, reading) for item, reading in pairs if item.state == StockItem.State.COUNTED]
    if not counted or updates.open_update(stock.pk):
        return
    other = [item.key for item, reading in counted if item.on_hand != reading.count]
    stock.differs = stock.number > 0 and (bool(other) or mark.number != stock.number)
    stock.needs_version_bump = stock.needs_version_bump or stock.differs
    if stock.differs:
        logger.info(
            "Differs at Stripe: %s %s, version %s instead of %d", stock.pk, other, mark.number, stock.number
        )


# --- Items ------------------------------------------------------------------------------------


def tag_of(product: gateway.StripeProduct) -> VersionOwner:
    return identify_version(
        product.metadata.get(VERSION_KEY), shop=Installation.current(), product=product.id
    )


def readings_of(product: gateway.StripeProduct) -> list[ParsedCount]:
    # One reading per size. Empty for a product that is only a link: without a price, nothing of it is counted.
    facts = parse(product.metadata)
    if facts.link and not product.prices and not facts.sizes and SINGLE_ITEM_KEY not in product.metadata:
        return []
    return read(product.metadata, facts.sizes)


def _pairs(product: gateway.StripeProduct) -> list[Pair]:
    readings = readings_of(product)
    items = {item.key: item for item in _locked_items(product.id)}
    missing = [reading for reading in readings if reading.key not in items]
    for reading in missing:
        StockItem.objects.create(product_id=product.id, key=reading.key, size=reading.size, is_listed=False)
    if missing:
        items = {item.key: item for item in _locked_items(product.id)}
    positions = {reading.key: position for position, reading in enumerate(readings)}
    for item in items.values():
        item.is_listed, item.position = item.key in positions, positions.get(item.key, item.position)
    return [(item, read_key(product.metadata, item.key, item.size)) for item in items.values()]


def _locked_items(product_id: str) -> list[StockItem]:
    return list(StockItem.objects.filter(product=product_id).select_for_update().order_by("pk"))


def _open_items(pairs: list[Pair], product: gateway.StripeProduct, *, may_begin: bool) -> None:
    for item, reading in pairs:
        if may_begin and reading.count is not None:
            _open_item(item, reading, product)
        item.state, item.problem = _state_of(item, reading)
        item.save(
            update_fields=[
                "is_listed",
                "position",
                "state",
                "problem",
                "on_hand",
                "opened_at",
                "opened_count",
            ]
        )


def _open_item(item: StockItem, reading: ParsedCount, product: gateway.StripeProduct) -> None:
    if item.on_hand is None:
        _open_ledger(item, reading.count or 0, product)
    elif item.invalid_edits and missed_events.all_events_seen(item):
        _accept_waiting(item, reading, product)


def _open_ledger(item: StockItem, count: int, product: gateway.StripeProduct) -> None:
    Movement.objects.create(
        item=item,
        kind=Movement.Kind.OPENED,
        delta=count,
        reference=f"opened:{product.id}:{item.key}"[:255],
        actor="Stripe",
        published_at=product.fetched_at,
    )
    item.on_hand, item.opened_at, item.opened_count = count, product.updated_at, count


def _accept_waiting(item: StockItem, reading: ParsedCount, product: gateway.StripeProduct) -> None:
    # The count is valid again, but no event will report the correction: accept it, and ask the owner to check.
    backup_recovery.accept_remote_count(item, reading, product.fetched_at, product.updated_at)
    sentence = _(
        "%(key)s was invalid and is %(count)s now. Edits made in between are not known. Please check the count."
    )
    subject = f"{item.product_id} {item.key}"
    issues.open_issue(Issue.Kind.UNREADABLE_COUNT, subject, sentence, key=item.key, count=reading.count)


def _state_of(item: StockItem, reading: ParsedCount) -> tuple[str, str]:
    if reading.unlimited:
        return StockItem.State.NOT_TRACKED, ""
    if reading.count is None:
        return StockItem.State.UNKNOWN, reading.problem[:500]
    if item.on_hand is None:
        return StockItem.State.UNKNOWN, f"{item.key} was edited during the refresh and is read again."
    if item.invalid_edits:
        return StockItem.State.UNKNOWN, f"{item.key} was invalid, and its correction is not reported yet."
    return StockItem.State.COUNTED, ""


# --- Taking over ------------------------------------------------------------------------------


def accept_stripe_counts(product_id: str) -> str:
    """Let this shop write the product from now on. Returns the version tag taken over, "" if there was none."""
    with transaction.atomic():
        stock = ProductSync.objects.select_for_update().filter(pk=product_id).first()
        if stock is None or stock.pause_reason != Parked.FOREIGN:
            return ""
        stock.accepted_version = stock.pause_detail
        stock.pause(Parked.NOT)
        stock.needs_version_bump, stock.refreshes_requested = True, stock.refreshes_requested + 1
        stock.save()
        issues.close(Issue.Kind.FOREIGN_VERSION, product_id)
    return stock.accepted_version
