"""The stock grid of the admin: products down, sizes across, whole deliveries and counts saved at once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from inventory.models import Movement, OversoldDecision, StockItem
from inventory.stock import oversold
from inventory.stock.changes import Change, ChangeRefused, Verb, apply_changes, parse_number, plan
from shop.models import Product
from shop.storefront import size_sort_key

PRODUCTS_PER_PAGE = 200
MODES = {"receive": Verb.RECEIVE, "count": Verb.COUNT}


class GridFilter(forms.Form):
    """What the address asks for; anything invalid counts as not asked for."""

    mode = forms.ChoiceField(choices=[(mode, mode) for mode in MODES], required=False)
    q = forms.CharField(max_length=100, required=False, label=gettext_lazy("Product"))
    low = forms.BooleanField(required=False, label=gettext_lazy("Only low or sold out"))
    page = forms.IntegerField(min_value=1, max_value=100_000, required=False)


class GridForm(forms.Form):
    """`token` makes saving idempotent: a double click is counted once."""

    reason = forms.CharField(max_length=500, label=gettext_lazy("Reason"))
    token = forms.CharField(max_length=64, widget=forms.HiddenInput)

    @classmethod
    def blank(cls, mode: str) -> GridForm:
        day = date_format(timezone.localdate(), "Y-m-d")
        reason = _("Stocktaking %(day)s") if mode == "count" else _("Delivery %(day)s")
        return cls(initial={"reason": reason % {"day": day}, "token": secrets.token_hex(16)})


@dataclass
class Cell:
    """One size. `typed` and `error` are what a refused form brought back."""

    item: StockItem
    typed: str = ""
    error: str = ""

    @property
    def units(self) -> int:
        return (self.item.on_hand or 0) + self.item.pending

    @property
    def is_counted(self) -> bool:
        return self.item.state == StockItem.State.COUNTED

    @property
    def level(self) -> str:
        if not self.is_counted or self.units > settings.LOW_STOCK_THRESHOLD:
            return ""
        return "low" if self.units > 0 else "out"


@dataclass
class Line:
    product: Product
    cells: list[Cell | None]


@dataclass
class Grid:
    """The rows of one page. `sizes`: the columns; a product has None where it lacks a size."""

    mode: str
    query: str
    only_low: bool
    page: Page[str]
    sizes: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @classmethod
    def load(cls, parameters: QueryDict) -> Grid:
        asked = GridFilter(parameters)
        asked.is_valid()
        query, only_low = asked.cleaned_data.get("q", ""), bool(asked.cleaned_data.get("low"))
        items = StockItem.objects.filter(is_listed=True, product__deleted=False)
        for term in query.casefold().split()[:8]:
            items = items.filter(Q(product__search_text__contains=term) | Q(product__id__icontains=term))
        products = items
        if only_low:
            low = Q(on_hand__lte=settings.LOW_STOCK_THRESHOLD - F("pending"))
            products = items.filter(low, state=StockItem.State.COUNTED)
        ids = products.order_by("product__name", "product_id").values_list("product_id", flat=True).distinct()
        page = Paginator(ids, PRODUCTS_PER_PAGE).get_page(asked.cleaned_data.get("page") or 1)

        by_product: dict[str, dict[str, StockItem]] = {pk: {} for pk in page.object_list}
        shown = StockItem.objects.filter(product__in=list(by_product), is_listed=True)
        # The large columns of the product would be read once per size.
        shown = shown.select_related("product").defer(
            "product__description", "product__metadata", "product__prices", "product__search_text"
        )
        for item in with_owed(shown):
            by_product[item.product_id][item.size] = item
        columns = sorted({size for sizes in by_product.values() for size in sizes}, key=size_sort_key)
        lines = [
            Line(
                next(iter(sizes.values())).product,
                [Cell(sizes[size]) if size in sizes else None for size in columns],
            )
            for sizes in by_product.values()
            if sizes
        ]
        mode = asked.cleaned_data.get("mode") or "receive"
        return cls(mode, query, only_low, page, columns, lines)

    @property
    def cells(self) -> dict[int, Cell]:
        return {cell.item.pk: cell for line in self.lines for cell in line.cells if cell}

    @property
    def address(self) -> str:
        return self._query(mode=self.mode, page=str(self.page.number) if self.page.number > 1 else "")

    @property
    def other_mode(self) -> str:
        return self._query(mode="count" if self.mode == "receive" else "receive")

    @property
    def previous_page(self) -> str:
        return self._query(mode=self.mode, page=str(self.page.number - 1)) if self.page.has_previous() else ""

    @property
    def next_page(self) -> str:
        return self._query(mode=self.mode, page=str(self.page.number + 1)) if self.page.has_next() else ""

    def _query(self, **parts: str) -> str:
        asked = {"q": self.query, "low": "1" if self.only_low else "", **parts}
        return "?" + urlencode({name: value for name, value in asked.items() if value})


def with_owed(items: QuerySet[StockItem]) -> QuerySet[StockItem]:
    """Each with `owed`: the units that its next delivery has to cover, or None."""
    decisions = OversoldDecision.objects.filter(item=OuterRef("pk"), owed__gt=0).order_by()
    return items.annotate(owed=Subquery(decisions.values("item").annotate(units=Sum("owed")).values("units")))


def save(grid: Grid, form: GridForm, posted: Mapping[str, str], actor: str) -> list[Movement]:
    """Record what was typed into the grid, all of it or nothing; refused cells get their error.

    Raises ChangeRefused. In count mode a size whose stock changed since the page was opened is refused, because the count
    may have been made before or after. A delivery is added whatever happened meanwhile.
    """
    verb, cells = MODES[grid.mode], grid.cells
    wanted: list[tuple[StockItem, int]] = []
    expected: dict[int, int] = {}
    for pk, cell in cells.items():
        cell.typed = posted.get(f"u{pk}", "").strip()
        if not cell.typed:
            continue
        try:
            wanted.append((cell.item, parse_number(cell.typed)))
        except ChangeRefused as exc:
            cell.error = str(exc)
        seen = posted.get(f"w{pk}", "")
        if verb == Verb.COUNT and seen.lstrip("-").isdecimal():
            expected[pk] = int(seen)
    if any(cell.error for cell in cells.values()):
        raise ChangeRefused(_("Nothing was saved. See the fields marked below."))
    if not wanted:
        raise ChangeRefused(_("Type at least one number."))
    reference = f"form:{form.cleaned_data['token']}"
    changes: list[Change] = plan(verb, wanted, reference=reference)
    try:
        return apply_changes(
            changes, reference=reference, reason=form.cleaned_data["reason"], actor=actor, expected=expected
        )
    except ChangeRefused as exc:
        for pk, why in exc.by_item.items():
            cells[pk].error = why
        raise ChangeRefused(_("Nothing was saved. See the fields marked below.")) from exc


def grid_view(
    request: HttpRequest, context: dict[str, Any], log: Callable[[Iterable[StockItem], str], None]
) -> HttpResponse:
    """The page. `context`: the admin site's; `log`: of what was done.

    The caller has checked the permission to change stock.
    """
    grid = Grid.load(request.GET)
    form = GridForm(request.POST) if request.method == "POST" else GridForm.blank(grid.mode)
    if form.is_valid():
        try:
            movements = save(grid, form, request.POST, request.user.get_username())
        except ChangeRefused as exc:
            form.add_error(None, str(exc))
        else:
            reason = form.cleaned_data["reason"]
            done = _("Counted: %(reason)s") if grid.mode == "count" else _("Received: %(reason)s")
            log([movement.item for movement in movements], done % {"reason": reason})
            messages.success(request, _saved_text(movements))
            return redirect(reverse("admin:inventory_stock_grid") + grid.address)
    shown = {"grid": grid, "form": form, "title": _("Stock grid"), "is_count": grid.mode == "count"}
    return TemplateResponse(request, "inventory/admin/stock_grid.html", {**context, **shown})


def _saved_text(movements: list[Movement]) -> str:
    if not movements:
        return _("Nothing changed: this was saved before, or the counts were the same.")
    number, units = len(movements), sum(movement.delta for movement in movements)
    text = ngettext("%(n)d size changed, %(units)s units.", "%(n)d sizes changed, %(units)s units.", number)
    parts = [text % {"n": number, "units": f"{units:+d}"}]
    parts += [oversold.covered_text(movements[0].reference), _("The worker updates Stripe within seconds.")]
    return " ".join(filter(None, parts))


def state_of(request: HttpRequest) -> JsonResponse:
    """For the items in the query string, as JSON: id to the units on their way to Stripe, and the held ones."""
    ids = [pk for pk in request.GET.get("ids", "").split(",")[:500] if pk.isdecimal() and len(pk) < 19]
    items = StockItem.objects.filter(pk__in=ids)
    return JsonResponse({str(item.pk): {"pending": item.pending, "held": item.held} for item in items})
