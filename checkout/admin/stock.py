"""Stock in the admin of orders: sizes to assign, returned goods, and units that were oversold."""

from __future__ import annotations

import re
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checkout.admin.base import OrderPages, to_order
from checkout.mail_pages import OutOfStockForm, out_of_stock_preview, preview_response
from checkout.models import Order, OrderLine
from checkout.orders import mails
from checkout.orders.assign_size import assign_size
from checkout.orders.returns import NotCounted, restock
from checkout.oversold_page import DecisionForm, decide, oversold_page
from inventory.models import StockItem
from inventory.stock.oversold import NothingOversold


class ReturnForm(forms.Form):
    token = forms.CharField(max_length=32)  # Makes a second click harmless.
    reason = forms.CharField(max_length=500, required=False)


class StockPages(OrderPages):
    def assign_size_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        self.require_operate(request)
        line = get_object_or_404(OrderLine, order_id=order_id, id=_number(request.POST.get("line")))
        items = StockItem.objects.filter(product=line.product_id) if line.product_id else StockItem.objects
        item = get_object_or_404(items, id=_number(request.POST.get("item")))
        if assign_size(line, item, now=timezone.now(), actor=request.user.get_username()):
            self.log_action(request, [line.order], f"Assigned the size: {item}.")
            self.message_user(request, _("Counted as %(item)s.") % {"item": item})
        else:
            self.message_user(request, _("This sale already has a size."), messages.WARNING)
        return to_order(order_id)

    def restock_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        self.require_operate(request)
        order = get_object_or_404(Order, id=order_id)
        units = {line.id: _number(request.POST.get(f"line-{line.id}")) for line in order.lines.all()}
        form = ReturnForm(request.POST)
        try:
            if not form.is_valid():
                errors = " ".join(str(error) for errors in form.errors.values() for error in errors)
                raise NotCounted(_("Nothing was returned to stock: %(reason)s") % {"reason": errors})
            added = restock(
                order,
                units,
                token=f"return:{form.cleaned_data['token']}",
                reason=form.cleaned_data["reason"],
                actor=request.user.get_username(),
            )
        except NotCounted as exc:
            self.message_user(request, str(exc), messages.ERROR)
        else:
            if added:
                self.log_action(request, [order], f"Returned to stock: {added}.")
            text = ngettext("%(count)d unit returned to stock.", "%(count)d units returned to stock.", added)
            self.message_user(
                request, text % {"count": added}, messages.SUCCESS if added else messages.WARNING
            )
        return to_order(order_id)

    def oversold_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("inventory.change_stockitem"):
            raise PermissionDenied
        context = {
            **self.page_context(request),
            "may_refund": self.has_refund_permission(request),
            "may_tell": self.has_operate_permission(request),
        }
        form = DecisionForm(request.POST) if request.method == "POST" else None
        if form is not None and form.is_valid():
            try:
                text = decide(form, actor=request.user.get_username())
            except NothingOversold as exc:
                form.add_error("units", str(exc))
            else:
                self.log_action(request, StockItem.objects.filter(pk=form.cleaned_data["item"]), text)
                self.message_user(request, text, messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:checkout_oversold"))
        return oversold_page(request, context, bound=form)

    def out_of_stock_view(self, request: HttpRequest, order_id: UUID, line_id: int) -> HttpResponse:
        """Tell a customer that a line is out of stock: a form with a preview, and the click that sends it."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        line = get_object_or_404(OrderLine.objects.select_related("order"), pk=line_id, order=order_id)
        form = OutOfStockForm(request.POST or None)
        if form.is_valid() and "preview" in request.POST:
            return preview_response(request, out_of_stock_preview(line, form.cleaned_data["note"]))
        if form.is_valid():
            if mails.tell_out_of_stock(line, note=form.cleaned_data["note"]):
                self.log_action(request, [line.order], f"Mailed that it is out of stock: {line}.")
                self.message_user(request, _("The mail is on its way."), messages.SUCCESS)
            else:
                text = _(
                    "Nothing was sent: the customer has this mail already, has no address, or it is off."
                )
                self.message_user(request, text, messages.WARNING)
            return to_order(order_id)
        context = {
            **self.page_context(request),
            "title": _("Out of stock"),
            "order": line.order,
            "line": line,
            "form": form,
            "mail": mails.out_of_stock_mail(line),
        }
        return TemplateResponse(request, "checkout/admin/out_of_stock.html", context)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        order = "<uuid:order_id>"
        out_of_stock = wrap(self.out_of_stock_view)
        pages = [
            path("oversold/", wrap(self.oversold_view), name="checkout_oversold"),
            path(f"{order}/assign-size/", wrap(self.assign_size_view), name="checkout_order_assign_size"),
            path(f"{order}/restock/", wrap(self.restock_view), name="checkout_order_restock"),
            path(f"{order}/out-of-stock/<int:line_id>/", out_of_stock, name="checkout_order_out_of_stock"),
        ]
        return [*pages, *super().get_urls()]


def _number(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text.strip()) else 0
