"""Explain an item's count line by line: movements, sums, holds, stock updates and events."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Sum

from config.dates import format_local
from inventory.models import Hold, ProductSync, StockItem, StockUpdate, StripeEvent
from inventory.stock.counts import signed


class UnknownItem(Exception):
    """There is no such item. The message lists the product's sizes."""


def find(product_id: str, size: str) -> StockItem:
    items = StockItem.objects.filter(product=product_id).select_related("product")
    for item in items:
        if size in (item.size, item.key):
            return item
    sizes = ", ".join(item.size or item.key for item in items)
    if sizes:
        raise UnknownItem(f"{product_id} has no size “{size}”; it has {sizes}.")
    raise UnknownItem(f"Nothing is counted for {product_id}. Run “manage.py sync_catalog” first.")


def explain_item(item: StockItem) -> Iterator[str]:
    yield f"{item} ({item.product_id} {item.key}), {item.get_state_display()}"
    if item.problem:
        yield f"Problem: {item.problem}"
    yield ""
    total = 0
    for movement in item.movements.select_related("stock_update").order_by("pk"):
        total += movement.delta
        words = [f"{movement.kind:<9}", f"{signed(movement.delta):>7}", movement.reference]
        if movement.reason:
            words.append(f"({movement.reason})")
        if movement.actor:
            words.append(f"by {movement.actor}")
        if movement.stock_update is not None:
            words.append(f"[update {movement.stock_update.number}, {movement.stock_update.state}]")
        elif movement.published_at is None:
            words.append("[not yet at Stripe]")
        yield f"{format_local(movement.created_at)} {' '.join(words)} = {total}"
    yield ""
    yield from _current_state(item)
    yield ""
    yield from _exchange_with_stripe(item)


def _current_state(item: StockItem) -> Iterator[str]:
    published = item.movements.exclude(published_at=None).aggregate(units=Sum("delta"))["units"] or 0
    waiting = item.movements.filter(published_at=None).aggregate(units=Sum("delta"))["units"] or 0
    yield f"on hand   {item.on_hand} = movements published to Stripe{_check(item.on_hand or 0, published)}"
    yield f"pending   {signed(item.pending)} = movements not yet published{_check(item.pending, waiting)}"
    held = list(Hold.objects.filter(item=item).order_by("pk"))
    yield f"held      {item.held} = open checkouts{_check(item.held, sum(hold.quantity for hold in held))}"
    for hold in held:
        yield f"          {hold.quantity} for {hold.reference} since {format_local(hold.created_at)}"
    yield f"available {item.available} = on hand + pending − held, never below 0"
    if item.invalid_edits:
        yield f"An edit that made the count invalid has not been corrected yet ({signed(item.invalid_edits)})."


def _check(stored: int, total: int) -> str:
    return "" if stored == total else f" — MISMATCH: they add up to {total}. Run “manage.py reconcile”."


def _exchange_with_stripe(item: StockItem) -> Iterator[str]:
    sync = ProductSync.objects.filter(pk=item.product_id).first()
    if sync is not None:
        if sync.refreshed_at:
            yield f"Last update: {sync.number}. Last refresh: {format_local(sync.refreshed_at)}."
        if sync.pause_reason:
            yield f"Paused: {sync.pause_text}"
        for update in StockUpdate.objects.filter(product=item.product_id).order_by("-number")[:10]:
            sent = update.totals.get(item.key, "not sent")
            seen = "event received" if update.event_seen else "event not received"
            yield f"  update {update.number}: {item.key} = {sent}, {update.state}, {seen}"
    events = StripeEvent.objects.filter(object_id=item.product_id).order_by("-created_at")
    for event in events[:10]:
        yield f"  {format_local(event.created_at)} {event.type} {event.pk}, {event.state} {event.error}".rstrip()
