"""Take over counting from a webhook function that lowers `stock_<size>` itself, so that each sale is counted once.

The function counts a session when its `checkout.session.completed` is delivered. So after its endpoint is disabled, three
kinds of sessions remain: delivered ones, which are in Stripe's counts; later ones, which this shop counts; and a few in
between, whose delivery failed or was under way. Those are decided by what the function did: it lowers each size by an
update of its own, which Stripe reports as `product.updated`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from checkout import gateway
from checkout.models import Order, OrderLine
from checkout.orders.fulfillment import apply_session
from config.coerce import as_mapping, as_texts
from inventory import gateway as inventory_gateway
from inventory.events import inbox
from inventory.models import Movement, ProductSync
from inventory.stock import ledger
from inventory.stock.counts import parse_count
from inventory.stock.metadata import VERSION_KEY, key_for
from inventory.stripe_sync import catalog_sync, missed_events

logger = logging.getLogger(__name__)

COMPLETED = "checkout.session.completed"
HISTORY = timedelta(days=29)  # Stripe lists events of 30 days.
RETRIED = timedelta(days=4)  # Stripe retries a delivery for three days.
SETTLE_SECONDS = 60  # A function that is running has ended by then; hosts stop one after 10 to 26 seconds.
BEFORE_THE_SWITCH = timedelta(seconds=60)
SAME_MOMENT = timedelta(seconds=6)  # More than ledger.CLOCK_SKEW.

Line = tuple[str, str, int]  # product id, metadata key, units


@dataclass(frozen=True)
class OldSale:
    """A completed session, as its event reports it. `lines`: what the function takes from its metadata."""

    event_id: str
    session_id: str
    completed_at: datetime
    is_delivered: bool
    is_paid: bool
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> OldSale:
        session = as_mapping(as_mapping(event["data"]).get("object"))
        metadata, lines, number = as_texts(session.get("metadata")), list[Line](), 0
        while product_id := metadata.get(f"item_{number}_product_id", ""):
            size = metadata.get(f"item_{number}_size", "")
            quantity = metadata.get(f"item_{number}_quantity", "1")
            if quantity.isascii() and quantity.isdecimal():
                lines.append((product_id, key_for(size), int(quantity)))
            number += 1
        return cls(
            event_id=str(event["id"]),
            session_id=str(session.get("id")),
            completed_at=datetime.fromtimestamp(event["created"], UTC),
            is_delivered=not event.get("pending_webhooks"),
            is_paid=session.get("payment_status") != "unpaid",
            lines=tuple(lines),
        )


@dataclass
class Edit:
    """One count that an update lowered."""

    product_id: str
    key: str
    before: int
    after: int
    at: datetime
    used: bool = False

    def explains(self, line: Line, completed_at: datetime) -> bool:
        product_id, key, quantity = line
        if self.used or (self.product_id, self.key) != (product_id, key):
            return False
        # The function never goes below 0.
        is_fitting = self.before - self.after == quantity or (self.after == 0 and self.before < quantity)
        return is_fitting and self.at >= completed_at - timedelta(seconds=2)


@dataclass
class Decision:
    """`counted`: lines that the function has counted. `is_certain`: its delivery had been answered before the switch."""

    sale: OldSale
    counted: list[Line] = field(default_factory=list)
    is_certain: bool = False

    @property
    def is_counted(self) -> bool:
        return self.is_certain or (bool(self.sale.lines) and len(self.counted) == len(self.sale.lines))


@dataclass
class Adoption:
    """The result of a switch: orders counted here, sales found in Stripe's counts, and sentences for the owner."""

    counted_here: list[Order] = field(default_factory=list)
    counted_before: int = 0
    notes: list[str] = field(default_factory=list)
    cutoff: datetime | None = None


def old_sales(since: datetime) -> list[OldSale]:
    """Every session completed since then, oldest first. Raises StripeCallError."""
    events = gateway.iter_events(since=since, types=[COMPLETED])
    return sorted((OldSale.of(event) for event in events), key=lambda sale: sale.completed_at)


def edits_of(events: Iterable[Mapping[str, Any]]) -> list[Edit]:
    """The counts that updates of others lowered, oldest first."""
    found = []
    for event in events:
        data = as_mapping(event["data"])
        product = as_mapping(data.get("object"))
        after = as_texts(product.get("metadata"))
        previous = as_texts(as_mapping(data.get("previous_attributes")).get("metadata"))
        if VERSION_KEY in previous:
            continue  # An update of this shop: every one sets another version tag.
        for name, text in previous.items():
            old, new = parse_count(text), parse_count(after.get(name))
            if old is not None and new is not None and new < old:
                at = datetime.fromtimestamp(event["created"], UTC)
                found.append(Edit(str(product.get("id")), name, old, new, at))
    return sorted(found, key=lambda edit: edit.at)


def decide(sales: Iterable[OldSale], certain: set[str], edits: list[Edit]) -> list[Decision]:
    """Which lines of each sale the function has counted. `certain`: events that it had answered before the switch.

    Each edit explains one line. Certain sales come first, so that their edits explain no other sale.
    """
    decisions = [Decision(sale, is_certain=sale.event_id in certain) for sale in sales]
    for decision in sorted(decisions, key=lambda one: not one.is_certain):
        for line in decision.sale.lines:
            edit = next((one for one in edits if one.explains(line, decision.sale.completed_at)), None)
            if edit is not None:
                edit.used = True
            if edit is not None or decision.is_certain:
                decision.counted.append(line)
    return decisions


def certain_before(sales: Iterable[OldSale], now: datetime) -> set[str]:
    """Events that the function had answered, or that are too old to be delivered again."""
    return {sale.event_id for sale in sales if sale.is_delivered or sale.completed_at < now - RETRIED}


def settle(sales: list[OldSale], certain: set[str], switched_at: datetime, now: datetime) -> Adoption:
    """Count what the function has not, and let this shop count from now on. Idempotent. Raises StripeCallError.

    To be called when the function has ended. `sales`: those of HISTORY, read since.
    """
    edits = edits_of(inventory_gateway.product_events(switched_at - HISTORY))
    catalog_sync.sync_catalog()
    # A catalog that was read before has a ledger, into which the function's updates belong as edits. The list of events
    # is read from the cutoff on, which moves below.
    missed_events.fetch_product_events(now)
    for product_id in list(ProductSync.objects.values_list("pk", flat=True)):
        missed_events.handle_product_events(product_id, now)
    decisions = decide(sales, certain, edits)
    result = Adoption()
    counted = [one.sale.completed_at for one in decisions if one.is_counted]
    result.cutoff = max([switched_at - BEFORE_THE_SWITCH, *(at + SAME_MOMENT for at in counted)])
    ProductSync.objects.update(sales_cutoff=result.cutoff, cutoff_from_restore=False)
    with inbox.allow_stripe_calls():
        for decision in decisions:
            _settle(decision, result, now)
    old = [one.sale for one in decisions if one.sale.completed_at < now - RETRIED]
    if failed := [sale.session_id for sale in old if sale.lines and not sale.is_delivered]:
        result.notes.append(
            f"{len(failed)} older sessions were never delivered ({', '.join(failed[:5])}). Whether their units were taken off "
            "the counts is not known: compare with the shelf."
        )
    return result


def _settle(decision: Decision, result: Adoption, now: datetime) -> None:
    sale = decision.sale
    order = Order.objects.filter(session_id=sale.session_id).first()
    result.counted_before += decision.is_counted
    if order is not None and not order.is_external:
        return  # This shop's own: the function does not find its sizes.
    if not decision.is_counted or not sale.is_paid:
        session = gateway.fetch_session(sale.session_id)
        if decision.is_counted and session.is_paid and order is None:
            return  # A bank debit that has succeeded meanwhile. The function counted it when it began.
        order = apply_session(session, now=now, happened_at=sale.completed_at, ignore_cutoff=True)
    if order is None:
        return
    if not decision.is_counted and order.state == Order.State.PAID:
        # Again, for an order that was applied before and not counted, because it was paid before the cutoff.
        lines = order.lines.exclude(item=None).values_list("position", "item_id", "quantity")
        sales = [
            ledger.SaleLine(f"{order.reference}:{position}", item_id, quantity)
            for position, item_id, quantity in lines
            if item_id is not None
        ]
        ledger.sell([order.reference], sales, now=now)
        result.counted_here.append(order)
    for product_id, key, quantity in decision.counted:
        line = order.lines.filter(item__product=product_id, item__key=key).first()
        if line is not None and _give_back(order, line, quantity):
            result.notes.append(
                f"Order {order.number}: the function had lowered {key} by {quantity}. This shop counts the order itself, so "
                "they were given back."
            )


def _give_back(order: Order, line: OrderLine, quantity: int) -> bool:
    # False for a line that this shop does not count. It counts one that is a sale in the ledger, becomes one when its bank
    # debit succeeds, or was free again when its debit failed.
    is_debit = order.state in (Order.State.AWAITING_PAYMENT, Order.State.CANCELED)
    sold = Movement.objects.filter(kind=Movement.Kind.SALE, reference=line.reference)
    if line.item_id is None or not (is_debit or sold.exists()):
        return False
    with transaction.atomic():
        new = ledger.adjust(
            line.item_id,
            quantity,
            reference=f"adopt:{line.reference}"[:255],
            reason="counted by the previous function",
            actor="adopt",
        )
        if new and order.state == Order.State.AWAITING_PAYMENT:
            # Like any other debit under way: sold when it succeeds, free again when it fails.
            ledger.hold(order.reference, {line.item_id: quantity})
    return True
