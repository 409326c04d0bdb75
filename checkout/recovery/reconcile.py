"""Do Stripe and our books agree? Sessions against orders, orders against the ledger, counts against counts.

What Stripe can answer is mended on the way: sessions that never arrived are settled. What is left is named.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from checkout.models import Order, OrderLine
from checkout.orders.external_orders import COUNT_KEYS
from checkout.recovery.backfill import apply_completed
from checkout.recovery.session_recovery import refresh_order
from config.stripe_client import NotFound, PermissionDenied, StripeCallError
from inventory import issues
from inventory.events import inbox
from inventory.models import Hold, Issue, Movement, StockItem, StockUpdate, StripeEvent
from inventory.stock import ledger
from inventory.stock.metadata import ParsedCount, read_key
from inventory.stripe_sync import backoff, missed_events
from shop import gateway as shop_gateway
from shop.gateway import StripeProduct

logger = logging.getLogger(__name__)

A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Difference:
    """One thing that does not agree. `kind` for programs, `text` for people."""

    kind: str
    subject: str
    text: str


@dataclass
class Report:
    """`fetched`: sessions that had never arrived and are settled now, `events`: how many product events, counted now;
    `differences`: what is left, named one by one."""

    sessions: int = 0
    products: int = 0
    events: int = 0
    fetched: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "agrees": self.agrees}


def reconcile(*, since: datetime, now: datetime) -> Report:
    """Compare everything, sessions from `since` on. Raises StripeCallError."""
    report = Report()
    report.differences += _fetch_edits(report, now)
    settled = apply_completed(since=since, now=now)
    report.fetched = [_order_text(order) for order in settled.orders]
    report.differences += [_unapplied(*failure) for failure in settled.failed.items()]
    report.fetched += [_order_text(order) for order in _refresh_stale(now, report)]
    report.sessions = Order.objects.filter(created_at__gte=since).exclude(session_id=None).count()
    report.differences += [*_unsold(since), *_without_size(), *_stray_holds(), *_drifted(), *_unhandled()]
    for product in shop_gateway.iter_products():
        report.products += 1
        report.differences += _counts(product)
    return report


def _fetch_edits(report: Report, now: datetime) -> Iterator[Difference]:
    """Echoes and edits that no webhook brought, and whatever else waits: a count may only seem to differ without them."""
    try:
        report.events = missed_events.fetch_product_events(now)
    except PermissionDenied as trouble:
        yield Difference("events_not_listed", "STRIPE_SECRET_KEY", str(trouble))
    listed = timezone.now()
    while inbox.process_local(listed) or inbox.process_remote(listed):
        pass


def _unapplied(subject: str, why: str) -> Difference:
    text = f"{subject} cannot be settled by what Stripe says of it ({why}); the log says where it fails."
    return Difference("not_settled", subject, text)


def _order_text(order: Order) -> str:
    return f"Order {order.number} is {order.get_state_display()}: {'; '.join(map(str, order.lines.all()))}"


def _refresh_stale(now: datetime, report: Report) -> Iterator[Order]:
    """Orders whose page's time is over: Stripe is asked for each."""
    overdue = Order.objects.filter(
        state__in=[Order.State.OPEN, Order.State.AWAITING_PAYMENT], expires_at__lte=now
    )
    for order in overdue.exclude(session_id=None):
        try:
            if refresh_order(order, now=now):
                yield order
        except NotFound:
            text = f"Stripe does not know the session {order.session_id}."
            report.differences.append(Difference("session_unknown", order.number, text))
        except StripeCallError:
            raise
        except Exception as error:
            logger.exception("Order %s cannot be settled", order.number)
            report.differences.append(_unapplied(order.number, backoff.one_line(error)))


def _unsold(since: datetime) -> Iterator[Difference]:
    """Lines paid from `since` on without their sale in the ledger; those that Stripe's first count had are none."""
    orders = Order.objects.filter(state__in=[Order.State.PAID, Order.State.REFUNDED], paid_at__gte=since)
    paid = OrderLine.objects.filter(order__in=orders).exclude(item=None)
    sales = Movement.objects.filter(kind=Movement.Kind.SALE, created_at__gte=since - A_DAY)
    sold = set(sales.values_list("reference", flat=True))
    lines = paid.select_related("order", "item__product__sync").order_by("order__created_at", "position")
    for line in lines:
        if line.reference not in sold:
            yield from _why_unsold(line)


def _why_unsold(line: OrderLine) -> Iterator[Difference]:
    order, item = line.order, line.item
    stock = getattr(item.product, "sync", None) if item else None
    if not ledger.is_before_cutoff(stock, order.paid_at, ours=not order.is_external):
        yield Difference("sale_missing", order.number, f"{line} was paid for and is not in the ledger.")
    elif item and any(
        issues.is_open(kind, item.product_id)
        for kind in (Issue.Kind.RESTORED_DATABASE, Issue.Kind.SALE_BEFORE_SYNC)
    ):
        text = (
            f"{line} was paid for before a reading that may have it already; see the case of {item.product}."
        )
        yield Difference("sale_in_doubt", order.number, text)


def _without_size() -> Iterator[Difference]:
    for line in OrderLine.objects.filter(needs_size=True).select_related("order"):
        yield Difference(
            "sale_without_size", line.order.number, f"{line}: nobody has said which size it was."
        )


def _stray_holds() -> Iterator[Difference]:
    """Units kept for an order that is not on its way."""
    on_their_way = {
        f"order:{pk}"
        for pk in Order.objects.filter(
            state__in=[Order.State.OPEN, Order.State.AWAITING_PAYMENT]
        ).values_list("pk", flat=True)
    }
    for hold in Hold.objects.select_related("item__product"):
        if hold.reference not in on_their_way:
            text = f"{hold.quantity} of {hold.item} are held for {hold.reference}, which is not on its way."
            yield Difference("hold_without_order", hold.reference, text)


def _drifted() -> Iterator[Difference]:
    for text in ledger.find_drift():
        yield Difference("sum_drifted", text.split(":")[0], text)


def _unhandled() -> Iterator[Difference]:
    for event in StripeEvent.objects.filter(state=StripeEvent.State.FAILED):
        yield Difference("event_failed", event.pk, f"{event.type} was given up: {event.error}")


def _counts(product: StripeProduct) -> Iterator[Difference]:
    """What stands at Stripe against what our books say stands there."""
    items = list(StockItem.objects.filter(Q(is_listed=True) | ~Q(pending=0), product=product.id))
    if not items and any(map(_is_about_stock, product.metadata)):
        yield Difference("product_unknown", product.id, f"{product.name} was never read: run sync_catalog.")
    for item in items:
        reading = read_key(product.metadata, item.key, item.size)
        if item.state != StockItem.State.NOT_TRACKED and not reading.unlimited:
            yield from _count(product, item, reading)


def _count(product: StripeProduct, item: StockItem, reading: ParsedCount) -> Iterator[Difference]:
    subject = f"{product.id} {item.key}"
    if reading.count is None:
        if any(map(_is_about_stock, product.metadata)):
            yield Difference("count_unreadable", subject, f"{product.name}: {reading.problem}")
        return
    if reading.count != item.on_hand and not _is_on_its_way(product.id):
        text = f"{product.name} {item.size}: Stripe says {reading.count}, our books say {item.on_hand}."
        yield Difference("count_differs", subject, text)
    if item.pending:
        text = f"{product.name} {item.size}: {item.pending:+d} not at Stripe yet."
        yield Difference("pending", subject, text)


def _is_about_stock(key: str) -> bool:
    return key.casefold().startswith(COUNT_KEYS)


def _is_on_its_way(product_id: str) -> bool:
    return StockUpdate.objects.filter(product=product_id, state=StockUpdate.State.OPEN).exists()
