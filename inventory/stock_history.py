"""The history of a size in the admin: every movement, the stock over time, and what explain_stock says of it today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

from django.core.paginator import Page
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from config.charts import StepChart, step_chart
from config.paging import NearbyPaginator
from inventory.models import Movement, StockItem
from inventory.reports.pace import PACE_DAYS, days_left, recent_sales
from inventory.stock import explain
from inventory.stock.explain import LedgerLine

LINES_PER_PAGE = 100
CHART_MOVEMENTS = 2000  # The chart begins with the oldest of the newest so many.
MAX_POINTS = 300  # of the chart; more movements are thinned out
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
    page: Page[Movement]
    lines: list[HistoryLine]
    chart: StepChart
    since: datetime | None
    sold: int
    days: int | None

    @classmethod
    def load(cls, item: StockItem, page_number: str, now: datetime) -> History:
        page = NearbyPaginator(item.movements.order_by("-pk"), LINES_PER_PAGE, near=page_number).get_page(
            page_number
        )
        newest = list(
            item.movements.order_by("-pk").values_list("created_at", "delta")[: CHART_MOVEMENTS + 1]
        )
        sold = recent_sales(now).get(item.pk, 0)
        units = (item.on_hand or 0) + item.pending
        # The last line of each step is kept, so that the chart ends at today's stock.
        totals = accumulate([units, *(-delta for _at, delta in newest)])
        steps = [(at.timestamp(), after) for (at, _delta), after in zip(newest, totals, strict=False)]
        points = steps[:CHART_MOVEMENTS][:: -(-len(steps) // MAX_POINTS) or 1][::-1]
        return cls(
            item=item,
            sizes=list(StockItem.objects.filter(product=item.product_id, is_listed=True)),
            page=page,
            lines=[HistoryLine(line, source_of(line, item)) for line in lines_of(item, page, units)],
            chart=step_chart(points, until=now.timestamp()),
            since=newest[:CHART_MOVEMENTS][-1][0] if newest else None,
            sold=sold,
            days=days_left(units, sold) if item.state == StockItem.State.COUNTED else None,
        )

    @property
    def summary(self) -> str:
        if not self.since:
            return ""
        return _("Stock since %(since)s: between %(least)d and %(most)d units.") % {
            "since": date_format(timezone.localtime(self.since), "M j, Y"),
            "least": self.chart.bottom,
            "most": self.chart.top,
        }


def lines_of(item: StockItem, page: Page[Movement], units: int) -> list[LedgerLine]:
    """The movements of the page, with the sums before and after each, counted back from the `units` of today."""
    newer = item.movements.order_by("-pk")[: max(0, page.start_index() - 1)]
    after = units - (newer.aggregate(units=Sum("delta"))["units"] or 0 if page.number > 1 else 0)
    lines = []
    for movement in page.object_list.select_related("stock_update"):  # type: ignore[attr-defined]
        lines.append(LedgerLine(movement, after - movement.delta, after))
        after -= movement.delta
    return lines


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
        "pace_days": PACE_DAYS,
    }
    if "explain" in request.GET:
        # Adds up all movements of the size.
        shown |= {
            "state": list(explain.current_state(item)),
            "exchange": list(explain.exchange_with_stripe(item)),
        }
    return TemplateResponse(request, "inventory/admin/stock_history.html", {**context, **shown})
