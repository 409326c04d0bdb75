"""Orders in the admin: read-only, except for assigning a size and returning units to stock."""

from __future__ import annotations

import re
import secrets
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from checkout.models import Order, OrderLine
from checkout.orders.assign_size import assign_size
from checkout.orders.returns import NotCounted, restock, returnable_lines
from config.admin import ReadOnlyMixin, ReadOnlyModelAdmin
from config.dates import format_local
from inventory.models import Movement, StockItem
from shop.money import format_money


class ReturnForm(forms.Form):
    token = forms.CharField(max_length=32)  # Makes a second click harmless.
    reason = forms.CharField(max_length=500, required=False)


class Lines(ReadOnlyMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    fields = ["name", "size", "color", "quantity", "unit_price", "counted_as", "needs_size"]
    readonly_fields = ["unit_price", "counted_as"]
    verbose_name_plural = gettext_lazy("lines")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("item", "order")

    @admin.display(description=gettext_lazy("unit price"))
    def unit_price(self, line: OrderLine) -> str:
        return _money(line.unit_amount, line.order.currency)

    @admin.display(description=gettext_lazy("counted as"))
    def counted_as(self, line: OrderLine) -> str:
        return line.item.key if line.item else "–"


@admin.register(Order)
class OrderAdmin(ReadOnlyModelAdmin):
    change_form_template = "checkout/admin/order.html"
    list_display = ["number", "created_at", "state", "summary", "total_display", "email", "is_external"]
    list_filter = ["state", "is_external", "created_at"]
    search_fields = ["id", "session_id", "payment_intent_id", "email", "name", "lines__name"]
    date_hierarchy = "created_at"
    list_per_page = 50
    inlines = [Lines]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "number",
                    "state",
                    "stripe_link",
                    "created_at",
                    "paid_at",
                    "expires_at",
                    "is_external",
                ]
            },
        ),
        (gettext_lazy("Customer"), {"fields": ["name", "email", "phone", "address_display"]}),
        (gettext_lazy("Amounts"), {"fields": ["amounts_display"]}),
        (
            gettext_lazy("Technical details"),
            {"fields": ["id", "session_id", "payment_intent_id", "movements"], "classes": ["collapse"]},
        ),
    ]
    readonly_fields = ["number", "stripe_link", "address_display", "amounts_display", "movements"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("lines")

    # --- Columns ---

    @admin.display(description=gettext_lazy("summary"))
    def summary(self, order: Order) -> str:
        return "; ".join(str(line) for line in order.lines.all())

    @admin.display(description=gettext_lazy("total"), ordering="total")
    def total_display(self, order: Order) -> str:
        return _money(order.total, order.currency)

    @admin.display(description=gettext_lazy("at Stripe"))
    def stripe_link(self, order: Order) -> SafeString | str:
        if not order.payment_intent_id:
            return "–"
        url = f"{settings.STRIPE_DASHBOARD}/payments/{order.payment_intent_id}"
        return format_html('<a href="{}" rel="noopener">{}</a>', url, _("View payment in the Dashboard"))

    @admin.display(description=gettext_lazy("ship to"))
    def address_display(self, order: Order) -> SafeString | str:
        lines = [(line,) for line in order.address_lines]
        return format_html_join(SafeString("<br>"), "{}", lines) if lines else "–"

    @admin.display(description=gettext_lazy("amounts"))
    def amounts_display(self, order: Order) -> SafeString:
        amounts = [
            (_("Subtotal"), order.subtotal),
            (_("Discount"), order.discount),
            (_("Shipping"), order.shipping),
            (_("Tax"), order.tax),
            (_("Total"), order.total),
            (_("Refunded"), order.refunded or None),
        ]
        rows = [(name, _money(amount, order.currency)) for name, amount in amounts if amount is not None]
        return format_html_join(SafeString("<br>"), "{}: {}", rows) if rows else SafeString("–")

    @admin.display(description=gettext_lazy("movements"))
    def movements(self, order: Order) -> SafeString | str:
        movements = Movement.objects.filter(reference__startswith=f"{order.reference}:")
        rows = [
            (format_local(row.created_at), row.get_kind_display(), f"{row.delta:+d}", row.item)
            for row in movements.select_related("item__product")
        ]
        return format_html_join(SafeString("<br>"), "{} {} {} {}", rows) if rows else "–"

    # --- Actions of an order's page ---

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<uuid:order_id>/assign-size/", wrap(self.assign_size_view), name="checkout_order_assign_size"
            ),
            path("<uuid:order_id>/restock/", wrap(self.restock_view), name="checkout_order_restock"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if order and self.has_operate_permission(request):
            unassigned = order.lines.filter(needs_size=True).select_related("product")
            context |= {
                "needs_size": unassigned.prefetch_related("product__stock_items"),
                "returnable_lines": returnable_lines(order),
                "token": secrets.token_hex(8),
            }
        return super().change_view(request, object_id, form_url, context)

    def assign_size_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        self._require_operate(request)
        line = get_object_or_404(OrderLine, order_id=order_id, id=_number(request.POST.get("line")))
        item = get_object_or_404(StockItem, product=line.product_id, id=_number(request.POST.get("item")))
        if assign_size(line, item, now=timezone.now(), actor=request.user.get_username()):
            self.message_user(request, _("Counted as %(item)s.") % {"item": item})
        else:
            self.message_user(request, _("This sale already has a size."), messages.WARNING)
        return _redirect_to(order_id)

    def restock_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        self._require_operate(request)
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
            text = ngettext("%(count)d unit returned to stock.", "%(count)d units returned to stock.", added)
            self.message_user(
                request, text % {"count": added}, messages.SUCCESS if added else messages.WARNING
            )
        return _redirect_to(order_id)

    def _require_operate(self, request: HttpRequest) -> None:
        if request.method != "POST" or not self.has_operate_permission(request):
            raise Http404


def _redirect_to(order_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:checkout_order_change", args=[order_id]))


def _number(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text.strip()) else 0


def _money(amount: int | None, currency: str) -> str:
    return "–" if amount is None else format_money(amount, currency)
