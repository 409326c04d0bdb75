"""Compare Stripe with the shop: sessions with orders, orders with the ledger, and counts with counts.

Sessions and events that never arrived are applied first. The remaining differences are reported.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from checkout import gateway
from checkout.models import Order, OrderLine
from checkout.orders.external_orders import UNKNOWN_GOODS
from checkout.orders.sold_lines import COUNT_KEYS
from checkout.recovery.backfill import apply_completed
from checkout.recovery.session_recovery import refresh_order
from config.stripe_client import NotFound, PermissionDenied, StripeCallError
from inventory import issues
from inventory.events import inbox
from inventory.models import Hold, Issue, Movement, StockItem, StockUpdate, StripeEvent
from inventory.stock import ledger
from inventory.stock.metadata import read_key
from inventory.stripe_sync import backoff, missed_events
from shop import gateway as shop_gateway
from shop.gateway import StripeProduct

logger = logging.getLogger(__name__)

State = Order.State
CLOCK_SKEW = timedelta(days=1)  # Generous: movements have the shop's time, payments Stripe's.
POSSIBLY_COUNTED = (Issue.Kind.RESTORED_DATABASE, Issue.Kind.SALE_BEFORE_SYNC)


@dataclass(frozen=True)
class Difference:
    """`kind` is for programs, `text` for people."""

    kind: str
    subject: str
    text: str


@dataclass
class Report:
    """`fetched`: the orders whose sessions had never arrived, as text. `events`: how many product events had not."""

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

    def add_difference(self, kind: str, subject: str, text: str) -> None:
        self.differences.append(Difference(kind, subject, text))

    def add_fetched(self, order: Order) -> None:
        lines = "; ".join(map(str, order.lines.all()))
        self.fetched.append(f"Order {order.number} is {order.get_state_display()}: {lines}")

    def add_failure(self, subject: str, error: str) -> None:
        text = f"The outcome of {subject} could not be applied ({error}). The log has the traceback."
        self.add_difference("not_settled", subject, text)


def reconcile(*, since: datetime, now: datetime) -> Report:
    """Compare everything, sessions from `since` on. Raises StripeCallError."""
    report = Report()
    # Edits and echoes that never arrived: without them, counts only seem to differ.
    try:
        report.events = missed_events.fetch_product_events(now)
    except PermissionDenied as exc:
        report.add_difference("events_not_listed", "STRIPE_SECRET_KEY", str(exc))
    listed_at = timezone.now()
    while inbox.process_local(listed_at) or inbox.process_remote(listed_at):
        pass
    # Sessions whose events never arrived.
    result = apply_completed(since=since, now=now)
    for order in result.orders:
        report.add_fetched(order)
    for session_id, error in result.failed.items():
        report.add_failure(session_id, error)
    due = Order.objects.filter(state__in=[State.OPEN, State.AWAITING_PAYMENT], expires_at__lte=now)
    for order in due.exclude(session_id=None):
        try:
            if refresh_order(order, now=now):
                report.add_fetched(order)
        except NotFound:
            text = f"Stripe does not know the session {order.session_id}."
            report.add_difference("session_unknown", order.number, text)
        except StripeCallError:
            raise  # Other orders would fail as well.
        except Exception as exc:
            logger.exception("Order %s could not be refreshed", order.number)
            report.add_failure(order.number, backoff.one_line(exc))
    # What differs in spite of that.
    report.sessions = Order.objects.filter(created_at__gte=since).exclude(session_id=None).count()
    _compare_sessions(report, since)
    _compare_sales(report, since)
    _check_books(report)
    for product in shop_gateway.iter_products():
        report.products += 1
        _compare_counts(report, product)
    return report


def _compare_sessions(report: Report, since: datetime) -> None:
    # Compare totals and units of paid sessions with those of their orders.
    if issues.is_open(Issue.Kind.UNKNOWN_SALE, UNKNOWN_GOODS):
        text = (
            "Goods of which nothing is known were sold outside the shop and are not counted. See the issue."
        )
        report.add_difference("sale_unknown", UNKNOWN_GOODS, text)
    orders = Order.objects.filter(state__in=[State.PAID, State.REFUNDED]).prefetch_related("lines")
    for session in gateway.iter_sessions(since=since, status="complete", with_lines=True):
        order = orders.filter(session_id=session.id).first() if session.is_paid else None
        if order is None:
            continue
        if None not in {order.total, session.total} and order.total != session.total:
            text = f"Stripe has a total of {session.total} {session.currency}, the order {order.total} {order.currency}."
            report.add_difference("total_differs", order.number, text)
        lines = gateway.session_lines(session.id) if session.lines is None else session.lines
        sold, known = Counter[str](), Counter[str]()
        for line in lines:
            sold[line.price_id] += line.quantity
        for own in order.lines.all():
            known[own.price_id] += own.quantity
        names = {line.price_id: line.description for line in lines}
        for price_id in sorted(price for price in {*sold, *known} if sold[price] != known[price]):
            name = names.get(price_id) or price_id
            text = f"{name}: {sold[price_id]} were sold, {known[price_id]} are in the order."
            report.add_difference("lines_differ", order.number, text)


def _compare_sales(report: Report, since: datetime) -> None:
    sales = Movement.objects.filter(kind=Movement.Kind.SALE, created_at__gte=since - CLOCK_SKEW)
    sold = set(sales.values_list("reference", flat=True))
    orders = Order.objects.filter(state__in=[State.PAID, State.REFUNDED], paid_at__gte=since)
    lines = OrderLine.objects.filter(order__in=orders).select_related("order", "item__product__sync")
    for line in lines.exclude(item=None).order_by("order__created_at", "position"):
        order, item = line.order, line.item
        if item is None or line.reference in sold:
            continue
        sync = getattr(item.product, "sync", None)
        # Sales before the cutoff are part of Stripe's count already, or may be.
        if not ledger.is_before_cutoff(sync, order.paid_at, ours=line.was_held):
            text = f"{line} was paid for but is not in the ledger."
            report.add_difference("sale_missing", order.number, text)
        elif any(issues.is_open(kind, item.product_id) for kind in POSSIBLY_COUNTED):
            text = f"{line} was paid for, and Stripe's count may include it already. See the issue of {item.product}."
            report.add_difference("sale_in_doubt", order.number, text)


def _check_books(report: Report) -> None:
    for line in OrderLine.objects.filter(needs_size=True).select_related("order"):
        report.add_difference("sale_without_size", line.order.number, f"{line} needs a size.")
    under_way = Order.objects.filter(state__in=[State.OPEN, State.AWAITING_PAYMENT])
    references = {f"order:{pk}" for pk in under_way.values_list("pk", flat=True)}
    for hold in Hold.objects.select_related("item__product"):
        if hold.reference not in references:
            text = (
                f"{hold.quantity} of {hold.item} are held for {hold.reference}, which is not an open order."
            )
            report.add_difference("hold_without_order", hold.reference, text)
    for text in ledger.find_drift():
        report.add_difference("sum_drifted", text.split(":")[0], text)
    for event in StripeEvent.objects.filter(state=StripeEvent.State.FAILED):
        text = f"The event {event.type} could not be handled: {event.error}"
        report.add_difference("event_failed", event.pk, text)


def _compare_counts(report: Report, product: StripeProduct) -> None:
    has_stock_keys = any(key.casefold().startswith(COUNT_KEYS) for key in product.metadata)
    items = list(StockItem.objects.filter(Q(is_listed=True) | ~Q(pending=0), product=product.id))
    if not items and has_stock_keys:
        text = f"{product.name} was never read. Run sync_catalog."
        report.add_difference("product_unknown", product.id, text)
    for item in items:
        at_stripe = read_key(product.metadata, item.key, item.size)
        if item.state == StockItem.State.NOT_TRACKED or at_stripe.unlimited:
            continue
        subject, name = f"{product.id} {item.key}", f"{product.name} {item.size}".strip()
        if at_stripe.count is None:
            if has_stock_keys:
                report.add_difference("count_unreadable", subject, f"{product.name}: {at_stripe.problem}")
            continue
        updates = StockUpdate.objects.filter(product=product.id, state=StockUpdate.State.OPEN)
        # While an update is under way, Stripe may have either count.
        if at_stripe.count != item.on_hand and not updates.exists():
            text = f"{name}: Stripe has {at_stripe.count}, the ledger {item.on_hand}."
            report.add_difference("count_differs", subject, text)
        if item.pending:
            report.add_difference("pending", subject, f"{name}: {item.pending:+d} not sent to Stripe yet.")
