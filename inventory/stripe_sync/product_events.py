"""Handle product.* and price.* events: confirm our own stock updates, count edits, request refreshes.

An edit is counted from the event that reports it, after minus before, once per request. So it adds to what was
sold meanwhile, and no stock update can lose it. Nothing here reads from Stripe, except the first refresh of an
unknown product, and the list of events before an old form is counted.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.coerce import as_datetime, as_mapping, as_optional_texts, as_text
from config.fault_points import fault_point
from config.kept_queries import KeptQuery
from inventory import issues
from inventory.db import insert_new
from inventory.events import inbox
from inventory.locks import lock_items, lock_sync
from inventory.models import (
    Installation,
    Issue,
    Movement,
    ProcessedRequest,
    ProductSync,
    StockItem,
    StockUpdate,
    StripeEvent,
)
from inventory.stock import counts
from inventory.stock.counts import Counts, InvalidEdits
from inventory.stock.metadata import VERSION_KEY, MetadataDiff, diff, identify_version
from inventory.stripe_sync import missed_events, refresh, updates

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]

_UPDATE_OF_KEY = KeptQuery(lambda key: StockUpdate.objects.filter(idempotency_key=key))
REPLACED_BY_UPDATE = _(
    "A stock update replaced the invalid %(key)s before it could be corrected. Please check the count."
)
REPLACED_BY_FORM = _(
    "An old form replaced the invalid %(key)s before it could be corrected. Please check the count."
)


class EarlierEventWaits(Exception):
    """An old form is not counted yet, because an earlier event of its product is not handled."""


def on_product_event(event: StripeEvent) -> None:
    product_id = event.object_id
    if not ProductSync.objects.filter(pk=product_id).exists():
        _first_refresh(product_id)
        # Another process may have been faster, with an older reading that does not include this edit.
        if event.type == "product.updated" and ProductSync.objects.filter(pk=product_id).exists():
            apply_product_updated(event.payload)
    elif event.type == "product.updated":
        _handle_events_before_form(event)
        apply_product_updated(event.payload)
    else:
        refresh.request_refresh([product_id])


def on_price_event(event: StripeEvent) -> None:
    price = as_mapping(as_mapping(event.payload.get("data")).get("object"))
    product_id = as_text(price.get("product"))
    if not product_id:
        logger.warning("Event %s names no product; nothing to do", event.pk)
    elif not refresh.request_refresh([product_id]):
        _first_refresh(product_id)


def _first_refresh(product_id: str) -> None:
    # The current counts begin the ledger, whatever the event reports.
    if not product_id:
        return
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    refresh.refresh_product(product_id)


def _handle_events_before_form(event: StripeEvent) -> None:
    # An old form is measured from counts that stood under its version tag. Those that an edit left there are known
    # once the edit's event is handled, and events arrive in any order.
    form = parse_update(event.payload)
    if VERSION_KEY not in form.previous:
        return
    shop = Installation.current()
    if not form.is_old_form(shop) or ProcessedRequest.objects.filter(request=form.request[:255]).exists():
        return
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    if not missed_events.listed_since(event.received_at):
        missed_events.fetch_product_events(timezone.now())
    waiting = missed_events.waiting_of(form.product_id)
    for earlier in waiting.filter(created_at__lte=event.created_at):
        same_second = earlier.created_at == event.created_at
        # Of two forms saved in the same second, neither waits for the other.
        if earlier.pk == event.pk or (same_second and parse_update(earlier.payload).is_old_form(shop)):
            continue
        if not inbox.handle(earlier.pk, timezone.now()) and waiting.filter(pk=earlier.pk).exists():
            raise EarlierEventWaits(f"An earlier event of the product is not handled yet: {earlier.pk}.")


# --- One update -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProductUpdate:
    """A parsed product.updated event. `request`: it is counted once per this value. `key`: idempotency key or ""."""

    product_id: str
    request: str
    created_at: datetime
    key: str
    updated_at: datetime | None
    metadata: dict[str, str | None]
    previous: dict[str, str | None]

    def is_ours(self, shop: str) -> bool:
        """Whether it is a stock update. Their idempotency keys begin like this, also where the row is lost."""
        return self.key.startswith(f"{shop}/{self.product_id}/")

    def is_old_form(self, shop: str) -> bool:
        """Whether it set one of our version tags: a form that posted old counts along with what was typed."""
        tag = identify_version(self.metadata.get(VERSION_KEY), shop=shop, product=self.product_id)
        return VERSION_KEY in self.previous and tag.number is not None and not self.is_ours(shop)


def parse_update(event: Json) -> ProductUpdate:
    # Malformed and missing fields become empty. Only the product's id is required (KeyError).
    data, request = as_mapping(event.get("data")), as_mapping(event.get("request"))
    product = as_mapping(data.get("object"))
    metadata = as_optional_texts(product.get("metadata"))
    previous = as_optional_texts(as_mapping(data.get("previous_attributes")).get("metadata"))
    request_id = as_text(request.get("id"))
    if not request_id:
        # A hash of the product, the time, and the metadata before and after stands in for a missing request id.
        facts = [product.get("id"), event.get("created"), previous, metadata]
        request_id = "none:" + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return ProductUpdate(
        product_id=product["id"],
        request=request_id,
        created_at=as_datetime(event.get("created")) or timezone.now(),
        key=as_text(request.get("idempotency_key")),
        updated_at=as_datetime(product.get("updated") or event.get("created")),
        metadata=metadata,
        previous=previous,
    )


def apply_product_updated(event: Json) -> None:
    """Apply one product.updated event in one transaction. Idempotent per request: twins and redeliveries change nothing."""
    product = as_mapping(as_mapping(event.get("data")).get("object"))
    if not isinstance(product.get("metadata"), Mapping):
        # A malformed event without metadata does not mean that the counts are gone.
        refresh.request_refresh([product["id"]])
        return
    update = parse_update(event)
    shop = Installation.current()
    with transaction.atomic():
        sync = lock_sync(update.product_id)
        # The unique constraint, not a SELECT, admits one of two events for the same request.
        request = ProcessedRequest(
            product_id=sync.pk, request=update.request[:255], created_at=update.created_at
        )
        if not insert_new([request], unique=("request",)):
            return
        fault_point("product_event.claimed")
        items = {item.key: item for item in lock_items(sync.pk)}
        change = diff(update.metadata, update.previous, items)
        if update.is_ours(shop):
            _confirm_own_update(sync, update.key, items, change)
        else:
            _count_edit(sync, update, items, change, was_old_form=update.is_old_form(shop))
            refresh.request_refresh([sync.pk])
        fault_point("product_event.counted")
    fault_point("product_event.committed")


# --- Our own updates --------------------------------------------------------------------------


def _confirm_own_update(
    sync: ProductSync, key: str, items: Mapping[str, StockItem], change: MetadataDiff
) -> None:
    # Our own update is no edit, but the proof that it was applied.
    update = _UPDATE_OF_KEY.first(key)
    if update is None:
        # Only a lost database can have sent it. Its version tag may be gone from Stripe, if an old form restored an
        # older one; the event is still proof.
        text = key.rpartition("/")[0].rpartition("/")[2]
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
        lost = ProductSync.objects.filter(pk=sync.pk, highest_seen_number__lt=number)
        lost.update(highest_seen_number=number)
        refresh.request_refresh([sync.pk])
        for metadata_key, count in change.after.items():
            if change.before[metadata_key] is None and count is not None:
                # The issue that reported it was lost with the database.
                subject = f"{sync.pk} {metadata_key}"
                issues.open_issue(Issue.Kind.UNREADABLE_COUNT, subject, REPLACED_BY_UPDATE, key=metadata_key)
        return
    if update.event_seen or update.state == StockUpdate.State.ABANDONED:
        # Sent more than once, or after it was given up: it may have replaced a newer total.
        refresh.request_refresh([sync.pk])
    StockUpdate.objects.filter(pk=update.pk).update(event_seen=True)
    updates.record_snapshot(sync.pk, update.number, change.after, from_update=True)
    for metadata_key in update.totals:
        if metadata_key in items and change.before[metadata_key] is None:
            _drop_invalid_edit(items[metadata_key], REPLACED_BY_UPDATE)
    if update.state == StockUpdate.State.OPEN:
        updates.apply_update(update, timezone.now())


# --- Edits ------------------------------------------------------------------------------------


def _count_edit(
    sync: ProductSync,
    update: ProductUpdate,
    items: Mapping[str, StockItem],
    change: MetadataDiff,
    *,
    was_old_form: bool,
) -> None:
    # Count an update that is not ours: per item after minus before, or, if it restored a version tag, minus its
    # counts.
    # Only items whose ledger began before the edit.
    opened = [item for item in items.values() if not _is_in_first_reading(item, update, change)]
    if sync.cutoff_from_restore and issues.is_open(Issue.Kind.RESTORED_DATABASE, sync.pk):
        # Made between the backup and its restore: Stripe's counts include the edit, our ledger never will.
        summary = _describe(change, items.keys() - {item.key for item in opened})
        if summary:
            sentence = _("Edited at Stripe in between: %(change)s (%(request)s).")
            facts = {"change": summary, "request": update.request}
            issues.open_issue(Issue.Kind.RESTORED_DATABASE, sync.pk, sentence, **facts)
    if not opened:
        return
    change = diff(update.metadata, update.previous, [item.key for item in opened])
    # A form that set a version tag posted the counts that stood under it, along with what was typed.
    tag = identify_version(change.tag_after, shop=Installation.current(), product=sync.pk)
    snapshots = updates.snapshots_of(sync.pk, tag.number) if tag.number is not None else []
    base = _counts_in_form(sync, change, snapshots) if was_old_form else change.before
    if base is None:
        return
    if not was_old_form and counts.may_revert(snapshots, change.before, change.after):
        sentence = _(
            "%(change)s in one edit (%(request)s). If this was an old form, it reverted another edit."
        )
        facts = {"change": _describe(change), "request": update.request}
        issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, sync.pk, sentence, **facts)
    if tag.number is not None:
        updates.record_snapshot(sync.pk, tag.number, change.after, from_update=False)
    for item in opened:
        _count_item(item, update, change, base, was_old_form)


def _counts_in_form(
    sync: ProductSync, change: MetadataDiff, snapshots: list[dict[str, int]]
) -> Counts | None:
    # The counts that the saved form had shown. None if they are not on record: an issue is opened, nothing counted.
    base = counts.match_form_base(snapshots, change.before, change.after)
    if base is None:
        sentence = _(
            "A form was saved that is older than any update this shop has on record. Please check the counts."
        )
        issues.open_issue(Issue.Kind.AMBIGUOUS_EDIT, sync.pk, sentence)
        return None
    if not base.certain:
        sentence = _(
            "An old form was saved (%(change)s). It may be older than assumed. Please check the counts."
        )
        issues.open_issue(Issue.Kind.AMBIGUOUS_EDIT, sync.pk, sentence, change=_describe(change))
    # Counts that were invalid or missing in the form are measured from the value just before.
    return {key: base.counts.get(key, before) for key, before in change.before.items()}


def _count_item(
    item: StockItem, update: ProductUpdate, change: MetadataDiff, base: Counts, was_old_form: bool
) -> None:
    before, after = base[item.key], change.after[item.key]
    if was_old_form and change.before[item.key] is None:
        if after is None:
            before = None
        else:
            _drop_invalid_edit(item, REPLACED_BY_FORM)
            before = after if before is None else before
    account = _account_of(item)
    units, new_account = counts.edited(account, before, after)
    if new_account != account:
        _save_account(item, new_account)
    if not units:
        return
    # The edit is at Stripe already, so it goes straight into on_hand. Every edit is followed by a new version tag.
    movement = Movement(
        item=item,
        kind=Movement.Kind.EDITED,
        delta=units,
        reference=f"request:{update.request}"[:255],
        reason=f"{_count_text(before)} → {_count_text(after)}",
        actor="Stripe",
        published_at=timezone.now(),
    )
    if insert_new([movement], unique=("item_id",)):
        StockItem.objects.filter(pk=item.pk).update(on_hand=F("on_hand") + units)
        ProductSync.objects.filter(pk=item.product_id).update(needs_version_bump=True)
        logger.info("Edited at Stripe: %s %+d (%s)", item, units, update.request)


def _is_in_first_reading(item: StockItem, update: ProductUpdate, change: MetadataDiff) -> bool:
    # Whether the reading that this item's ledger began with includes the update. Both times are Stripe's.
    # Whole seconds cannot order an update and a reading of the same second, so the counts decide: an update that ends
    # at the count of the reading is included in it. One that begins at that count is not, and the next one is
    # compared with the count it ended at. If neither applies, an issue asks the owner.
    if item.on_hand is None or item.opened_at is None or update.updated_at is None:
        return item.on_hand is None
    if update.updated_at != item.opened_at:
        return update.updated_at < item.opened_at
    before, after = change.before[item.key], change.after[item.key]
    if before == after or item.opened_count == after:
        return True
    if item.opened_count == before:
        item.opened_count = after
        item.save(update_fields=["opened_count"])
        return False
    sentence = _(
        "%(key)s was edited in the same second as it was first read (%(change)s). Please check the count."
    )
    summary = _describe(change)
    issues.open_issue(Issue.Kind.AMBIGUOUS_EDIT, item.product_id, sentence, key=item.key, change=summary)
    return True


# --- Invalid edits ----------------------------------------------------------------------------


def _account_of(item: StockItem) -> InvalidEdits:
    return InvalidEdits(item.invalid_edits, item.invalid_units, item.invalid_overwritten)


def _save_account(item: StockItem, account: InvalidEdits) -> None:
    item.invalid_edits, item.invalid_units = account.times, account.units
    item.invalid_overwritten = account.over
    item.invalid_since = None if account.is_closed else item.invalid_since or timezone.now()
    item.save(update_fields=["invalid_edits", "invalid_units", "invalid_overwritten", "invalid_since"])


def _drop_invalid_edit(item: StockItem, sentence: str) -> None:
    # An update or a form replaced the invalid count: its units are dropped, and an issue asks for a check.
    _save_account(item, counts.written_over(_account_of(item)))
    issues.open_issue(Issue.Kind.UNREADABLE_COUNT, f"{item.product_id} {item.key}", sentence, key=item.key)


# --- Texts ------------------------------------------------------------------------------------


def _describe(change: MetadataDiff, keys: Set[str] | None = None) -> str:
    return ", ".join(
        f"{key} {_count_text(change.before[key])} → {_count_text(after)}"
        for key, after in change.after.items()
        if after != change.before[key] and (keys is None or key in keys)
    )


def _count_text(count: int | None) -> str:
    return "no count" if count is None else str(count)
