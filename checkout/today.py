"""The admin's first page: orders to pack, what was sold, low stock, what needs attention, and the sync with Stripe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, OuterRef, Subquery, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checkout.models import Order, OrderLine
from checkout.reports.restock import waiting_customers
from checkout.reports.sales import Sales, SalesByDay, currencies, recent_sales_by_day, total
from checkout.request_decisions import open_requests, returns_in_progress
from config.charts import BarChart, bar_chart
from config.stripe_dashboard import key_mode
from inventory import overview
from shop.money import format_money

CHART_DAYS = 30  # and as many before them, to compare with
NEXT_TO_PACK = 6  # named on the page
COUNTED_UP_TO = 100  # beyond that a number ends in a plus


@dataclass(frozen=True)
class Period:
    """Sales of a period in one currency. `change`: against as many days before, "" if nothing was sold in them."""

    name: str
    sales: Sales
    money: str
    change: str = ""


@dataclass(frozen=True)
class SalesPanel:
    """One currency: the shop's own, or another that was paid in."""

    currency: str
    periods: list[Period]
    chart: BarChart
    top: str

    @property
    def summary(self) -> str:
        month = self.periods[-1]
        return _("Sales by day, last %(days)d days: %(money)s in %(orders)s.") % {
            "days": CHART_DAYS,
            "money": month.money,
            "orders": order_count(month.sales.orders),
        }


@dataclass(frozen=True)
class ToPack:
    """`orders`: the oldest of them, annotated with their `units`."""

    orders: Sequence[Order]
    number: int

    @property
    def count(self) -> str:
        return f"{COUNTED_UP_TO}+" if self.number > COUNTED_UP_TO else str(self.number)


def today_context(request: HttpRequest) -> dict[str, Any]:
    """The sections that the user may see; the others are None."""
    now, may = timezone.now(), request.user.has_perm
    today = timezone.localdate(now)
    stock = overview.low_stock(now) if may("inventory.view_stockitem") else None
    return {
        "today": today,
        "mode": key_mode(),
        "stripe_dashboard": settings.STRIPE_DASHBOARD,
        "to_pack": to_pack() if may("checkout.view_order") else None,
        "requests": open_requests() if may("checkout.view_order") else None,
        "returns": returns_in_progress() if may("checkout.view_order") else None,
        "sales": sales_panels(now) if may("checkout.view_reports") else None,
        "stock": stock,
        "waiting": waiting_customers() if may("checkout.view_reports") else None,
        "issues": overview.open_issues() if may("inventory.view_issue") else None,
        "sync": overview.sync_state() if may("inventory.view_productsync") else None,
    }


def to_pack() -> ToPack:
    # A limit instead of a count, and no join: what the page costs must not grow with the orders.
    lines = OrderLine.objects.filter(order=OuterRef("pk")).values("order")
    units = lines.annotate(units=Sum(F("quantity") - F("quantity_refunded"))).values("units")
    orders = Order.objects.to_pack().order_by("paid_at", "pk").annotate(units=Subquery(units))
    found = list(orders.only("id", "name", "email", "paid_at", "total", "currency")[: COUNTED_UP_TO + 1])
    return ToPack(found[:NEXT_TO_PACK], len(found))


def sales_panels(now: datetime) -> list[SalesPanel]:
    sales, today = recent_sales_by_day(now), timezone.localdate(now)
    return [_panel(sales, today, currency) for currency in currencies(sales, settings.SHOP_CURRENCY)]


def _panel(sales: SalesByDay, today: date, currency: str) -> SalesPanel:
    def sold(newest: int, oldest: int) -> Sales:
        return total(sales, (today - timedelta(days=ago) for ago in range(newest, oldest)), currency)

    # A day that has just begun is not compared with a whole one.
    periods = [Period(_("Today"), sold(0, 1), format_money(sold(0, 1).amount, currency))]
    for days in (7, CHART_DAYS):
        now, before = sold(0, days), sold(days, 2 * days)
        if not sold(2 * days - days // 3, 2 * days).orders:
            before = Sales()  # The shop may have opened in between.
        name = _("Last %(days)d days") % {"days": days}
        change = change_text(now.amount, before.amount, days)
        periods.append(Period(name, now, format_money(now.amount, currency), change))
    chart = sales_chart(sales, [today - timedelta(days=ago) for ago in reversed(range(CHART_DAYS))], currency)
    return SalesPanel(currency, periods, chart, format_money(chart.top, currency))


def change_text(amount: int, before: int, days: int) -> str:
    if before <= 0:
        return ""
    percent = f"{round(100 * (amount - before) / before):+d}%".replace("-", "−")
    return _("%(percent)s on the %(days)d days before") % {"percent": percent, "days": days}


def sales_chart(sales: SalesByDay, days: Sequence[date], currency: str) -> BarChart:
    bars = []
    for day in days:
        sold = sales.get((day, currency), Sales())
        text = f"{format_money(sold.amount, currency)}, {order_count(sold.orders)}"
        bars.append((date_format(day, "M j"), text, sold.amount))
    return bar_chart(bars)


def order_count(number: int) -> str:
    return ngettext("%(n)d order", "%(n)d orders", number) % {"n": number}
