"""Apply one reading of a product to its counts.

A reading records only the first count of an item. It also lists invalid counts, pauses a product that another
shop updates, accepts Stripe's counts when our database is older than Stripe, and detects differences. Edits are
counted from events (inventory.stripe_sync.product_events).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.kept_queries import KeptQuery
from inventory import issues
from inventory.db import update_rows
from inventory.locks import lock_items, lock_known_sync
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

PauseReason = ProductSync.PauseReason
_PRODUCT = KeptQuery(lambda product_id: Product.objects.filter(pk=product_id))
Pair = tuple[StockItem, ParsedCount]
# What a reading may change of an item.
FIELDS = ["is_listed", "position", "state", "problem", "on_hand", "opened_at", "opened_count"]


def apply_snapshot(product: gateway.StripeProduct, requested: int) -> None:
    """Apply a reading in one transaction. `requested`: how many refreshes had been requested when it began."""
    shop = Installation.current()
    with transaction.atomic():
        if not _PRODUCT.exists(product.id):
            return
        is_new = False
        sync = lock_known_sync(product.id)
        if sync is None and not product.deleted:
            # The first reading creates the row, is its sales cutoff, and is what a new row requests.
            row, is_new = ProductSync.objects.get_or_create(
                product_id=product.id, defaults={"sales_cutoff": product.fetched_at}
            )
            requested = row.refreshes_requested if is_new else requested
            sync = lock_known_sync(product.id)
        if sync is None:
            return
        if sync.refreshed_at and product.fetched_at < sync.refreshed_at <= timezone.now():
            # A newer reading was applied before. One from the future does not count: the clock has been set back since.
            return
        if not product.deleted:
            # An edit may have been counted since the reading began, which is then too old to begin a ledger with.
            tag = tag_of(product, shop)
            _apply_counts(sync, product, tag, may_begin=is_new or sync.refreshes_requested <= requested)
        elif not sync.pause_reason:
            sync.pause(PauseReason.DELETED)
        sync.refreshed_at = product.fetched_at
        sync.refreshes_done = max(sync.refreshes_done, requested)
        if sync.refresh_attempts:
            sync.refresh_attempts, sync.next_refresh_at = 0, None
            issues.close(Issue.Kind.REFRESH_FAILED, sync.pk)
        sync.save()


def _apply_counts(
    sync: ProductSync, product: gateway.StripeProduct, tag: VersionOwner, *, may_begin: bool
) -> None:
    # `may_begin`: whether a ledger may begin, or continue, with the counts of this reading.
    items = _locked_items(product)
    before = {item.pk: _values(item) for item in items}
    pairs = _pairs(items, product)
    if sync.pause_reason == PauseReason.DELETED:
        sync.pause(PauseReason.NOT)
    # While another database's version tag stands, the product is paused until the owner takes over or the tag is gone.
    is_foreign = bool(tag.foreign) and tag.foreign != sync.accepted_version
    if is_foreign:
        sync.pause(PauseReason.FOREIGN, tag.foreign)
        sentence = _(
            "Its version tag is %(tag)s, which this shop's database did not set. No counts are sent to Stripe until "
            "you run “manage.py sync_catalog --product %(product)s --take-over”."
        )
        issues.open_issue(Issue.Kind.FOREIGN_VERSION, sync.pk, sentence, tag=tag.foreign, product=sync.pk)
    elif sync.pause_reason == PauseReason.FOREIGN:
        sync.pause(PauseReason.NOT)
        issues.close(Issue.Kind.FOREIGN_VERSION, sync.pk)
    if not is_foreign and backup_recovery.needs_recovery(sync, tag):
        if may_begin:
            backup_recovery.adopt(sync, pairs, tag, product.fetched_at, product.updated_at)
        else:
            backup_recovery.defer(sync, tag)
    for item, reading in pairs:
        _apply_reading(item, reading, product, may_begin=may_begin)
    update_rows([item for item in items if _values(item) != before[item.pk]], FIELDS)
    # Request a stock update where Stripe's counts differ from the ledger. Undecidable while an update is open.
    counted = [(item, reading) for item, reading in pairs if item.state == StockItem.State.COUNTED]
    if is_foreign or not counted or updates.open_update(sync.pk):
        return
    other = [item.key for item, reading in counted if item.on_hand != reading.count]
    sync.differs = bool(other) or (sync.number > 0 and tag.number != sync.number)
    sync.needs_version_bump = sync.needs_version_bump or sync.differs
    if sync.differs:
        logger.info(
            "Differs at Stripe: %s %s, version %s instead of %d", sync.pk, other, tag.number, sync.number
        )


# --- Items ------------------------------------------------------------------------------------


def tag_of(product: gateway.StripeProduct, shop: str) -> VersionOwner:
    return identify_version(product.metadata.get(VERSION_KEY), shop=shop, product=product.id)


def readings_of(product: gateway.StripeProduct) -> list[ParsedCount]:
    # One reading per size. Empty for a product that is only a link: without a price, nothing of it is counted.
    facts = parse(product.metadata)
    if facts.link and not product.prices and not facts.sizes and SINGLE_ITEM_KEY not in product.metadata:
        return []
    return read(product.metadata, facts.sizes)


def _locked_items(product: gateway.StripeProduct) -> list[StockItem]:
    # All items of the product. Those of new sizes are created.
    items = lock_items(product.id)
    known = {item.key for item in items}
    missing = [reading for reading in readings_of(product) if reading.key not in known]
    for reading in missing:
        StockItem.objects.create(product_id=product.id, key=reading.key, size=reading.size, is_listed=False)
    return lock_items(product.id) if missing else items


def _values(item: StockItem) -> list[object]:
    return [getattr(item, name) for name in FIELDS]


def _pairs(items: Sequence[StockItem], product: gateway.StripeProduct) -> list[Pair]:
    # Each item with its reading.
    positions = {reading.key: position for position, reading in enumerate(readings_of(product))}
    for item in items:
        item.is_listed, item.position = item.key in positions, positions.get(item.key, item.position)
    return [(item, read_key(product.metadata, item.key, item.size)) for item in items]


def _apply_reading(
    item: StockItem, reading: ParsedCount, product: gateway.StripeProduct, *, may_begin: bool
) -> None:
    if may_begin and reading.count is not None and item.on_hand is None:
        # The first count of the item opens its ledger.
        Movement.objects.create(
            item=item,
            kind=Movement.Kind.OPENED,
            delta=reading.count,
            reference=f"opened:{product.id}:{item.key}"[:255],
            actor="Stripe",
            published_at=product.fetched_at,
        )
        item.on_hand, item.opened_at, item.opened_count = reading.count, product.updated_at, reading.count
    elif (
        may_begin and reading.count is not None and item.invalid_edits and missed_events.all_events_seen(item)
    ):
        # The count is valid again, but no event will report the correction: accept it, and ask the owner to check.
        backup_recovery.accept_remote_count(item, reading, product.fetched_at, product.updated_at)
        sentence = _(
            "%(key)s was invalid and is %(count)s now. Edits made in between are not known. Please check the count."
        )
        subject = f"{item.product_id} {item.key}"
        issues.open_issue(Issue.Kind.UNREADABLE_COUNT, subject, sentence, key=item.key, count=reading.count)
    item.state, item.problem = StockItem.State.UNKNOWN, ""
    if reading.unlimited:
        item.state = StockItem.State.NOT_TRACKED
    elif reading.count is None:
        item.problem = reading.problem[:500]
    elif item.on_hand is None:
        item.problem = f"{item.key} was edited during the refresh and is read again."
    elif item.invalid_edits:
        item.problem = f"{item.key} was invalid, and its correction is not reported yet."
    else:
        item.state = StockItem.State.COUNTED


# --- Taking over ------------------------------------------------------------------------------


def accept_stripe_counts(product_id: str) -> str:
    """Let this shop update the counts from now on. Returns the version tag taken over, "" if there was none."""
    with transaction.atomic():
        sync = lock_known_sync(product_id)
        if sync is None or sync.pause_reason != PauseReason.FOREIGN:
            return ""
        sync.accepted_version = sync.pause_detail
        sync.pause(PauseReason.NOT)
        sync.needs_version_bump, sync.refreshes_requested = True, sync.refreshes_requested + 1
        sync.save()
        issues.close(Issue.Kind.FOREIGN_VERSION, product_id)
    return sync.accepted_version
