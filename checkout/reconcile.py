"""Do Stripe and our books agree? Sessions against orders, orders against the ledger, counts against counts.

What Stripe can answer is mended on the way: sessions that never arrived are settled. What is left is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from checkout.backfill import settle_completed
from checkout.elsewhere import COUNT_KEYS
from checkout.models import Order, OrderLine
from checkout.overdue import ask
from config.stripe_client import NotFound
from inventory import ledger
from inventory.metadata import Reading, read_key
from inventory.models import Hold, Movement, StockItem, StockWrite, StripeEvent
from shop import gateway as shop_gateway
from shop.gateway import StripeProduct


@dataclass(frozen=True)
class Difference:
    """One thing that does not agree. `kind` for programs, `text` for people."""

    kind: str
    subject: str
    text: str


@dataclass
class Report:
    """`fetched`: what had never arrived and is settled now; `differences`: what is left, named one by one."""

    sessions: int = 0
    products: int = 0
    fetched: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "agrees": self.agrees}


def reconcile(*, since: datetime, now: datetime) -> Report:
    """Compare everything, sessions from `since` on. Raises StripeTrouble."""
    report = Report()
    report.fetched = [_order_text(order) for order in settle_completed(since=since, now=now)]
    report.fetched += [_order_text(order) for order in _end_overdue(now, report)]
    report.sessions = Order.objects.filter(created_at__gte=since).exclude(session_id=None).count()
    report.differences += [*_unsold(), *_unplaced(), *_stray_holds(), *_drifted(), *_unhandled()]
    for product in shop_gateway.each_product():
        report.products += 1
        report.differences += _counts(product)
    return report


def _order_text(order: Order) -> str:
    return f"Order {order.number} is {order.get_state_display()}: {'; '.join(map(str, order.lines.all()))}"


def _end_overdue(now: datetime, report: Report) -> Iterator[Order]:
    """Orders whose page's time is over: Stripe is asked for each."""
    overdue = Order.objects.filter(
        state__in=[Order.State.OPEN, Order.State.AWAITING_PAYMENT], expires_at__lte=now
    )
    for order in overdue.exclude(session_id=None):
        try:
            if ask(order, now=now):
                yield order
        except NotFound:
            text = f"Stripe does not know the session {order.session_id}."
            report.differences.append(Difference("session_unknown", order.number, text))


def _unsold() -> Iterator[Difference]:
    """Paid lines without their sale in the ledger; those before a product's first look are none."""
    paid = OrderLine.objects.filter(order__state__in=[Order.State.PAID, Order.State.REFUNDED]).exclude(
        item=None
    )
    sales = set(Movement.objects.filter(kind=Movement.Kind.SALE).values_list("reference", flat=True))
    for line in paid.select_related("order", "item__product__stock").order_by(
        "order__created_at", "position"
    ):
        if line.reference not in sales and not _is_before_the_ledger(line):
            yield Difference(
                "sale_missing", line.order.number, f"{line} was paid for and is not in the ledger."
            )


def _is_before_the_ledger(line: OrderLine) -> bool:
    stock = getattr(line.item.product, "stock", None) if line.item else None
    paid_at = line.order.paid_at
    return bool(stock and stock.fence and paid_at and paid_at <= stock.fence)


def _unplaced() -> Iterator[Difference]:
    for line in OrderLine.objects.filter(unplaced=True).select_related("order"):
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
    for text in ledger.sums_that_drifted():
        yield Difference("sum_drifted", text.split(":")[0], text)


def _unhandled() -> Iterator[Difference]:
    for event in StripeEvent.objects.filter(state=StripeEvent.State.FAILED):
        yield Difference("event_failed", event.pk, f"{event.type} was given up: {event.error}")


def _counts(product: StripeProduct) -> Iterator[Difference]:
    """What stands at Stripe against what our books say stands there."""
    items = list(StockItem.objects.filter(product=product.id, listed=True))
    if not items and any(map(_is_about_stock, product.metadata)):
        yield Difference("product_unknown", product.id, f"{product.name} was never read: run sync_catalog.")
    for item in items:
        reading = read_key(product.metadata, item.key, item.size)
        if item.state != StockItem.State.UNLIMITED and not reading.unlimited:
            yield from _count(product, item, reading)


def _count(product: StripeProduct, item: StockItem, reading: Reading) -> Iterator[Difference]:
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
    return StockWrite.objects.filter(product=product_id, state=StockWrite.State.OPEN).exists()
