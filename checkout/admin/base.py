"""What the admin's pages of an order share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from config.admin import GrowingModelAdmin
from shop.money import format_money


class OrderPages(GrowingModelAdmin):
    """Base of the mixins that add the pages of one topic each to the admin of orders."""

    def has_pack_permission(self, request: HttpRequest) -> bool:
        return self.has_operate_permission(request) or bool(request.user.has_perm("checkout.pack_order"))

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("checkout.refund_order"))

    def require_operate(self, request: HttpRequest) -> None:
        if request.method != "POST" or not self.has_operate_permission(request):
            raise Http404

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts}


def to_order(order_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:checkout_order_change", args=[order_id]))


def money_text(amount: int | None, currency: str) -> str:
    return "–" if amount is None else format_money(amount, currency)
