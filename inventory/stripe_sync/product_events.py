"""Handle product.* and price.* events: confirm our own stock updates, count edits, request refreshes.

An edit is counted from the event that reports it, after minus before, once per request. So it adds to what was
sold meanwhile, and no stock update can lose it. Nothing here reads from Stripe, except the first refresh of an
unknown product.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from inventory import issues
from inventory.db import insert_new
from inventory.events import inbox
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
from inventory.stock.counts import Counts, InvalidEdits, signed
from inventory.stock.metadata import MetadataDiff, diff, identify_version
from inventory.stripe_sync import refresh, updates

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]


def on_product_event(event: StripeEvent) -> None:
    product_id = event.object_id
    if not ProductSync.objects.filter(pk=product_id).exists():
        _first_refresh(product_id)
        # Another process may have been faster, with an older reading that does not include this edit.
        if event.type == "product.updated" and ProductSync.objects.filter(pk=product_id).exists():
            apply_product_updated(event.payload)
    elif event.type == "product.updated":
        apply_product_updated(event.payload)
    else:
        updates.request_refresh(product_id)


def on_price_event(event: StripeEvent) -> None:
    product_id = _text(_object(event.payload).get("product"))
    if not product_id:
        logger.warning("Event %s names no product; nothing to do", event.pk)
    elif ProductSync.objects.filter(pk=product_id).exists():
        updates.request_refresh(product_id)
    else:
        _first_refresh(product_id)


def _first_refresh(product_id: str) -> None:
    # The current counts begin the ledger, whatever the event reports.
    if not product_id:
        return
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    refresh.refresh_product(product_id)


# --- One update -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProductUpdate:
    """A parsed product.updated event. `request`: it is counted once per this value. `key`: idempotency key or ""."""

    product_id: str
    request: str
    key: str
    updated_at: datetime | None
    metadata: dict[str, str | None]
    previous: dict[str, str | None]

    def change(self, keys: list[str]) -> MetadataDiff:
        return diff(self.metadata, self.previous, keys)


def parse_update(event: Json) -> ProductUpdate:
    # Malformed and missing fields become empty. Only the product's id is required (KeyError).
    data = _mapping(event.get("data"))
    product = _mapping(data.get("object"))
    previous = _mapping(data.get("previous_attributes"))
    request = _mapping(event.get("request"))
    return ProductUpdate(
        product_id=product["id"],
        request=_text(request.get("id")) or _fingerprint(event, product, previous),
        key=_text(request.get("idempotency_key")),
        updated_at=_moment(product.get("updated") or event.get("created")),
        metadata=_texts(product.get("metadata")),
        previous=_texts(previous.get("metadata")),
    )


def _fingerprint(event: Json, product: Json, previous: Json) -> str:
    # Stands in for a missing request id: a hash of the product, the time, and the metadata before and after.
    facts = [
        product.get("id"),
        event.get("created"),
        _texts(previous.get("metadata")),
        _texts(product.get("metadata")),
    ]
    return "none:" + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def apply_product_updated(event: Json) -> None:
    """Apply one product.updated event in one transaction. Idempotent per request: twins and redeliveries change nothing."""
    if not isinstance(_object(event).get("metadata"), Mapping):
        # A malformed event without metadata does not mean that the counts are gone.
        updates.request_refresh(_object(event)["id"])
        return
    update = parse_update(event)
    Installation.current()
    with transaction.atomic():
        stock = ProductSync.objects.locked(update.product_id)
        request = ProcessedRequest(product_id=stock.pk, request=update.request[:255])
        if not insert_new([request], unique=("request",)):
            return
        fault_point("observe.claimed")
        if update.key.startswith(updates.key_prefix(stock.pk)):
            _confirm_own_update(stock, update)
        else:
            _count_edit(stock, update)
            updates.request_refresh(stock.pk)
        fault_point("observe.counted")
    fault_point("observe.committed")


def _confirm_own_update(stock: ProductSync, update: ProductUpdate) -> None:
    # Our own stock update: not an edit, but the proof that it was applied.
    write = StockUpdate.objects.filter(idempotency_key=update.key).first()
    if write is None:
        _note_lost_update(stock, update)
        return
    if write.event_seen or write.state == StockUpdate.State.ABANDONED:
        updates.request_refresh(update.product_id)
    StockUpdate.objects.filter(pk=write.pk).update(event_seen=True)
    items = _items(update.product_id)
    change = update.change(list(items))
    updates.record_snapshot(update.product_id, write.number, change.after, from_update=True)
    for key in write.totals:
        if key in items and change.before[key] is None:
            _report_overwrite(items[key], BY_AN_UPDATE)
    updates.apply_update(write.pk, timezone.now())


def _note_lost_update(stock: ProductSync, update: ProductUpdate) -> None:
    """Record an update that only a lost database can have sent.

    Its version tag may be gone from Stripe, if an old form restored an older one. The event is still proof.
    """
    n = updates.number_in(update.key, stock.pk)
    ProductSync.objects.filter(pk=stock.pk, highest_seen_number__lt=n).update(highest_seen_number=n)
    updates.request_refresh(stock.pk)
    change = update.change(list(_items(stock.pk)))
    for key, count in change.after.items():
        if change.before[key] is None and count is not None:
            # The issue that reported it was lost with the database.
            issues.open_issue(Issue.Kind.UNREADABLE_COUNT, f"{stock.pk} {key}", BY_AN_UPDATE, key=key)


def _count_edit(stock: ProductSync, update: ProductUpdate) -> None:
    """Count an update that is not ours: per item after minus before, or, if it restored a version tag, minus its counts."""
    items = _opened_items(stock, update)
    if not items:
        return
    change = update.change(list(items))
    mark = identify_version(change.tag_after, shop=Installation.current(), product=stock.pk)
    states = updates.snapshots_of(stock.pk, mark.number) if mark.number is not None else []
    brought_back = change.tag_was_set and mark.number is not None
    base = _base(stock, change, states) if brought_back else change.before
    if base is None:
        return
    if not brought_back and counts.may_revert(states, change.before, change.after):
        _report_possible_revert(stock, update, change)
    if mark.number is not None:
        updates.record_snapshot(stock.pk, mark.number, change.after, from_update=False)
    for item in items.values():
        _count_item(item, update, change, base, brought_back)


def _base(stock: ProductSync, change: MetadataDiff, states: list[dict[str, int]]) -> Counts | None:
    """The counts that the saved form had shown. None if they are not on record: an issue is opened, nothing counted."""
    base = counts.match_form_base(states, change.before, change.after)
    if base is None:
        sentence = _(
            "A form was saved that is older than any update this shop has on record. Please check the counts."
        )
        issues.open_issue(Issue.Kind.AMBIGUOUS_EDIT, stock.pk, sentence)
        return None
    if not base.certain:
        sentence = _(
            "An old form was saved (%(change)s). It may be older than assumed. Please check the counts."
        )
        issues.open_issue(Issue.Kind.AMBIGUOUS_EDIT, stock.pk, sentence, change=_describe(change))
    # Counts that were invalid or missing in the form are measured from the value just before.
    return {key: base.counts.get(key, before) for key, before in change.before.items()}


def _count_item(
    item: StockItem, update: ProductUpdate, change: MetadataDiff, base: Counts, brought_back: bool
) -> None:
    before, after = base[item.key], change.after[item.key]
    if brought_back and change.before[item.key] is None:
        before = _invalid_edit_units(item, before, after)
    units, account = counts.edited(_load_account(item), before, after)
    _save_account(item, account)
    if units:
        _move(item, update, units, f"{_count_text(before)} → {_count_text(after)}")


def _invalid_edit_units(item: StockItem, before: int | None, after: int | None) -> int | None:
    if after is None:
        return None
    _report_overwrite(item, BY_A_FORM)
    return after if before is None else before


def _move(item: StockItem, update: ProductUpdate, units: int, reason: str) -> None:
    # The edit is at Stripe already, so it goes straight into on_hand. Every edit is followed by a new version tag.
    movement = Movement(
        item=item,
        kind=Movement.Kind.EDITED,
        delta=units,
        reference=f"request:{update.request}"[:255],
        reason=reason,
        actor="Stripe",
        published_at=timezone.now(),
    )
    if insert_new([movement], unique=("item_id",)):
        StockItem.objects.filter(pk=item.pk).update(on_hand=F("on_hand") + units)
        ProductSync.objects.filter(pk=item.product_id).update(needs_version_bump=True)
        logger.info("Edited at Stripe: %s %s (%s)", item, signed(units), update.request)


def _opened_items(stock: ProductSync, update: ProductUpdate) -> dict[str, StockItem]:
    items = _items(stock.pk)
    change = update.change(list(items))
    begun = {key: item for key, item in items.items() if not _already_in_first_reading(item, update, change)}
    if stock.cutoff_from_restore and issues.is_open(Issue.Kind.RESTORED_DATABASE, stock.pk):
        _report_gap_edit(stock, update, change, items.keys() - begun.keys())
    return begun


def _report_gap_edit(stock: ProductSync, update: ProductUpdate, change: MetadataDiff, keys: Set[str]) -> None:
    # Made between the backup and its restore: Stripe's counts include the edit, our ledger never will.
    summary = _describe(change, keys)
    if summary:
        sentence = _("Edited at Stripe in between: %(change)s (%(request)s).")
        issues.open_issue(
            Issue.Kind.RESTORED_DATABASE, stock.pk, sentence, change=summary, request=update.request
        )


def _already_in_first_reading(item: StockItem, update: ProductUpdate, change: MetadataDiff) -> bool:
    """Whether the reading that this item's ledger began with includes the update. Both times are Stripe's."""
    if item.on_hand is None or item.opened_at is None or update.updated_at is None:
        return item.on_hand is None
    if update.updated_at != item.opened_at:
        return update.updated_at < item.opened_at
    return _in_the_same_second(item, change)


def _in_the_same_second(item: StockItem, change: MetadataDiff) -> bool:
    """Decide by the counts where Stripe's whole seconds cannot order the reading and the update.

    An update that ends at the count of the reading is included in it. One that begins at that count is not, and the
    next one is compared with the count it ended at. If neither applies, an issue asks the owner.
    """
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
    issues.open_issue(
        Issue.Kind.AMBIGUOUS_EDIT, item.product_id, sentence, key=item.key, change=_describe(change)
    )
    return True


# --- Notes for the owner ----------------------------------------------------------------------


BY_AN_UPDATE = _(
    "A stock update replaced the invalid %(key)s before it could be corrected. Please check the count."
)
BY_A_FORM = _(
    "An old form replaced the invalid %(key)s before it could be corrected. Please check the count."
)


def _report_overwrite(item: StockItem, sentence: str) -> None:
    _save_account(item, counts.written_over(_load_account(item)))
    issues.open_issue(Issue.Kind.UNREADABLE_COUNT, f"{item.product_id} {item.key}", sentence, key=item.key)


def _report_possible_revert(stock: ProductSync, update: ProductUpdate, change: MetadataDiff) -> None:
    sentence = _("%(change)s in one edit (%(request)s). If this was an old form, it reverted another edit.")
    issues.open_issue(
        Issue.Kind.EDIT_TO_REVIEW, stock.pk, sentence, change=_describe(change), request=update.request
    )


def _describe(change: MetadataDiff, keys: Set[str] | None = None) -> str:
    return ", ".join(
        f"{key} {_count_text(change.before[key])} → {_count_text(after)}"
        for key, after in change.after.items()
        if after != change.before[key] and (keys is None or key in keys)
    )


def _count_text(count: int | None) -> str:
    return "no count" if count is None else str(count)


# --- Helpers ----------------------------------------------------------------------------------


def _items(product_id: str) -> dict[str, StockItem]:
    items = StockItem.objects.filter(product=product_id).select_for_update(of=("self",))
    return {item.key: item for item in items.select_related("product").order_by("pk")}


def _load_account(item: StockItem) -> InvalidEdits:
    return InvalidEdits(item.invalid_edits, item.invalid_units, item.invalid_overwritten)


def _save_account(item: StockItem, account: InvalidEdits) -> None:
    if account == _load_account(item):
        return
    item.invalid_edits, item.invalid_units, item.invalid_overwritten = (
        account.times,
        account.units,
        account.over,
    )
    item.invalid_since = None if account.is_closed else item.invalid_since or timezone.now()
    item.save(update_fields=["invalid_edits", "invalid_units", "invalid_overwritten", "invalid_since"])


def _object(event: Json) -> Json:
    return _mapping(_mapping(event.get("data")).get("object"))


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> dict[str, str | None]:
    return {key: text for key, text in _mapping(value).items() if text is None or isinstance(text, str)}


def _moment(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
