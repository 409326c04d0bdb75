"""Packing and sending in the admin of orders, and the end of an open checkout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from checkout.admin import packing
from checkout.admin.base import OrderPages, to_order
from checkout.models import Order
from checkout.orders import customer_requests, shipping
from checkout.orders.end_checkout import NotOpen, end_checkout
from config.stripe_client import StripeCallError


class FulfillmentPages(OrderPages):
    # --- The list and its actions ---

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
        if left_out := len(ids) - len(packed):
            text = ngettext(
                "%(n)d selected order was left out: it is not paid, needs a size, or was packed before.",
                "%(n)d selected orders were left out: they are not paid, need a size, or were packed before.",
                left_out,
            )
            self.message_user(request, text % {"n": left_out}, messages.WARNING)
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

    # --- Pages ---

    def packing_view(self, request: HttpRequest, page: str) -> HttpResponse:
        if not self.has_pack_permission(request):
            raise PermissionDenied
        views = {
            "pack_list": packing.pack_list_view,
            "slips": packing.slips_view,
            "send": packing.send_view,
        }
        context = {**self.page_context(request), "log": self.log_action}
        return views[page](request, context)

    def fulfill_view(self, request: HttpRequest, order_id: UUID, step: str) -> HttpResponse:
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
        return to_order(order_id)

    def _send_one(self, request: HttpRequest, order: Order) -> HttpResponse:
        form = packing.ParcelForm(request.POST)
        if not form.is_valid():
            context = {**self.page_context(request), "order": order}
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
        return to_order(order.pk)

    def end_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        self.require_operate(request)
        self._end_checkout(request, get_object_or_404(Order, id=order_id))
        return to_order(order_id)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        packing_page, fulfill = wrap(self.packing_view), wrap(self.fulfill_view)
        pages = [
            path("pack-list/", packing_page, {"page": "pack_list"}, name="checkout_pack_list"),
            path("packing-slips/", packing_page, {"page": "slips"}, name="checkout_packing_slips"),
            path("send/", packing_page, {"page": "send"}, name="checkout_send_orders"),
            path("<uuid:order_id>/end/", wrap(self.end_view), name="checkout_order_end"),
        ]
        for step in ("pack", "unpack", "send", "not-sent"):
            name = f"checkout_order_{step.replace('-', '_')}"
            pages.append(path(f"<uuid:order_id>/{step}/", fulfill, {"step": step}, name=name))
        return [*pages, *super().get_urls()]
