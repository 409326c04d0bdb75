"""The history of a size in the admin: every movement, the stock over time, and what explain_stock says of it today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from config.charts import StepChart, step_chart
from inventory.models import StockItem
from inventory.reports.pace import PACE_DAYS, days_left, recent_sales
from inventory.stock import explain
from inventory.stock.explain import LedgerLine

LINES_PER_PAGE = 100
MAX_POINTS = 300  # of the chart; a longer history is thinned out
ORDER, REQUEST = "order:", "request:"


@dataclass(frozen=True)
class HistoryLine:
    """`source`: where the order or the events behind the movement are shown, "" if there is no such page."""

    line: LedgerLine
    source: str


@dataclass(frozen=True)
class History:
    item: StockItem
    sizes: list[StockItem]
    page: Page[LedgerLine]
    chart: StepChart
    since: datetime | None
    sold: int
    days: int | None

    @classmethod
    def load(cls, item: StockItem, page_number: str, now: datetime) -> History:
        lines = list(explain.ledger_lines(item))
        sold = recent_sales(now).get(item.pk, 0)
        units = (item.on_hand or 0) + item.pending
        # The last line of each step is kept, so that the chart ends at today's stock.
        shown = lines[::-1][:: -(-len(lines) // MAX_POINTS) or 1][::-1]
        points = [(line.movement.created_at.timestamp(), line.after) for line in shown]
        return cls(
            item=item,
            sizes=list(StockItem.objects.filter(product=item.product_id, is_listed=True)),
            page=Paginator(lines[::-1], LINES_PER_PAGE).get_page(page_number),
            chart=step_chart(points, until=now.timestamp()),
            since=lines[0].movement.created_at if lines else None,
            sold=sold,
            days=days_left(units, sold) if item.state == StockItem.State.COUNTED else None,
        )

    @property
    def lines(self) -> list[HistoryLine]:
        return [HistoryLine(line, source_of(line, self.item)) for line in self.page]

    @property
    def summary(self) -> str:
        if not self.since:
            return ""
        return _("Stock since %(since)s: between %(least)d and %(most)d units.") % {
            "since": date_format(timezone.localtime(self.since), "M j, Y"),
            "least": self.chart.bottom,
            "most": self.chart.top,
        }


def source_of(line: LedgerLine, item: StockItem) -> str:
    reference = line.movement.reference
    if reference.startswith(ORDER):
        try:
            order = UUID(reference.removeprefix(ORDER).partition(":")[0])
        except ValueError:
            return ""
        return reverse("admin:checkout_order_change", args=[order])
    if reference.startswith(REQUEST):
        return f"{reverse('admin:inventory_stripeevent_changelist')}?q={item.product_id}"
    return ""


def history_view(request: HttpRequest, item: StockItem, context: dict[str, Any]) -> HttpResponse:
    """The page. `context`: the admin site's. The caller has checked the permission to see the item."""
    history = History.load(item, request.GET.get("page", ""), timezone.now())
    shown = {
        "history": history,
        "item": item,
        "title": _("History of %(item)s") % {"item": item},
        "state": list(explain.current_state(item)),
        "exchange": list(explain.exchange_with_stripe(item)),
        "pace_days": PACE_DAYS,
    }
    return TemplateResponse(request, "inventory/admin/stock_history.html", {**context, **shown})
