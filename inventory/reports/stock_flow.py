"""What came in, what was sold and what stays: sell-through, demand by size, days left, stock value and dead stock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Max, Min, Q, Sum

from inventory.models import Movement, StockItem
from inventory.reports.pace import PACE_DAYS, days_left, units_sold
from inventory.reports.stock_report import stock_rows
from shop.models import Product
from shop.storefront import size_sort_key

Kind = Movement.Kind
LEAST_DAYS = (
    7.0  # The pace of a size that was there for less says little: the last one, sold on the day it came.
)


@dataclass(frozen=True)
class SellThrough:
    """Units of one product. `start`: at the beginning of the period; `left`: at its end."""

    product_id: str
    name: str
    start: int
    received: int
    sold: int
    left: int

    @property
    def rate(self) -> float | None:
        """Share of what there was to sell that was sold; None if there was nothing."""
        offered = self.start + self.received
        return self.sold / offered if offered > 0 else None


def sell_through(first: datetime, until: datetime) -> list[SellThrough]:
    """By product, the best first. A ledger that began within the period starts with its opening count. One query."""
    inside = Q(created_at__gte=first, created_at__lt=until)
    rows = (
        Movement.objects.filter(created_at__lt=until, item__product__deleted=False)
        .order_by()
        .values_list("item__product", "item__product__name")
        .annotate(
            before=Sum("delta", filter=Q(created_at__lt=first), default=0),
            opened=Sum("delta", filter=inside & Q(kind=Kind.OPENED), default=0),
            received=Sum("delta", filter=inside & Q(kind=Kind.RECEIVED), default=0),
            sold=-Sum("delta", filter=inside & Q(kind=Kind.SALE), default=0),
            left=Sum("delta"),
        )
    )
    found = [
        SellThrough(product, name, before + opened, received, sold, left)
        for product, name, before, opened, received, sold, left in rows
    ]
    return sorted(found, key=lambda row: (-(row.rate or 0), row.name))


@dataclass(frozen=True)
class SizeDemand:
    """`days`: how long the size was in stock, added up over the products. `share`: of the demand, 0 to 1.

    `order`: units of the next order for this size.
    """

    size: str
    sold: int
    days: float
    units: int
    share: float
    order: int


def size_curve(
    first: datetime, until: datetime, *, order: int, product_id: str = "", category: str = ""
) -> list[SizeDemand]:
    """How the demand spreads over the sizes, and the split of the next order of `order` units.

    Demand is what was sold per day in stock: a size that sold out early was wanted more than its sales say. Two queries.
    """
    items = StockItem.objects.filter(
        is_listed=True, state=StockItem.State.COUNTED, product__deleted=False
    ).exclude(size="")
    if product_id:
        items = items.filter(product=product_id)
    if category:
        items = items.filter(product__category_slug=category)
    sizes = {item.pk: item for item in items.only("size", "on_hand", "pending", "product")}
    sold, days = _sold_and_days(sizes, first, until)
    pace: dict[str, float] = defaultdict(float)
    for pk, item in sizes.items():
        pace[item.size] += sold[pk] / max(LEAST_DAYS, days[pk])
    everything = sum(pace.values())
    shares = {size: wanted / everything if everything else 0.0 for size, wanted in pace.items()}
    stock: dict[str, int] = defaultdict(int)
    for item in sizes.values():
        stock[item.size] += max(0, (item.on_hand or 0) + item.pending)
    split = split_order(shares, stock, order)
    return [
        SizeDemand(
            size,
            sum(sold[pk] for pk, item in sizes.items() if item.size == size),
            sum(days[pk] for pk, item in sizes.items() if item.size == size),
            stock[size],
            shares[size],
            split.get(size, 0),
        )
        for size in sorted(pace, key=size_sort_key)
    ]


def _sold_and_days(
    items: Iterable[int], first: datetime, until: datetime
) -> tuple[dict[int, int], dict[int, float]]:
    # Units sold and days in stock within the period, by item.
    sold: dict[int, int] = defaultdict(int)
    seconds: dict[int, float] = defaultdict(float)
    balance: dict[int, int] = defaultdict(int)
    since: dict[int, datetime] = {}
    movements = Movement.objects.filter(item__in=list(items), created_at__lt=until).order_by("pk")
    for pk, kind, delta, at in movements.values_list("item", "kind", "delta", "created_at").iterator():
        if balance[pk] > 0:
            seconds[pk] += max(0.0, (at - max(first, since[pk])).total_seconds())
        balance[pk] += delta
        since[pk] = at
        if kind == Kind.SALE and at >= first:
            sold[pk] -= delta
    for pk, units in balance.items():
        if units > 0:
            seconds[pk] += (until - max(first, since[pk])).total_seconds()
    return sold, defaultdict(float, {pk: total / 86400 for pk, total in seconds.items()})


def split_order(shares: Mapping[str, float], stock: Mapping[str, int], order: int) -> dict[str, int]:
    """Split `order` units so that stock and order together follow the shares as closely as they can.

    A size that has more than its share gets none, and the others share the rest. Fractions go to the largest remainders.
    """
    wanted = {size: share for size, share in shares.items() if share > 0}
    while wanted:
        total = order + sum(stock.get(size, 0) for size in wanted)
        per_share = total / sum(wanted.values())
        exact = {size: share * per_share - stock.get(size, 0) for size, share in wanted.items()}
        enough = [size for size, units in exact.items() if units < 0]
        if enough:
            wanted = {size: share for size, share in wanted.items() if size not in enough}
            continue
        whole = {size: int(units) for size, units in exact.items()}
        by_remainder = sorted(exact, key=lambda size: (whole[size] - exact[size], size))
        for size in by_remainder[: max(0, order - sum(whole.values()))]:
            whole[size] += 1
        return whole
    return {}


@dataclass(frozen=True)
class DaysLeft:
    """`sold`: in the last PACE_DAYS. `days`: None if none were sold."""

    item_id: int
    product_id: str
    name: str
    size: str
    units: int
    sold: int
    days: int | None


def days_left_by_size(now: datetime) -> list[DaysLeft]:
    """Counted sizes of visible products, those that are sold out first at the current pace. Two queries."""
    sold = units_sold(now - timedelta(days=PACE_DAYS), now)
    items = StockItem.objects.filter(
        is_listed=True, state=StockItem.State.COUNTED, product__deleted=False, product__active=True
    )
    rows = []
    for item in items.select_related("product").only("size", "on_hand", "pending", "product__name"):
        units = (item.on_hand or 0) + item.pending
        number = sold.get(item.pk, 0)
        rows.append(
            DaysLeft(
                item.pk,
                item.product_id,
                item.product.name,
                item.size,
                units,
                number,
                days_left(units, number),
            )
        )
    return sorted(rows, key=lambda row: (row.days is None, row.days or 0, -row.sold, row.name))


@dataclass(frozen=True)
class StockValue:
    """`value`: units at today's prices, in the minor unit of `currency`. `unpriced`: units without a price."""

    product_id: str
    name: str
    units: int
    value: int
    currency: str
    unpriced: int


def stock_value() -> list[StockValue]:
    """By product and currency, the most valuable first."""
    units: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in stock_rows():
        count = max(0, row.units or 0)
        sums = units[row.product_id, row.name, row.currency]
        sums[0] += count
        sums[1] += row.value
        sums[2] += count if row.price is None else 0
    rows = [
        StockValue(product, name, count, value, currency, unpriced)
        for (product, name, currency), (count, value, unpriced) in units.items()
        if count
    ]
    return sorted(rows, key=lambda row: (row.currency, -row.value, row.name))


@dataclass(frozen=True)
class DeadStock:
    """A size that lies there. `last_sale`: None if none was ever sold; `since`: when its ledger began."""

    item_id: int
    product_id: str
    name: str
    size: str
    units: int
    last_sale: datetime | None
    since: datetime
    value: int | None
    currency: str


def dead_stock(now: datetime, *, days: int) -> list[DeadStock]:
    """Sizes in stock for at least `days` of which none was sold in that time, the largest number first. One query."""
    before = now - timedelta(days=days)
    items = (
        StockItem.objects.filter(is_listed=True, state=StockItem.State.COUNTED, product__deleted=False)
        .annotate(
            units=F("on_hand") + F("pending"),
            last_sale=Max("movements__created_at", filter=Q(movements__kind=Kind.SALE)),
            since=Min("movements__created_at"),
        )
        .filter(Q(last_sale=None) | Q(last_sale__lt=before), units__gt=0, since__lt=before)
        .select_related("product")
    )
    rows = []
    for item in items:
        price = item.product.price_for(item.size)
        rows.append(
            DeadStock(
                item.pk,
                item.product_id,
                item.product.name,
                item.size,
                item.units,
                item.last_sale,
                item.since,
                None if price is None or price.unit_amount is None else price.unit_amount * item.units,
                price.currency if price else "",
            )
        )
    return sorted(rows, key=lambda row: (-row.units, row.name))


def categories() -> dict[str, str]:
    rows = Product.objects.filter(deleted=False).exclude(category_slug="").order_by("category_slug")
    return dict(rows.values_list("category_slug", "category").distinct())


def products_with_sizes() -> list[tuple[str, str]]:
    rows = Product.objects.filter(deleted=False).exclude(sizes=[]).order_by("name", "pk")
    return list(rows.values_list("pk", "name"))
