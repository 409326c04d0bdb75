"""The reports of the admin: each is a form, a table whose bars are its chart, and the same table as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checkout.reports.restock import waiting_by_size
from checkout.reports.sales import Sales, sales_by, sales_by_day, start_of
from checkout.today import sales_chart
from config.charts import BarChart
from inventory.reports import stock_flow
from inventory.reports.csv_export import csv_lines, csv_response
from inventory.reports.pace import PACE_DAYS
from shop.money import as_decimal, format_money

DEFAULT_DAYS = 30
MAX_DAYS = 3700
MAX_CHART_DAYS = 92  # a bar for each day would be thinner than a hair beyond


@dataclass(frozen=True)
class Money:
    amount: int
    currency: str


@dataclass(frozen=True)
class Share:
    """From 0 to 1."""

    value: float


@dataclass(frozen=True)
class Link:
    """Text that leads to the history of a size."""

    text: str
    item_id: int


Value = str | int | Money | Share | Link | datetime | None


@dataclass(frozen=True)
class Row:
    """`bar`: length of the row's bar, from 0 to 1."""

    values: tuple[Value, ...]
    bar: float = 0.0

    @property
    def cells(self) -> list[tuple[str, bool, str]]:
        """Text, whether it is a number, and an address or "" for each value."""
        history = "admin:inventory_stockitem_history"
        return [
            (_text(value), False, reverse(history, args=[value.item_id]))
            if isinstance(value, Link)
            else (_text(value), not isinstance(value, str), "")
            for value in self.values
        ]

    @property
    def bar_width(self) -> str:
        return f"{100 * min(1.0, max(0.0, self.bar)):.1f}"


@dataclass(frozen=True)
class Table:
    """`note`: a sentence below the table. `chart`: sales by day, of the report that has them."""

    columns: Sequence[str]
    rows: list[Row]
    note: str = ""
    total: str = ""
    chart: BarChart | None = None
    chart_top: str = ""
    chart_summary: str = ""


def _text(value: Value) -> str:
    match value:
        case None:
            return "–"
        case Money():
            return format_money(value.amount, value.currency)
        case Share():
            return f"{100 * value.value:.0f}%"
        case Link():
            return value.text
        case datetime():
            return date_format(timezone.localtime(value), "M j, Y")
        case _:
            return str(value)


def _raw(value: Value) -> str | int | Decimal | datetime | None:
    match value:
        case Money():
            return as_decimal(value.amount, value.currency)
        case Share():
            return Decimal(f"{value.value:.4f}")
        case Link():
            return value.text
        case _:
            return value


def _with_bars(rows: list[tuple[tuple[Value, ...], float]]) -> list[Row]:
    # Bars relative to the longest.
    longest = max((length for _values, length in rows), default=0)
    return [Row(values, length / longest if longest > 0 else 0) for values, length in rows]


# --- Forms ------------------------------------------------------------------------------------


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class PeriodForm(forms.Form):
    first = forms.DateField(required=False, label=gettext_lazy("From"), widget=DateInput)
    last = forms.DateField(required=False, label=gettext_lazy("To"), widget=DateInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        today = timezone.localdate()
        last = cleaned.get("last") or today
        first = cleaned.get("first") or last - timedelta(days=DEFAULT_DAYS - 1)
        if not self.errors:
            if first > last:
                self.add_error("first", _("The first day is after the last."))
            elif (last - first).days > MAX_DAYS or first.year < 2000 or last > today + timedelta(days=366):
                self.add_error("first", _("Choose ten years at most, not before 2000."))
        return {**cleaned, "first": first, "last": last}


class SalesForm(PeriodForm):
    by = forms.ChoiceField(
        required=False,
        label=gettext_lazy("By"),
        choices=[
            ("product", gettext_lazy("product")),
            ("size", gettext_lazy("size")),
            ("color", gettext_lazy("color")),
            ("variant", gettext_lazy("product, size and color")),
        ],
    )


class SizeCurveForm(PeriodForm):
    of = forms.ChoiceField(required=False, label=gettext_lazy("Of"))
    order = forms.IntegerField(
        required=False, min_value=1, max_value=100_000, label=gettext_lazy("Next order, units")
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        groups = [(f"category:{slug}", name) for slug, name in stock_flow.categories().items()]
        products = [(f"product:{pk}", name) for pk, name in stock_flow.products_with_sizes()]
        chosen: list[Any] = [("", _("all products"))]
        chosen += [(_("Category"), groups)] if groups else []
        chosen += [(_("Product"), products)] if products else []
        self.fields["of"].choices = chosen  # type: ignore[attr-defined]


class DeadStockForm(forms.Form):
    days = forms.IntegerField(
        required=False, min_value=1, max_value=MAX_DAYS, label=gettext_lazy("Not sold for, days")
    )


# --- Reports ----------------------------------------------------------------------------------


def sales_table(asked: Mapping[str, Any]) -> Table:
    first, last, group = asked["first"], asked["last"], asked.get("by") or "product"
    lines = sales_by(group, first, last)
    names = {
        "product": [_("Product")],
        "size": [_("Size")],
        "color": [_("Color")],
        "variant": [_("Product"), _("Size"), _("Color")],
    }
    rows: list[tuple[tuple[Value, ...], float]] = []
    for line in lines:
        money = None if line.amount is None else Money(line.amount, line.currency)
        rows.append(((*[label or _("none") for label in line.labels], line.units, money), line.units))
    chart, currency = None, settings.SHOP_CURRENCY
    top = summary = ""
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    if len(days) <= MAX_CHART_DAYS:
        sales = sales_by_day(first, last)
        chart = sales_chart(sales, days, currency)
        top = format_money(chart.top, currency)
        whole = sum((sales.get((day, currency), Sales()) for day in days), Sales())
        facts = {"money": format_money(whole.amount, currency), "days": len(days)}
        summary = _("Sales by day: %(money)s in %(days)d days.") % facts
    return Table(
        columns=[*names[group], _("Units"), _("Sales")],
        rows=_with_bars(rows),
        total=_("%(units)d units") % {"units": sum(line.units for line in lines)},
        note=_("Prices before discounts, shipping and tax. Refunded units and refunded orders are left out."),
        chart=chart,
        chart_top=top,
        chart_summary=summary,
    )


def sell_through_table(asked: Mapping[str, Any]) -> Table:
    rows = stock_flow.sell_through(*_period(asked))
    return Table(
        columns=[
            _("Product"),
            _("At the start"),
            _("Received"),
            _("Sold"),
            _("At the end"),
            _("Sell-through"),
        ],
        rows=[
            Row(
                (
                    row.name,
                    row.start,
                    row.received,
                    row.sold,
                    row.left,
                    None if row.rate is None else Share(row.rate),
                ),
                row.rate or 0,
            )
            for row in rows
            if row.start or row.received or row.sold or row.left
        ],
        note=_("Sell-through: units sold, of those that were there at the start or received."),
    )


def size_curve_table(asked: Mapping[str, Any]) -> Table:
    what, _colon, which = (asked.get("of") or "").partition(":")
    first, until = _period(asked)
    order = asked.get("order") or 100
    curve = stock_flow.size_curve(
        first,
        min(until, timezone.now()),
        order=order,
        product_id=which if what == "product" else "",
        category=which if what == "category" else "",
    )
    rows: list[tuple[tuple[Value, ...], float]] = [
        ((row.size, row.sold, round(row.days), Share(row.share), row.units, row.order), row.share)
        for row in curve
    ]
    return Table(
        columns=[
            _("Size"),
            _("Sold"),
            _("Days in stock"),
            _("Demand"),
            _("In stock"),
            _("Order, of %(order)d") % {"order": order},
        ],
        rows=_with_bars(rows),
        note=_(
            "Demand is what was sold per day in stock, so a size that sold out early is not taken for one that nobody "
            "wants. The order fills up what is in stock to these shares."
        ),
    )


def days_left_table(asked: Mapping[str, Any]) -> Table:
    rows: list[tuple[tuple[Value, ...], float]] = [
        ((row.name, Link(row.size or _("one size"), row.item_id), row.units, row.sold, row.days), row.sold)
        for row in stock_flow.days_left_by_size(timezone.now())
    ]
    return Table(
        columns=[
            _("Product"),
            _("Size"),
            _("In stock"),
            _("Sold in %(days)d days") % {"days": PACE_DAYS},
            _("Days left"),
        ],
        rows=_with_bars(rows),
        note=_("At the pace of the last %(days)d days. The bars show what was sold.") % {"days": PACE_DAYS},
    )


def stock_value_table(asked: Mapping[str, Any]) -> Table:
    found = stock_flow.stock_value()
    rows: list[tuple[tuple[Value, ...], float]] = [
        ((row.name, row.units, Money(row.value, row.currency), row.unpriced), row.value) for row in found
    ]
    sums: dict[str, int] = {}
    for row in found:
        sums[row.currency] = sums.get(row.currency, 0) + row.value
    total = ", ".join(format_money(value, currency) for currency, value in sums.items())
    return Table(
        columns=[_("Product"), _("Units"), _("Value"), _("Without a price")],
        rows=_with_bars(rows),
        total=total,
        note=_("At today’s prices in the shop, not at what the goods cost you."),
    )


def dead_stock_table(asked: Mapping[str, Any]) -> Table:
    days = asked.get("days") or DEFAULT_DAYS
    rows: list[tuple[tuple[Value, ...], float]] = [
        (
            (
                row.name,
                Link(row.size or _("one size"), row.item_id),
                row.units,
                row.last_sale,
                None if row.value is None else Money(row.value, row.currency),
            ),
            row.units,
        )
        for row in stock_flow.dead_stock(timezone.now(), days=days)
    ]
    return Table(
        columns=[_("Product"), _("Size"), _("In stock"), _("Last sale"), _("Value")],
        rows=_with_bars(rows),
        note=_("In stock for at least %(days)d days, and none was sold in that time.") % {"days": days},
    )


def restock_table(asked: Mapping[str, Any]) -> Table:
    found = waiting_by_size()
    rows: list[tuple[tuple[Value, ...], float]] = [
        (
            (
                row.item.product.name,
                Link(row.item.size or _("one size"), row.item.pk),
                row.waiting,
                row.unconfirmed,
                row.item.available,
                row.mailed,
                row.last_wave,
                row.ended,
            ),
            row.waiting,
        )
        for row in found
    ]
    return Table(
        columns=[
            _("Product"),
            _("Size"),
            _("Waiting"),
            _("Not confirmed"),
            _("Available"),
            _("Mailed"),
            _("Last mails"),
            _("Ended"),
        ],
        rows=_with_bars(rows),
        total=_("%(number)d waiting") % {"number": sum(row.waiting for row in found)},
        note=_(
            "Customers who asked to be mailed when a sold-out size is back, by how many wait. Ended: unsubscribed, no longer "
            "sold, waited too long, or the address was refused."
        ),
    )


def _period(asked: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return start_of(asked["first"]), start_of(asked["last"] + timedelta(days=1))


@dataclass(frozen=True)
class Report:
    title: str | Promise
    form: type[forms.Form]
    table: Callable[[Mapping[str, Any]], Table]
    defaults: Mapping[str, Any] = field(default_factory=dict)


REPORTS = {
    "sales": Report(gettext_lazy("Sales"), SalesForm, sales_table),
    "sell-through": Report(gettext_lazy("Sell-through"), PeriodForm, sell_through_table),
    "size-curve": Report(gettext_lazy("Size curve"), SizeCurveForm, size_curve_table, {"order": 100}),
    "days-left": Report(gettext_lazy("Days left"), forms.Form, days_left_table),
    "stock-value": Report(gettext_lazy("Stock value"), forms.Form, stock_value_table),
    "back-in-stock": Report(gettext_lazy("Back in stock"), forms.Form, restock_table),
    "dead-stock": Report(gettext_lazy("Dead stock"), DeadStockForm, dead_stock_table, {"days": DEFAULT_DAYS}),
}


# --- The page ---------------------------------------------------------------------------------


def report_view(request: HttpRequest, name: str = "sales") -> HttpResponseBase:
    if not request.user.has_perm("checkout.view_reports"):
        raise PermissionDenied
    report = REPORTS.get(name)
    if report is None:
        raise Http404
    # The first value of each name.
    asked = {name: str(text) for name, text in request.GET.items() if text and name != "format"}
    form = report.form({**report.defaults, **asked})
    table = None
    if form.is_valid():
        table = report.table(form.cleaned_data)
        # The form shows the days that were taken in place of empty ones.
        taken = {name: form.cleaned_data[name] for name in ("first", "last") if name in form.fields}
        form.data = {**form.data, **{name: day.isoformat() for name, day in taken.items()}}
    if table and request.GET.get("format") == "csv":
        rows = ([_raw(value) for value in row.values] for row in table.rows)
        return csv_response(csv_lines(list(table.columns), rows), name)
    periods = []
    if issubclass(report.form, PeriodForm):
        # Usual periods; what else was asked for stays.
        rest = {name: text for name, text in asked.items() if name != "last"}
        for days in (7, 30, 90, 365):
            first = timezone.localdate() - timedelta(days=days - 1)
            address = f"?{urlencode({**rest, 'first': first.isoformat()})}"
            periods.append((_("%(days)d days") % {"days": days}, address))
    shown = {
        "title": report.title,
        "form": form,
        "table": table,
        "reports": [(slug, each.title, slug == name) for slug, each in REPORTS.items()],
        "periods": periods,
        "csv": f"?{urlencode({**asked, 'format': 'csv'})}",
    }
    return TemplateResponse(request, "checkout/admin/report.html", {**site.each_context(request), **shown})
