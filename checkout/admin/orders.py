"""Orders in the admin: the list and the page of one order, both read-only. The pages of other modules change it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checkout.admin import packing
from checkout.admin.base import money_text
from checkout.admin.fulfillment import FulfillmentPages
from checkout.admin.refunds import RefundPages
from checkout.admin.stock import StockPages
from checkout.carriers import carrier_name
from checkout.csv_views import order_lines_csv, orders_csv
from checkout.models import Order, OrderLine, OrderQuerySet
from checkout.orders import shipping
from checkout.orders.returns import returnable_lines
from checkout.origin import events_of, origin_of
from config.admin import ReadOnlyMixin
from config.dates import format_local
from inventory.models import Movement, StockItem


class WorkFilter(admin.SimpleListFilter):
    """What is left to do with the goods. The links of the first page lead here as well."""

    title = gettext_lazy("packing")
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            *Order.Fulfillment.choices,
            ("refunded", gettext_lazy("refunded")),
            ("requests", gettext_lazy("customer asks")),
            ("returns", gettext_lazy("on its way back")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        orders: dict[str, Callable[[], Any]] = {
            Order.Fulfillment.NEEDS_SIZE: queryset.needing_size,
            Order.Fulfillment.TO_PACK: queryset.to_pack,
            Order.Fulfillment.PACKED: queryset.packed,
            Order.Fulfillment.SENT: queryset.sent,
            "refunded": lambda: queryset.filter(refunded__gt=0),
            "requests": queryset.with_open_request,
            "returns": queryset.with_return_in_progress,
        }
        return orders[self.value() or ""]() if self.value() in orders else queryset


class Lines(ReadOnlyMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    fields = [
        "name",
        "size",
        "color",
        "quantity",
        "quantity_refunded",
        "unit_price",
        "counted_as",
        "needs_size",
    ]
    readonly_fields = ["unit_price", "counted_as"]
    verbose_name_plural = gettext_lazy("lines")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("item", "order")

    @admin.display(description=gettext_lazy("unit price"))
    def unit_price(self, line: OrderLine) -> str:
        return money_text(line.unit_amount, line.amount_currency)

    @admin.display(description=gettext_lazy("counted as"))
    def counted_as(self, line: OrderLine) -> str:
        counted = line.item.key if line.item else "–"
        return _("%(key)s, added on Stripe's page") % {"key": counted} if line.added_at_stripe else counted


@admin.register(Order)
class OrderAdmin(FulfillmentPages, RefundPages, StockPages):
    change_form_template = "checkout/admin/order.html"
    change_list_template = "checkout/admin/orders.html"
    list_display = ["number", "created_at", "progress", "summary", "total_display", "customer", "is_external"]
    list_filter = [WorkFilter, "state", "is_external", "created_at"]
    search_fields = [
        "id",
        "session_id",
        "payment_intent_id",
        "email",
        "name",
        "tracking_number",
        "lines__name",
    ]
    search_help_text = gettext_lazy("Name, e-mail, order or tracking number, product, or an id of Stripe")
    actions = ["list_to_pack", "print_slips", "pack", "unpack", "send", "end_checkouts"]
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
                    "origin",
                ]
            },
        ),
        (gettext_lazy("Customer"), {"fields": ["name", "email", "phone", "address_display"]}),
        (gettext_lazy("Amounts"), {"fields": ["amounts_display"]}),
        (
            gettext_lazy("Technical details"),
            {
                "fields": ["id", "session_id", "payment_intent_id", "movements", "events"],
                "classes": ["collapse"],
            },
        ),
    ]
    readonly_fields = [
        "number",
        "stripe_link",
        "origin",
        "address_display",
        "amounts_display",
        "movements",
        "events",
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("lines")

    def named_rows(self, rows: OrderQuerySet, text: str) -> QuerySet[Order] | None:
        digits = text.replace("-", "").lower()
        if re.fullmatch("[0-9a-f]{8,32}", digits):
            return rows.filter(pk__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
        if "@" in text:
            return rows.alias(lower_email=Lower("email")).filter(lower_email=text.lower())
        if text.startswith("pi_"):
            return rows.of_payment(text)
        return rows.filter(session_id=text) if text.startswith("cs_") else None

    # --- Columns and fields ---

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def progress(self, order: Order) -> str:
        if order.fulfillment and order.state == Order.State.PAID:
            return str(order.fulfillment.label)
        return order.get_state_display()

    @admin.display(description=gettext_lazy("summary"))
    def summary(self, order: Order) -> str:
        return "; ".join(", ".join(filter(None, [str(line), line.color])) for line in order.lines.all())

    @admin.display(description=gettext_lazy("customer"), ordering="name")
    def customer(self, order: Order) -> SafeString:
        return format_html_join(
            SafeString("<br>"), "{}", ((text,) for text in (order.name, order.email) if text)
        )

    @admin.display(description=gettext_lazy("total"), ordering="total")
    def total_display(self, order: Order) -> str:
        return money_text(order.total, order.currency)

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
            (_("Tax"), order.tax_added if order.tax is not None else None),
            (_("Total"), order.total),
            (_("Tax included"), order.tax_included or None),
            (_("Refunded"), order.refunded or None),
        ]
        rows = [(name, money_text(amount, order.currency)) for name, amount in amounts if amount is not None]
        if order.presentment_amount is not None:
            rows.append((_("Paid as"), money_text(order.presentment_amount, order.presentment_currency)))
        return format_html_join(SafeString("<br>"), "{}: {}", rows) if rows else SafeString("–")

    @admin.display(description=gettext_lazy("movements"))
    def movements(self, order: Order) -> SafeString | str:
        movements = Movement.objects.filter(reference__startswith=f"{order.reference}:")
        rows = [
            (format_local(row.created_at), row.get_kind_display(), f"{row.delta:+d}", row.item)
            for row in movements.select_related("item__product")
        ]
        return format_html_join(SafeString("<br>"), "{} {} {} {}", rows) if rows else "–"

    @admin.display(description=gettext_lazy("came from"))
    def origin(self, order: Order) -> SafeString | str:
        return origin_of(order)

    @admin.display(description=gettext_lazy("events"))
    def events(self, order: Order) -> SafeString | str:
        rows = [
            (
                reverse("admin:inventory_stripeevent_change", args=[event.pk]),
                event.type,
                format_local(event.created_at),
                event.get_state_display(),
            )
            for event in events_of(order)
        ]
        return format_html_join(SafeString("<br>"), '<a href="{}">{}</a> {} {}', rows) if rows else "–"

    # --- Pages ---

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        pages = [
            path("orders.csv", wrap(partial(orders_csv, self)), name="checkout_orders_csv"),
            path("order-lines.csv", wrap(partial(order_lines_csv, self)), name="checkout_order_lines_csv"),
        ]
        return [*pages, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if order and order.paid_at:
            context |= self.refund_context(request, order)
            requests = order.requests.select_related("refund")
            context["customer_requests"] = requests.prefetch_related("lines__line")
        if order and self.has_pack_permission(request):
            sent = {"carrier": order.carrier, "tracking_number": order.tracking_number}
            initial = sent if order.sent_at else {"carrier": packing.last_carrier()}
            context = {
                "may_pack": order.fulfillment is not None,
                "why_not_sendable": "" if order.sent_at else shipping.why_not_sendable(order),
                "carrier": carrier_name(order.carrier) if order.carrier else "",
                "parcel_form": packing.ParcelForm(initial=initial),
                **context,
            }
        if order and request.user.has_perm("checkout.view_customermail"):
            context["mails"] = order.mails.order_by("pk")
        if order and self.has_operate_permission(request):
            unassigned = order.lines.filter(needs_size=True).select_related("product")
            context |= {
                "needs_size": unassigned.prefetch_related("product__stock_items"),
                "unknown_lines": order.lines.unassigned().filter(product=None),
                "stock_items": StockItem.objects.filter(is_listed=True).select_related("product"),
                "returnable_lines": returnable_lines(order),
                "token": secrets.token_hex(8),
                "is_open": order.state == Order.State.OPEN,
            }
        return super().change_view(request, object_id, form_url, context)
