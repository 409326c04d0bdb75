"""Orders in the admin: read-only, except for packing, sending, assigning a size and returning units to stock."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from checkout import packing
from checkout.carriers import carrier_name
from checkout.csv_views import order_lines_csv, orders_csv
from checkout.log_admin import LogEntryAdmin
from checkout.mail_admin import CustomerMailAdmin, MailTextAdmin
from checkout.mail_pages import OutOfStockForm, out_of_stock_preview, preview_response
from checkout.models import CustomerRequest, Order, OrderLine, Refund
from checkout.orders import customer_requests, mails, shipping
from checkout.orders.assign_size import assign_size
from checkout.orders.customer_requests import RequestRefused
from checkout.orders.end_checkout import NotOpen, end_checkout
from checkout.orders.refund_requests import (
    RefundRefused,
    keep_sale,
    refund_again,
    refundable,
    request_refund,
)
from checkout.orders.returns import NotCounted, restock, returnable_lines
from checkout.origin import events_of, origin_of
from checkout.oversold_page import DecisionForm, decide, oversold_page
from checkout.refunding import RefundForm, blank_form, refund_page
from checkout.request_decisions import RequestDecisionForm
from checkout.request_decisions import decide as decide_request
from config.admin import ReadOnlyMixin, ReadOnlyModelAdmin
from config.dates import format_local
from config.stripe_client import StripeCallError
from inventory.models import Movement, StockItem
from inventory.stock.oversold import NothingOversold
from shop.money import format_money

__all__ = [
    "CustomerMailAdmin",
    "LogEntryAdmin",
    "MailTextAdmin",
    "OrderAdmin",
]  # Django registers what this module imports and defines.


class ReturnForm(forms.Form):
    token = forms.CharField(max_length=32)  # Makes a second click harmless.
    reason = forms.CharField(max_length=500, required=False)


class WorkFilter(admin.SimpleListFilter):
    """What is left to do with the goods. The links of the first page lead here as well."""

    title = gettext_lazy("packing")
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            *Order.Fulfillment.choices,
            ("refunded", gettext_lazy("refunded")),
            ("requests", gettext_lazy("customer asks")),
            ("returns", gettext_lazy("return accepted")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        orders: dict[str, Callable[[], Any]] = {
            Order.Fulfillment.NEEDS_SIZE: queryset.needing_size,
            Order.Fulfillment.TO_PACK: queryset.to_pack,
            Order.Fulfillment.PACKED: queryset.packed,
            Order.Fulfillment.SENT: queryset.sent,
            "refunded": lambda: queryset.filter(refunded__gt=0),
            "requests": queryset.with_open_request,
            "returns": queryset.with_accepted_return,
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
        return _money(line.unit_amount, line.amount_currency)

    @admin.display(description=gettext_lazy("counted as"))
    def counted_as(self, line: OrderLine) -> str:
        counted = line.item.key if line.item else "–"
        return _("%(key)s, added on Stripe's page") % {"key": counted} if line.added_at_stripe else counted


@admin.register(Order)
class OrderAdmin(ReadOnlyModelAdmin):
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

    def has_pack_permission(self, request: HttpRequest) -> bool:
        return self.has_operate_permission(request) or bool(request.user.has_perm("checkout.pack_order"))

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("checkout.refund_order"))

    # --- Columns ---

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
            (_("Tax"), order.tax_added if order.tax is not None else None),
            (_("Total"), order.total),
            (_("Tax included"), order.tax_included or None),
            (_("Refunded"), order.refunded or None),
        ]
        rows = [(name, _money(amount, order.currency)) for name, amount in amounts if amount is not None]
        if order.presentment_amount is not None:
            rows.append((_("Paid as"), _money(order.presentment_amount, order.presentment_currency)))
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

    # --- Packing and sending ---

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        counts = {}
        if self.has_pack_permission(request):
            orders = Order.objects
            counts = {"to_pack": orders.to_pack().count(), "packed": orders.packed().count()}
        return super().changelist_view(request, {**counts, **(extra_context or {})})

    @admin.action(description=gettext_lazy("Pack list of selected orders"), permissions=["pack"])
    def list_to_pack(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        return self._page_of(request, chosen, "admin:checkout_pack_list")

    @admin.action(description=gettext_lazy("Packing slips of selected orders"), permissions=["pack"])
    def print_slips(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        return self._page_of(request, chosen, "admin:checkout_packing_slips")

    @admin.action(description=gettext_lazy("Send selected orders"), permissions=["pack"])
    def send(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        return self._page_of(request, chosen, "admin:checkout_send_orders")

    def _page_of(self, request: HttpRequest, chosen: QuerySet[Order], page: str) -> HttpResponse | None:
        orders = list(chosen.order_by("paid_at")[: packing.MAX_ORDERS + 1])
        if len(orders) > packing.MAX_ORDERS:
            text = _("Choose at most %(n)d orders at once.") % {"n": packing.MAX_ORDERS}
            self.message_user(request, text, messages.WARNING)
            return None
        return HttpResponseRedirect(f"{reverse(page)}?ids={packing.ids_parameter(orders)}")

    @admin.action(description=gettext_lazy("Mark selected orders as packed"), permissions=["pack"])
    def pack(self, request: HttpRequest, chosen: QuerySet[Order]) -> None:
        ids = list(chosen.values_list("pk", flat=True))
        packed = shipping.mark_packed(ids, actor=request.user.get_username(), now=timezone.now())
        self.log_action(request, packed, "Marked as packed.")
        text = ngettext("%(n)d order is marked as packed.", "%(n)d orders are marked as packed.", len(packed))
        self.message_user(request, text % {"n": len(packed)}, messages.SUCCESS if packed else messages.INFO)
        self._say_left_out(request, len(ids) - len(packed))
        self._say_asked_to_cancel(request, packed)

    @admin.action(description=gettext_lazy("Mark selected orders as not packed"), permissions=["pack"])
    def unpack(self, request: HttpRequest, chosen: QuerySet[Order]) -> None:
        ids = list(chosen.values_list("pk", flat=True))
        unpacked = shipping.mark_unpacked(ids)
        self.log_action(request, unpacked, "Marked as not packed.")
        text = ngettext("%(n)d order is to be packed.", "%(n)d orders are to be packed.", len(unpacked))
        self.message_user(
            request, text % {"n": len(unpacked)}, messages.SUCCESS if unpacked else messages.INFO
        )

    def _say_left_out(self, request: HttpRequest, number: int) -> None:
        if number:
            text = ngettext(
                "%(n)d selected order was left out: it is not paid, needs a size, or was packed before.",
                "%(n)d selected orders were left out: they are not paid, need a size, or were packed before.",
                number,
            )
            self.message_user(request, text % {"n": number}, messages.WARNING)

    def _say_asked_to_cancel(self, request: HttpRequest, packed: Iterable[Order]) -> None:
        for order in customer_requests.asked_to_cancel(order.pk for order in packed):
            text = _(
                "%(order)s: the customer has asked to cancel it. Keep the parcel here until that is decided."
            )
            self.message_user(request, text % {"order": order}, messages.WARNING)

    @admin.action(description=gettext_lazy("End selected checkouts"), permissions=["operate"])
    def end_checkouts(self, request: HttpRequest, chosen: QuerySet[Order]) -> None:
        for order in chosen[: packing.MAX_ORDERS]:
            self._end_checkout(request, order)

    def _end_checkout(self, request: HttpRequest, order: Order) -> None:
        try:
            end_checkout(order, now=timezone.now())
        except NotOpen as exc:
            self.message_user(request, f"{order}: {exc}", messages.WARNING)
        except StripeCallError as exc:
            text = _("%(order)s: Stripe did not end its checkout, and its units stay held: %(error)s")
            self.message_user(request, text % {"order": order, "error": exc}, messages.ERROR)
        else:
            if order.state == Order.State.CANCELED:
                self.log_action(request, [order], "Ended its checkout.")
                text = _("%(order)s: its checkout is ended, and its units are for sale again.")
                self.message_user(request, text % {"order": order}, messages.SUCCESS)
            else:
                text = _("%(order)s: the customer was faster. It is %(state)s.")
                facts = {"order": order, "state": order.get_state_display()}
                self.message_user(request, text % facts, messages.WARNING)

    def packing_view(self, request: HttpRequest, page: str) -> HttpResponse:
        if not self.has_pack_permission(request):
            raise PermissionDenied
        views = {
            "pack_list": packing.pack_list_view,
            "slips": packing.slips_view,
            "send": packing.send_view,
        }
        context = {**self.admin_site.each_context(request), "opts": self.opts, "log": self.log_action}
        return views[page](request, context)

    def fulfill_view(self, request: HttpRequest, order_id: UUID, step: str) -> HttpResponse:
        """Pack or send one order, or take that back."""
        if request.method != "POST" or not self.has_pack_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, id=order_id)
        actor, now = request.user.get_username(), timezone.now()
        if step == "pack":
            done, text = bool(shipping.mark_packed([order_id], actor=actor, now=now)), _("Marked as packed.")
        elif step == "unpack":
            done, text = bool(shipping.mark_unpacked([order_id])), _("Marked as not packed.")
        elif step == "not-sent":
            done, text = shipping.mark_not_sent(order_id), _("Marked as not sent.")
        else:
            return self._send_one(request, order)
        if done:
            self.log_action(request, [order], text)
            self.message_user(request, text, messages.SUCCESS)
            self._say_asked_to_cancel(request, [order] if step == "pack" else [])
        else:
            self.message_user(
                request, _("Nothing changed: it was done before, or is not possible now."), messages.WARNING
            )
        return _redirect_to(order_id)

    def _send_one(self, request: HttpRequest, order: Order) -> HttpResponse:
        form = packing.ParcelForm(request.POST)
        if not form.is_valid():
            context = {**self.admin_site.each_context(request), "opts": self.opts, "order": order}
            shown = {"title": _("Send parcels"), "rows": [(order, form)], "has_errors": True}
            return TemplateResponse(request, "checkout/admin/send.html", {**context, **shown})
        parcel = {name: form.cleaned_data[name] for name in ("carrier", "tracking_number")}
        try:
            is_new = shipping.mark_sent(
                order.pk, **parcel, actor=request.user.get_username(), now=timezone.now()
            )
        except shipping.NotSendable as exc:
            self.message_user(request, str(exc), messages.ERROR)
        else:
            text = _("Marked as sent.") if is_new else _("Carrier and tracking number are saved.")
            self.log_action(request, [order], text)
            self.message_user(request, text, messages.SUCCESS)
        return _redirect_to(order.pk)

    def end_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        self._require_operate(request)
        self._end_checkout(request, get_object_or_404(Order, id=order_id))
        return _redirect_to(order_id)

    # --- Refunds ---

    def refund_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        """Choose what to refund, review it, and refund it."""
        if not self.has_refund_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, id=order_id)
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        if request.method != "POST":
            return refund_page(request, order, blank_form(order, request), context)
        token = request.POST.get("token", "")
        known = Refund.objects.filter(order=order, token=token).first() if token.isalnum() else None
        if known:
            # A second click. The form no longer fits, because the first one has refunded these units.
            self._say_refund(request, known)
            return _redirect_to(order_id)
        form = RefundForm(order, request.POST)
        amount = form.amount_to_refund() if form.is_valid() else None
        if amount is None or "confirm" not in request.POST:
            return refund_page(request, order, form, context)
        try:
            refund = request_refund(
                order.pk,
                form.units,
                amount=amount,
                token=form.cleaned_data["token"],
                reason=form.cleaned_data["reason"],
                note=form.cleaned_data["note"],
                actor=request.user.get_username(),
            )
        except RefundRefused as exc:
            form.add_error(None, str(exc))
            return refund_page(request, order, form, context)
        self._say_refund(request, refund, is_new=True)
        return _redirect_to(order_id)

    def _say_refund(self, request: HttpRequest, refund: Refund, *, is_new: bool = False) -> None:
        facts = {"amount": format_money(refund.amount, refund.order.currency), "error": refund.error}
        if refund.state == Refund.State.ACCEPTED:
            text, level = _("%(amount)s are refunded."), messages.SUCCESS
        elif refund.state == Refund.State.REQUESTED:
            level = messages.WARNING
            text = _(
                "Stripe has not confirmed the refund of %(amount)s yet. It may have been made. Stripe is asked again "
                "with the same key, so nothing is refunded twice; this page shows the outcome."
            )
        else:
            text, level = _("Nothing was refunded. Stripe says: %(error)s"), messages.ERROR
        if is_new:
            entry = f"Refund of {facts['amount']}: {refund.get_state_display()}."
            self.log_action(request, [refund.order], entry)
        self.message_user(request, text % facts, level)

    def failed_refund_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        if request.method != "POST" or not self.has_refund_permission(request):
            raise PermissionDenied
        refunds = Refund.objects.filter(order=order_id, state=Refund.State.FAILED)
        try:
            refund = refunds.filter(pk=UUID(request.POST.get("refund", ""))).first()
        except ValueError:
            refund = None
        if refund is None:
            raise Http404
        try:
            if request.POST.get("decision") == "again":
                again = refund_again(refund, actor=request.user.get_username())
                self._say_refund(request, again, is_new=True)
            else:
                keep_sale(refund)
                self.log_action(request, [refund.order], "Kept the sale after a failed refund.")
                text = _(
                    "The units of the failed refund count as sold again. If they went back to stock at the time, take "
                    "them out under Stock."
                )
                self.message_user(request, text, messages.WARNING)
        except RefundRefused as exc:
            self.message_user(request, str(exc), messages.ERROR)
        return _redirect_to(order_id)

    def _refund_context(self, request: HttpRequest, order: Order) -> dict[str, Any]:
        left = refundable(order) if order.payment_intent_id else 0
        refunds = order.refunds.prefetch_related("lines__line")
        # Of units that were oversold, and so were taken off again.
        taken = Movement.objects.filter(kind=Movement.Kind.OVERSOLD, reference__startswith="refund:").filter(
            item__in=order.lines.values("item")
        )
        taken_back = dict(taken.values_list("reference", "delta"))
        url = f"{settings.STRIPE_DASHBOARD}/payments/{order.payment_intent_id}"
        return {
            "refunds": [
                {
                    "row": row,
                    "parts": [
                        (part, -taken_back.get(f"refund:{row.pk}:{part.line_id}", 0))
                        for part in row.lines.all()
                    ],
                    "money": _money(row.amount, order.currency),
                    "url": url if row.stripe_id else "",
                }
                for row in refunds
            ],
            "refunded_elsewhere": (
                _money(order.refunded_elsewhere, order.currency) if order.refunded_elsewhere else ""
            ),
            "left_to_refund": _money(left, order.currency) if left else "",
            "may_refund": self.has_refund_permission(request),
        }

    # --- Requests of customers ---

    def request_view(self, request: HttpRequest, order_id: UUID, request_id: int) -> HttpResponse:
        if request.method != "POST" or not self.has_refund_permission(request):
            raise PermissionDenied
        asked = get_object_or_404(CustomerRequest, pk=request_id, order=order_id)
        form = RequestDecisionForm(request.POST)
        if not form.is_valid():
            self.message_user(request, _("Nothing was decided: the answer is too long."), messages.ERROR)
            return _redirect_to(order_id)
        try:
            decided, text = decide_request(form, asked.pk, actor=request.user.get_username())
        except (RequestRefused, RefundRefused) as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return _redirect_to(order_id)
        is_open = decided.state == CustomerRequest.State.REQUESTED
        entry = f"{decided.get_kind_display().capitalize()}: {decided.get_state_display()}."
        self.log_action(request, [decided.order], entry)
        self.message_user(request, text, messages.ERROR if is_open else messages.SUCCESS)
        return _redirect_to(order_id)

    # --- Oversold ---

    def oversold_view(self, request: HttpRequest) -> HttpResponse:
        """Decide about units that were sold beyond the stock."""
        if not request.user.has_perm("inventory.change_stockitem"):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
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
            return _redirect_to(order_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Out of stock"),
            "order": line.order,
            "line": line,
            "form": form,
            "mail": mails.out_of_stock_mail(line),
        }
        return TemplateResponse(request, "checkout/admin/out_of_stock.html", context)

    # --- Actions of an order's page ---

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        packing_page, fulfill = wrap(self.packing_view), wrap(self.fulfill_view)
        return [
            path("pack-list/", packing_page, {"page": "pack_list"}, name="checkout_pack_list"),
            path("packing-slips/", packing_page, {"page": "slips"}, name="checkout_packing_slips"),
            path("oversold/", wrap(self.oversold_view), name="checkout_oversold"),
            path("send/", packing_page, {"page": "send"}, name="checkout_send_orders"),
            path("<uuid:order_id>/refund/", wrap(self.refund_view), name="checkout_order_refund"),
            path(
                "<uuid:order_id>/refund-failed/",
                wrap(self.failed_refund_view),
                name="checkout_order_refund_failed",
            ),
            path(
                "<uuid:order_id>/requests/<int:request_id>/",
                wrap(self.request_view),
                name="checkout_order_request",
            ),
            path(
                "<uuid:order_id>/out-of-stock/<int:line_id>/",
                wrap(self.out_of_stock_view),
                name="checkout_order_out_of_stock",
            ),
            path("<uuid:order_id>/end/", wrap(self.end_view), name="checkout_order_end"),
            *(
                path(
                    f"<uuid:order_id>/{step}/",
                    fulfill,
                    {"step": step},
                    name=f"checkout_order_{step.replace('-', '_')}",
                )
                for step in ("pack", "unpack", "send", "not-sent")
            ),
            path(
                "<uuid:order_id>/assign-size/", wrap(self.assign_size_view), name="checkout_order_assign_size"
            ),
            path("<uuid:order_id>/restock/", wrap(self.restock_view), name="checkout_order_restock"),
            path("orders.csv", wrap(partial(orders_csv, self)), name="checkout_orders_csv"),
            path("order-lines.csv", wrap(partial(order_lines_csv, self)), name="checkout_order_lines_csv"),
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
        if order and order.paid_at:
            context |= self._refund_context(request, order)
            context["customer_requests"] = order.requests.prefetch_related("lines__line")
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

    def assign_size_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        self._require_operate(request)
        line = get_object_or_404(OrderLine, order_id=order_id, id=_number(request.POST.get("line")))
        items = StockItem.objects.filter(product=line.product_id) if line.product_id else StockItem.objects
        item = get_object_or_404(items, id=_number(request.POST.get("item")))
        if assign_size(line, item, now=timezone.now(), actor=request.user.get_username()):
            self.log_action(request, [line.order], f"Assigned the size: {item}.")
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
            if added:
                self.log_action(request, [order], f"Returned to stock: {added}.")
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
