"""CSV out of and into the admin: stock, count sheets and movements as downloads, and changes of stock from a file."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import IO, Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from inventory.csv_files import CsvProblem, Table
from inventory.reports.csv_export import csv_lines, csv_response
from inventory.reports.stock_report import csv_lines as stock_lines
from inventory.reports.stock_report import stock_rows
from inventory.stock import files, oversold
from inventory.stock.changes import Verb

MAX_SHOWN = 200
SALT = "inventory.stock-file"
MAX_AGE = 24 * 3600  # seconds between a preview and its confirmation
COUNT_SHEET = ["Product ID", "Product Name", "Size", "Was", "Count"]
MOVEMENTS = [
    "When",
    "Product ID",
    "Product Name",
    "Size",
    "Kind",
    "Difference",
    "Reason",
    "By",
    "Reference",
    "At Stripe",
]


def shown_rows(admin: ModelAdmin[Any], request: HttpRequest) -> QuerySet[Any]:
    """The rows of the admin's list with the filters of this request, all of them if those are invalid."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    try:
        rows: QuerySet[Any] = admin.get_changelist_instance(request).get_queryset(request)
    except IncorrectLookupParameters:
        rows = admin.get_queryset(request)
    return rows


def stock_csv(admin: ModelAdmin[Any], request: HttpRequest) -> StreamingHttpResponse:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    return csv_response(stock_lines(stock_rows()), "stock")


def count_sheet_csv(admin: ModelAdmin[Any], request: HttpRequest) -> StreamingHttpResponse:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    return csv_response(csv_lines(COUNT_SHEET, files.count_sheet()), "count-sheet")


def movements_csv(admin: ModelAdmin[Any], request: HttpRequest) -> StreamingHttpResponse:
    rows = shown_rows(admin, request).select_related("item__product").order_by("pk")
    rows = rows.defer("item__product__description", "item__product__metadata", "item__product__search_text")
    cells = (
        [
            row.created_at,
            row.item.product_id,
            row.item.product.name,
            row.item.size,
            row.kind,
            row.delta,
            row.reason,
            row.actor,
            row.reference,
            row.published_at,
        ]
        for row in rows.iterator(chunk_size=1000)
    )
    return csv_response(csv_lines(MOVEMENTS, cells), "movements")


# --- A file that changes the stock --------------------------------------------------------------


class StockFileForm(forms.Form):
    MODES = [
        (Verb.RECEIVE.value, gettext_lazy("Add: the numbers arrived and are added")),
        (Verb.COUNT.value, gettext_lazy("Set: the numbers are what is on the shelf")),
    ]
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )
    mode = forms.ChoiceField(label=gettext_lazy("The numbers are"), choices=MODES, widget=forms.RadioSelect)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)


def stock_file_view(
    request: HttpRequest, context: dict[str, Any], log: Callable[[str, str], None]
) -> HttpResponse:
    """Choose a file, see what it would change, confirm. `context`: the admin site's; `log`: of what was done.

    The caller has checked the permission to change stock. What was seen is signed and sent along with the confirmation,
    so no server needs to remember it.
    """
    if request.method == "POST" and "seen" in request.POST:
        return _confirm(request, context, log)
    day = timezone.localdate().isoformat()
    initial = {"mode": Verb.RECEIVE.value, "reason": _("File of %(day)s") % {"day": day}}
    if request.method != "POST":
        return _page(request, context, form=StockFileForm(initial=initial))
    form = StockFileForm(request.POST, request.FILES)
    if form.is_valid():
        file: UploadedFile[Any] = form.cleaned_data["file"]
        try:
            plan = {
                "mode": form.cleaned_data["mode"],
                "reason": form.cleaned_data["reason"],
                "reference": f"file:{secrets.token_hex(16)}",
                "user": request.user.pk,
            }
            found = files.preview(
                Table(cast("IO[bytes]", file.file), file.name or "file"), Verb(plan["mode"]), reference=""
            )
        except CsvProblem as exc:
            form.add_error("file", str(exc))
        else:
            return _page(request, context, form=form, **_shown(found, plan))
    return _page(request, context, form=form)


def _shown(found: files.Preview, plan: dict[str, Any], moved: list[str] | None = None) -> dict[str, Any]:
    lines = [[change.item_id, change.number, change.was] for change in found.changes]
    may_confirm = bool(lines) and not found.problems
    return {
        "preview": found,
        "plan": plan,
        "moved": (moved or [])[:MAX_SHOWN],
        "changes": found.changes[:MAX_SHOWN],
        "more_changes": len(found.changes) - MAX_SHOWN,
        "problems": found.problems[:MAX_SHOWN],
        "more_problems": len(found.problems) - MAX_SHOWN,
        "stale": found.stale[:MAX_SHOWN],
        "more_stale": len(found.stale) - MAX_SHOWN,
        "seen": signing.dumps({**plan, "lines": lines}, salt=SALT, compress=True) if may_confirm else "",
    }


def _confirm(request: HttpRequest, context: dict[str, Any], log: Callable[[str, str], None]) -> HttpResponse:
    try:
        plan = signing.loads(request.POST["seen"], salt=SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        plan = {}
    if plan.get("user") != request.user.pk:
        messages.error(request, _("The preview is too old, or not yours. Choose the file again."))
        return redirect("admin:inventory_stock_file")
    lines = plan.pop("lines")
    try:
        new = files.record(
            ((pk, number, was) for pk, number, was in lines),
            Verb(plan["mode"]),
            reference=plan["reference"],
            reason=plan["reason"],
            actor=request.user.get_username(),
        )
    except files.CountsMoved as exc:
        found = files.preview_again(lines, Verb(plan["mode"]))
        return _page(request, context, form=StockFileForm(initial=plan), **_shown(found, plan, exc.moved))
    text = ngettext("%(n)d count changed.", "%(n)d counts changed.", new) % {"n": new}
    if new:
        what = (
            _("Added the numbers of a file")
            if plan["mode"] == Verb.RECEIVE
            else _("Set the numbers of a file")
        )
        log(f"{what}: {text}", plan["reason"])
        text = " ".join(filter(None, [text, oversold.covered_text(plan["reference"])]))
    else:
        text = _("Nothing changed: this file was saved before, or the counts were the same.")
    messages.success(request, text)
    return redirect("admin:inventory_stockitem_changelist")


def _page(request: HttpRequest, context: dict[str, Any], **shown: Any) -> HttpResponse:
    page = {"title": _("Stock file"), "list_url": reverse("admin:inventory_stockitem_changelist"), **shown}
    return TemplateResponse(request, "inventory/admin/stock_file.html", {**context, **page})
