"""Pages of one order for its customer, who has the link or asks for it: progress, cancellation, return, look-up."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from checkout.carriers import carrier_name
from checkout.forms import CancelForm, OrderLookupForm, ReturnRequestForm
from checkout.mail.kinds import ORDER_LINK, is_on
from checkout.models import CustomerRequest, Order, Refund
from checkout.order_links import order_of_token
from checkout.orders import customer_requests
from checkout.orders.customer_requests import RequestRefused, possible_request
from checkout.orders.lookup import TooManyLookups, look_up
from checkout.orders.refund_requests import refundable
from config.client_address import client_network

OrderView = Callable[[HttpRequest, Order, str], HttpResponse]
Kind = CustomerRequest.Kind


def of_order(view: OrderView) -> Callable[..., HttpResponse]:
    """Find the order of the link. Wrong links of any kind get one answer, which tells how to ask for a new one."""

    @never_cache
    @wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponse:
        order = order_of_token(token)
        if order is None:
            response = render(request, "checkout/order/not_found.html", status=404)
            response["Referrer-Policy"] = "no-referrer"
        else:
            response = view(request, order, token)
        # The address is as good as a password: no search engine may list it.
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return wrapped


@require_safe
@of_order
def order_page(request: HttpRequest, order: Order, token: str) -> HttpResponse:
    now = timezone.now()
    requests = order.requests.prefetch_related("lines__line__product")
    # What happens to the goods of a paid order, and when it happened.
    steps = [(_("Paid"), order.paid_at), (_("Packed"), order.packed_at), (_("Sent"), order.sent_at)]
    is_paid = order.paid_at and (order.state == Order.State.PAID or order.sent_at)
    shown = {
        **_shared(order, token),
        "steps": steps if is_paid else [],
        "lines": order.lines.select_related("product"),
        "is_mine": True,
        "carrier": carrier_name(order.carrier) if order.carrier else "",
        "refunds": order.refunds.filter(state=Refund.State.ACCEPTED),
        "requests": requests.exclude(state=CustomerRequest.State.WITHDRAWN),
    }
    waits = any(each.state == CustomerRequest.State.REQUESTED for each in shown["requests"])
    shown["possible"] = None if waits else possible_request(order, now)
    response = render(request, "checkout/order/order.html", shown)
    # The page links to carriers. Browsers send "Origin: null" with its forms, so these are on pages of their own.
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@of_order
def cancel_page(request: HttpRequest, order: Order, token: str) -> HttpResponse:
    form = CancelForm(request.POST or None)
    return _request_page(request, order, token, Kind.CANCEL, form, "checkout/order/cancel.html")


@require_http_methods(["GET", "HEAD", "POST"])
@of_order
def return_page(request: HttpRequest, order: Order, token: str) -> HttpResponse:
    form = ReturnRequestForm(order, request.POST or None)
    return _request_page(request, order, token, Kind.RETURN, form, "checkout/order/return.html")


def _request_page(
    request: HttpRequest, order: Order, token: str, kind: CustomerRequest.Kind, form: Any, template: str
) -> HttpResponse:
    waits = order.requests.filter(kind=kind, state=CustomerRequest.State.REQUESTED).exists()
    if not waits and possible_request(order, timezone.now()) != kind:
        # An old page, or one that was left open while the order was packed.
        messages.error(request, customer_requests.why_not(order, kind))
        return redirect("order_page", token)
    if form.is_bound and form.is_valid():
        try:
            customer_requests.ask(
                order.pk, kind, units=form.units, message=form.cleaned_data["message"], now=timezone.now()
            )
        except RequestRefused as exc:
            messages.error(request, str(exc))
        else:
            messages.success(request, _("We have your request. Our answer comes by mail and to this page."))
        return redirect("order_page", token)
    status = 400 if form.errors else 200
    return render(request, template, {**_shared(order, token), "form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@of_order
def withdraw_page(request: HttpRequest, order: Order, token: str) -> HttpResponse:
    if request.method != "POST":
        return render(request, "checkout/order/withdraw.html", _shared(order, token))
    if customer_requests.withdraw(order, now=timezone.now()):
        messages.success(request, _("Your request is withdrawn."))
    else:
        messages.info(request, _("There is no request to withdraw: we have decided about it."))
    return redirect("order_page", token)


def _shared(order: Order, token: str) -> dict[str, Any]:
    return {"order": order, "token": token, "left": refundable(order)}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def find_page(request: HttpRequest) -> HttpResponse:
    if not is_on(ORDER_LINK):
        return render(request, "checkout/order/find.html", status=503 if request.method == "POST" else 200)
    form = OrderLookupForm(request.POST or None)
    if not (form.is_bound and form.is_valid()):
        return render(request, "checkout/order/find.html", {"form": form}, status=400 if form.errors else 200)
    data = form.cleaned_data
    try:
        look_up(data["email"], data["number"], network=client_network(request), now=timezone.now())
    except TooManyLookups as exc:
        response = render(request, "checkout/order/too_many.html", status=429)
        response["Retry-After"] = str(int(exc.retry_after.total_seconds()))
        return response
    return redirect("order_link_sent")


@require_safe
@never_cache
def link_sent_page(request: HttpRequest) -> HttpResponse:
    return render(request, "checkout/order/link_sent.html")
