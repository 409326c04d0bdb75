"""What the admin's first page says of stock: sizes that run low, what needs a person, and the state of the sync."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Case as CaseExpression
from django.db.models import Count, F, Max, Min, Q, When, Window
from django.urls import reverse
from django.utils.translation import gettext as _

from inventory.models import Issue, StockItem
from inventory.reports.pace import PACE_DAYS, days_left, recent_sales
from shop.models import Product

MAX_TASKS = 6  # named on the page, of each kind
MAX_PRODUCTS = 8
COUNTED_UP_TO = 100  # beyond that a number ends in a plus
SOON = 14  # days; a size that lasts no longer is shown even if its stock is not low
BEST_SELLERS = 200  # sizes whose days left are watched


@dataclass(frozen=True)
class LowSize:
    """`sold`: in the last PACE_DAYS; `days`: until none is left at that pace, None if none were sold."""

    item: StockItem
    units: int
    sold: int
    days: int | None

    @property
    def is_out(self) -> bool:
        return self.units <= 0

    @property
    def urgency(self) -> tuple[int, int]:
        # Sizes that sell come first, the soonest before the others; of those that are sold out, the best seller.
        return (self.days if self.days is not None else 10_000, -self.sold)


@dataclass(frozen=True)
class LowProduct:
    product: Product
    sizes: list[LowSize]


@dataclass(frozen=True)
class Task:
    """Something that needs a person. `url`: where it is done."""

    title: str
    text: str
    url: str


@dataclass(frozen=True)
class Tasks:
    """`more`: where the rest of them are listed."""

    shown: list[Task]
    number: int
    more: str

    @property
    def count(self) -> str:
        return f"{COUNTED_UP_TO}+" if self.number > COUNTED_UP_TO else str(self.number)


@dataclass(frozen=True)
class LowStock:
    products: list[LowProduct]
    sizes: int
    unknown: Tasks
    waiting: int  # units that are on their way to Stripe


@dataclass(frozen=True)
class SyncState:
    """Times of the newest and the oldest refresh of a product; None before the first."""

    newest: datetime | None
    oldest: datetime | None
    products: int
    problems: Tasks


def open_issues() -> Tasks:
    # Requests of customers have a section of their own.
    found = Issue.objects.filter(closed_at=None).exclude(kind=Issue.Kind.CUSTOMER_REQUEST)
    issues = list(found.order_by("-id")[: COUNTED_UP_TO + 1])
    shown = [
        Task(
            str(issue),
            issue.text.partition("\n")[0],
            reverse("admin:inventory_issue_change", args=[issue.pk]),
        )
        for issue in issues[:MAX_TASKS]
    ]
    return Tasks(shown, len(issues), f"{reverse('admin:inventory_issue_changelist')}?closed_at__isempty=1")


def low_stock(now: datetime) -> LowStock:
    """Sizes that are sold out, low or soon sold out. One query, and a second if the recent sales are not cached."""
    sold = recent_sales(now)
    best = sorted(sold, key=sold.__getitem__, reverse=True)[:BEST_SELLERS]
    # More than the best seller sells in SOON days lasts in any case.
    sells_out = Q(pk__in=best, units__lte=sold[best[0]] * SOON // PACE_DAYS if best else 0)
    is_low = Q(units__lte=settings.LOW_STOCK_THRESHOLD) | sells_out
    wanted = Q(state=StockItem.State.UNKNOWN) | ~Q(pending=0) | (Q(state=StockItem.State.COUNTED) & is_low)
    items = StockItem.objects.filter(is_listed=True, product__active=True, product__deleted=False)
    items = items.annotate(units=F("on_hand") + F("pending")).filter(wanted).select_related("product")
    # The large columns would be read once per size.
    items = items.defer(
        "product__description", "product__metadata", "product__prices", "product__search_text"
    )
    low: list[LowSize] = []
    unknown: list[Task] = []
    waiting = 0
    for item in items.order_by("product__name", "product_id", "position"):
        waiting += abs(item.pending)
        if item.state == StockItem.State.UNKNOWN:
            page = reverse("admin:inventory_stockitem_change", args=[item.pk])
            unknown.append(Task(_("%(item)s is not for sale") % {"item": item}, item.problem, page))
        elif item.state == StockItem.State.COUNTED:
            units = (item.on_hand or 0) + item.pending
            size = LowSize(item, units, sold.get(item.pk, 0), days_left(units, sold.get(item.pk, 0)))
            if units <= settings.LOW_STOCK_THRESHOLD or (size.days is not None and size.days <= SOON):
                low.append(size)
    listed = f"{reverse('admin:inventory_stockitem_changelist')}?state__exact={StockItem.State.UNKNOWN}"
    products: dict[str, LowProduct] = {}
    for size in low:
        products.setdefault(size.item.product_id, LowProduct(size.item.product, [])).sizes.append(size)
    most_urgent = sorted(products.values(), key=lambda product: min(size.urgency for size in product.sizes))
    return LowStock(
        products=most_urgent[:MAX_PRODUCTS],
        sizes=len(low),
        unknown=Tasks(unknown[:MAX_TASKS], len(unknown), listed),
        waiting=waiting,
    )


def sync_state() -> SyncState:
    """One query: products with a problem come first, and each row brings the figures of all products along."""
    is_paused = Q(sync__pause_reason__gt="")
    has_problem = is_paused | (Q(active=True) & ~Q(problems=[]))
    products = (
        Product.objects.filter(deleted=False)
        .select_related("sync")
        .annotate(
            has_problem=CaseExpression(When(has_problem, then=True), default=False),
            newest=Window(Max("sync__refreshed_at")),
            oldest=Window(Min("sync__refreshed_at")),
            total=Window(Count("pk")),
            ill=Window(Count("pk", filter=has_problem)),
        )
    )
    products = products.only("name", "problems", "sync__pause_reason", "sync__pause_detail")
    rows: list[Any] = list(products.order_by("-has_problem", "name", "pk")[:MAX_TASKS])
    more = f"{reverse('admin:shop_product_changelist')}?problems=yes"
    if not rows:
        return SyncState(None, None, 0, Tasks([], 0, more))
    problems = []
    for product in (product for product in rows if product.has_problem):
        if paused := product.sync.pause_text if hasattr(product, "sync") else "":
            page = reverse("admin:inventory_productsync_change", args=[product.pk])
        else:
            page = reverse("admin:shop_product_change", args=[product.pk])
        problems.append(Task(str(product), paused or str(product.problems[0]), page))
    return SyncState(rows[0].newest, rows[0].oldest, rows[0].total, Tasks(problems, rows[0].ill, more))
