"""Pages of one order for its customer, who has the link or asks for it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from checkout.orders.links import order_of_token


@require_safe
@never_cache
def order_page(request: HttpRequest, token: str) -> HttpResponse:
    order = order_of_token(token)
    if order is None:
        return private(render(request, "checkout/order/not_found.html", status=404))
    context = {"order": order, "lines": order.lines.all(), "is_mine": True}
    return private(render(request, "checkout/order/order.html", context))


def private(response: HttpResponse) -> HttpResponse:
    """The address is as good as a password: no search engine lists it, and no other site learns of it."""
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response
