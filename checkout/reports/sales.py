"""Money, orders and units by day, by product, size and color. Amounts are in the currency's minor unit, after refunds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce, NullIf, TruncDate
from django.utils import timezone

from checkout.models import Order, OrderLine, SalesSummary

CACHE_SECONDS = 300
SUMMARY_DAYS = 60
SUMMARY_AGE = timedelta(minutes=10)  # The worker writes it every five.
# A refunded order stays an order of its day; what was given back is subtracted from the money.
SOLD_STATES = (Order.State.PAID, Order.State.REFUNDED)


@dataclass(frozen=True)
class Sales:
    orders: int = 0
    units: int = 0
    amount: int = 0

    def __add__(self, other: Sales) -> Sales:
        return Sales(self.orders + other.orders, self.units + other.units, self.amount + other.amount)


# By day in the shop's time zone and by currency; days without a sale are left out.
SalesByDay = Mapping[tuple[date, str], Sales]


def sales_by_day(first: date, last: date) -> dict[tuple[date, str], Sales]:
    """Both days included. One query."""
    units = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
    orders = Order.objects.filter(
        state__in=SOLD_STATES, paid_at__gte=start_of(first), paid_at__lt=start_of(last + timedelta(days=1))
    )
    rows = (
        orders.annotate(day=TruncDate("paid_at"))
        .annotate(units=Subquery(units.annotate(sum=Sum("quantity")).values("sum")))
        .order_by()
        .values_list("day", "currency")
        .annotate(
            count=Count("pk"),
            sold=Coalesce(Sum("units"), 0),
            amount=Coalesce(Sum(F("total") - F("refunded")), 0),
        )
    )
    return {(day, currency): Sales(number, sold, amount) for day, currency, number, sold, amount in rows}


def recent_sales_by_day(now: datetime) -> dict[tuple[date, str], Sales]:
    """The last SUMMARY_DAYS days. Today is read, and the days before are a quarter of an hour old at most.

    So the first page of the admin costs the same whether the shop sold ten orders this month or a hundred thousand.
    """
    today = timezone.localdate(now)
    key = f"sales-by-day:{today}"
    known: tuple[date, dict[tuple[date, str], Sales]] | None = cache.get(key)
    if known is None:
        summary = SalesSummary.objects.filter(written_at__gte=now - SUMMARY_AGE).first()
        summary = summary or _write(now)
        rows = {(date.fromisoformat(day), currency): Sales(*sold) for day, currency, *sold in summary.sales}
        known = summary.day, rows
        cache.set(key, known, CACHE_SECONDS)
    day, before = known
    return {**before, **sales_by_day(day, today)}


def write_summary(now: datetime) -> int:
    """Worker task: add up the sales of the days before today. Returns 0: there is no more to do."""
    _write(now)
    return 0


def _write(now: datetime) -> SalesSummary:
    today = timezone.localdate(now)
    sales = sales_by_day(today - timedelta(days=SUMMARY_DAYS), today - timedelta(days=1))
    rows = [[str(day), currency, *astuple(sold)] for (day, currency), sold in sales.items()]
    found: dict[str, Any] = {"day": today, "sales": rows, "written_at": now}
    return SalesSummary.objects.update_or_create(singleton=1, defaults=found)[0]


def start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def total(sales: SalesByDay, days: Iterable[date], currency: str) -> Sales:
    return sum((sales.get((day, currency), Sales()) for day in days), Sales())


def currencies(sales: SalesByDay, preferred: str) -> list[str]:
    """`preferred` first, then the others that something was sold in."""
    return [preferred, *sorted({currency for _day, currency in sales} - {preferred})]


# --- By product, size or color ----------------------------------------------------------------

GROUPS = {
    "product": ["product", "name"],
    "size": ["size"],
    "color": ["color"],
    "variant": ["product", "name", "size", "color"],
}


@dataclass(frozen=True)
class SoldLine:
    """`labels`: what the row is about, such as a name, a size and a color. `amount`: None if no line had a price."""

    labels: tuple[str, ...]
    units: int
    amount: int | None
    currency: str


def sales_by(group: str, first: date, last: date) -> list[SoldLine]:
    """Units and money by GROUPS, the most units first. One query.

    Prices are those of the lines, before discounts, shipping and tax. Refunded units are left out, and so are orders that
    were refunded as a whole.
    """
    fields = GROUPS[group]
    kept = F("quantity") - F("quantity_refunded")
    rows = (
        OrderLine.objects.filter(
            order__state=Order.State.PAID,
            order__paid_at__gte=start_of(first),
            order__paid_at__lt=start_of(last + timedelta(days=1)),
            quantity__gt=F("quantity_refunded"),
        )
        .order_by()
        .annotate(paid_in=Coalesce(NullIf("currency", Value("")), "order__currency"))
        .values_list(*fields, "paid_in")
        .annotate(units=Sum(kept), money=Sum(F("unit_amount") * kept))
    )
    lines = []
    for row in rows:
        *labels, currency, units, amount = row
        # The id keeps two products of one name apart; it is not shown.
        shown = labels[1:] if fields[0] == "product" else labels
        lines.append(SoldLine(tuple(str(label) for label in shown), units, amount, currency))
    return sorted(lines, key=lambda line: (-line.units, line.labels))
