"""What does the owner see of orders? Everything that Stripe told, and two things to do: place a line, take goods back."""

from __future__ import annotations

import re
import secrets
from typing import Any

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
from django.utils.translation import gettext_lazy

from checkout.models import Order, OrderLine
from checkout.orders.assign_size import assign_size
from checkout.orders.returns import NotCounted, returnable, take_back
from config.admin import ReadOnlyMixin, ReadOnlyModelAdmin
from config.dates import format_local
from inventory.models import Movement, StockItem
from shop.money import format_money


class ReturnForm(forms.Form):
    """What goes with the units that come back. `token` makes a second click bring nothing."""

    token = forms.CharField(max_length=32)
    reason = forms.CharField(max_length=500, required=False)

    def said(self) -> dict[str, str]:
        """Token and reason, as the ledger keeps them. Raises NotCounted for what it could not keep."""
        if not self.is_valid():
            why = " ".join(str(text) for texts in self.errors.values() for text in texts)
            raise NotCounted(_("Nothing was put back: %(why)s") % {"why": why})
        return {"token": f"return:{self.cleaned_data['token']}", "reason": self.cleaned_data["reason"]}


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
            gettext_lazy("For the curious"),
            {"fields": ["id", "session_id", "payment_intent_id", "movements"], "classes": ["collapse"]},
        ),
    ]
    readonly_fields = ["number", "stripe_link", "address_display", "amounts_display", "movements"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("lines")

    # --- What is shown ---

    @admin.display(description=gettext_lazy("summary"))
    def summary(self, order: Order) -> str:
        return "; ".join(str(line) for line in order.lines.all())

    @admin.display(description=gettext_lazy("total"), ordering="total")
    def total_display(self, order: Order) -> str:
        return _money(order.total, order.currency)

    @admin.display(description=gettext_lazy("at Stripe"))
    def stripe_link(self, order: Order) -> SafeString | str:
        """The payment's page in the Dashboard; before there is one, nothing to link to."""
        if not order.payment_intent_id:
            return "–"
        address = f"{settings.STRIPE_DASHBOARD}/payments/{order.payment_intent_id}"
        return format_html('<a href="{}" rel="noopener">{}</a>', address, _("The payment in the Dashboard"))

    @admin.display(description=gettext_lazy("delivery address"))
    def address_display(self, order: Order) -> SafeString | str:
        lines = [(line,) for line in order.address_lines]
        return format_html_join(SafeString("<br>"), "{}", lines) if lines else "–"

    @admin.display(description=gettext_lazy("amounts_display"))
    def amounts_display(self, order: Order) -> SafeString:
        names = {
            _("subtotal"): order.subtotal,
            _("discount"): order.discount,
            _("shipping"): order.shipping,
            _("tax"): order.tax,
            _("total"): order.total,
            _("refunded"): order.refunded or None,
        }
        known = [
            (name, _money(amount, order.currency)) for name, amount in names.items() if amount is not None
        ]
        return format_html_join(SafeString("<br>"), "{}: {}", known) if known else SafeString("–")

    @admin.display(description=gettext_lazy("movements"))
    def movements(self, order: Order) -> SafeString | str:
        found = Movement.objects.filter(reference__startswith=f"{order.reference}:").select_related(
            "item__product"
        )
        rows = [
            (format_local(each.created_at), each.get_kind_display(), f"{each.delta:+d}", each.item)
            for each in found
        ]
        return format_html_join(SafeString("<br>"), "{} {} {} {}", rows) if rows else "–"

    # --- What can be done ---

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:order_id>/place/", wrap(self.place_view), name="checkout_order_place"),
            path("<uuid:order_id>/take-back/", wrap(self.take_back_view), name="checkout_order_take_back"),
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
        context = self._to_do(request, order) if order else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def _to_do(self, request: HttpRequest, order: Order) -> dict[str, Any]:
        if not self.has_operate_permission(request):
            return {}
        needs_size = (
            order.lines.filter(needs_size=True)
            .select_related("product")
            .prefetch_related("product__stock_items")
        )
        return {"needs_size": needs_size, "returnable": returnable(order), "token": secrets.token_hex(8)}

    def place_view(self, request: HttpRequest, order_id: Any) -> HttpResponse:
        self._require_operate(request)
        line = get_object_or_404(OrderLine, order_id=order_id, id=_number(request.POST.get("line")))
        item = get_object_or_404(StockItem, product=line.product_id, id=_number(request.POST.get("item")))
        if assign_size(line, item, now=timezone.now(), actor=request.user.get_username()):
            self.message_user(request, _("Counted as %(item)s.") % {"item": item})
        else:
            self.message_user(request, _("This was placed already."), messages.WARNING)
        return _to(order_id)

    def take_back_view(self, request: HttpRequest, order_id: Any) -> HttpResponse:
        self._require_operate(request)
        order = get_object_or_404(Order, id=order_id)
        units = {line.id: _number(request.POST.get(f"line-{line.id}")) for line in order.lines.all()}
        form = ReturnForm(request.POST)
        try:
            back = take_back(order, units, **form.said(), actor=request.user.get_username())
        except NotCounted as refusal:
            self.message_user(request, f"{refusal}", messages.ERROR)
            return _to(order_id)
        self.message_user(
            request,
            _("%(count)d back in stock.") % {"count": back} if back else _("Nothing came back."),
            messages.SUCCESS if back else messages.WARNING,
        )
        return _to(order_id)

    def _require_operate(self, request: HttpRequest) -> None:
        if request.method != "POST" or not self.has_operate_permission(request):
            raise Http404


def _to(order_id: Any) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:checkout_order_change", args=[order_id]))


def _number(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text.strip()) else 0


def _money(amount: int | None, currency: str) -> str:
    return "–" if amount is None else format_money(amount, currency)
