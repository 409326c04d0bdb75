"""Explain an item's count line by line: movements, sums, holds, stock updates and events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Sum

from config.dates import format_local
from inventory.models import Hold, Movement, ProductSync, StockItem, StockUpdate, StripeEvent
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


@dataclass(frozen=True)
class LedgerLine:
    """A movement with the sum of all movements `before` and `after` it."""

    movement: Movement
    before: int
    after: int

    @property
    def kind(self) -> str:
        return str(self.movement.get_kind_display())

    @property
    def change(self) -> str:
        return signed(self.movement.delta)

    @property
    def status(self) -> str:
        """Whether the movement is at Stripe: in words, "" where no update carried it."""
        update = self.movement.stock_update
        if update is not None:
            return f"update {update.number}, {update.get_state_display()}"
        return "" if self.movement.published_at else "not yet at Stripe"

    @property
    def text(self) -> str:
        movement = self.movement
        words = [f"{self.kind:<16}", f"{self.change:>7}", movement.reference]
        if movement.reason:
            words.append(f"({movement.reason})")
        if movement.actor:
            words.append(f"by {movement.actor}")
        if self.status:
            words.append(f"[{self.status}]")
        return f"{format_local(movement.created_at)} {' '.join(words)} = {self.after}"


def ledger_lines(item: StockItem) -> Iterator[LedgerLine]:
    total = 0
    for movement in item.movements.select_related("stock_update").order_by("pk"):
        before, total = total, total + movement.delta
        yield LedgerLine(movement, before, total)


def explain_item(item: StockItem) -> Iterator[str]:
    yield f"{item} ({item.product_id} {item.key}), {item.get_state_display()}"
    if item.problem:
        yield f"Problem: {item.problem}"
    yield ""
    for line in ledger_lines(item):
        yield line.text
    yield ""
    yield from current_state(item)
    yield ""
    yield from exchange_with_stripe(item)


def current_state(item: StockItem) -> Iterator[str]:
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


def exchange_with_stripe(item: StockItem) -> Iterator[str]:
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
