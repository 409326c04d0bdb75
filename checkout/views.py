"""Pages from the cart to the thank-you page."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from checkout import htmx, return_page
from checkout.cart.cart import Cart, lazy_cart
from checkout.cart.lines import line_key
from checkout.cart.rules import CartError
from checkout.forms import AddToCartForm, CartLineForm
from checkout.models import CUSTOMER_DONE_STATES, Order
from checkout.order_links import order_path
from checkout.orders.checkout import start_checkout
from checkout.orders.hold_limits import HoldLimitReached
from config.client_address import client_network
from config.stripe_client import InvalidRequest, StripeCallError, is_configured
from inventory.stock.ledger import InsufficientStock, RushLimited

logger = logging.getLogger(__name__)

# The parameter in which Stripe names a line that it refuses. Lines are sent in the order of the cart.
LINE_PARAM = re.compile(r"line_items\[([0-9]{1,3})\]")


@require_safe
@never_cache
def show_cart(request: HttpRequest) -> HttpResponse:
    return_page.remove_purchased_lines(request)
    if htmx.wants_drawer(request):
        return htmx.render_drawer(request)
    return render(request, "checkout/cart.html")


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return redirect("cart")  # The address of the form was opened or reloaded.
    form = AddToCartForm(request.POST)
    if not form.is_valid():
        return _show_change(request, error=form.first_error, to_referrer=True)
    data = form.cleaned_data
    try:
        line = lazy_cart(request).add(data["item"], color=data["color"], quantity=data["quantity"])
    except CartError as exc:
        return _show_change(request, error=str(exc), to_referrer=True)
    return _show_change(request, message=_("%(item)s is in your cart.") % {"item": line.name}, added=line.key)


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return redirect("cart")
    cart = lazy_cart(request)
    key = line_key(request.POST.get("item", ""), request.POST.get("color", ""))
    if "remove" in request.POST:
        cart.remove(key)
        return _show_change(request, message=_("Removed."))
    form = CartLineForm(request.POST, cart=cart)
    if not form.is_valid():
        return _show_change(request, error=form.first_error, changed=key)
    data = form.cleaned_data
    try:
        line = cart.change(data["item"], item=data["to_item"], quantity=data["quantity"])
    except CartError as exc:
        return _show_change(request, error=str(exc), changed=key)
    return _show_change(request, message=f"{line.quantity} × {line.name}.", changed=line.key)


def _show_change(
    request: HttpRequest,
    *,
    message: str = "",
    error: str = "",
    added: str = "",
    changed: str = "",
    to_referrer: bool = False,
) -> HttpResponse:
    # Show the cart after a change. `added` and `changed` are keys of lines.
    # `to_referrer`: without htmx, return to the product page whose form was rejected.
    if htmx.is_htmx(request):
        return htmx.render_cart_update(request, message=message, error=error, added=added, changed=changed)
    if error:
        messages.error(request, error)
    else:
        messages.success(request, message)
    referrer = request.headers.get("Referer", "")
    if to_referrer and url_has_allowed_host_and_scheme(referrer, {request.get_host()}, request.is_secure()):
        return redirect(referrer)
    return redirect("cart")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def checkout(request: HttpRequest) -> HttpResponse:
    """POST starts a checkout. GET waits for a payment page that Stripe has not created yet."""
    if not is_configured():
        logger.error("Checkout is not configured: STRIPE_SECRET_KEY is not set.")
        return render(request, "checkout/not_configured.html", status=503)
    cart = lazy_cart(request)
    if request.method != "POST":
        return _wait_for_payment_page(request, cart)
    try:
        order = _start_checkout(request, cart)
    except HoldLimitReached as exc:
        response = render(request, "checkout/hold_limit.html", {"text": exc}, status=429)
        response["Retry-After"] = str(max(1, int(exc.retry_after.total_seconds())))
        return response
    except CartError as exc:
        messages.error(request, str(exc))
        return redirect("cart")
    return redirect(order.next_url if _may_follow_form(order.next_url) else "checkout_start")


def _start_checkout(request: HttpRequest, cart: Cart) -> Order:
    # Start a checkout. Raises CartError or HoldLimitReached with a message for the customer.
    if cart and request.POST.get("seen", cart.fingerprint) != cart.fingerprint:
        # Another tab added something or a price changed: customers pay only for what they have seen.
        raise CartError(_("Your cart has changed. Please check it once more."))
    # Lines show their problems themselves, so messages do not repeat them.
    check_lines = _("Please check the marked items.")
    try:
        return start_checkout(cart, now=timezone.now(), network=client_network(request))
    except CartError as exc:
        if not cart.has_problems:
            raise
        raise CartError(f"{_('Something in your cart has changed.')} {check_lines}") from exc
    except RushLimited as exc:
        names = ", ".join(sorted(map(str, exc.items)))
        text = _(
            "Many people are buying %(names)s at this moment, so that one order can have fewer of it for now. Take one, or "
            "try again in a few minutes: what others do not pay for becomes available again. Your cart is saved."
        )
        raise HoldLimitReached(text % {"names": names}, retry_after=timedelta(minutes=5)) from exc
    except InsufficientStock as exc:
        cart.invalidate()
        what_next = check_lines if cart.has_problems else _("Please try again.")
        raise CartError(f"{_('Another customer was faster.')} {what_next}") from exc
    except InvalidRequest as exc:
        raise CartError(_refusal_text(exc, cart)) from exc
    except StripeCallError as exc:
        logger.warning("Checkout did not start: %s", exc)
        text = _("We cannot reach the payment page at the moment. Your cart is saved: please try again soon.")
        raise CartError(text) from exc


def _refusal_text(exc: InvalidRequest, cart: Cart) -> str:
    # For the customer. Stripe would refuse the same request again, so “try again soon” would be wrong.
    if exc.code == "amount_too_small":
        return _("The total is too small to be paid online. Please add something to your cart.")
    if cart.currency != settings.SHOP_CURRENCY:
        # Probably a price that has lost its amount in this currency a moment ago.
        text = _("Your cart cannot be paid in %(currency)s at the moment. Please choose another one below.")
        return text % {"currency": cart.currency.upper()}
    named = LINE_PARAM.match(exc.param)
    if named and int(named[1]) < len(cart.lines):
        line = cart.lines[int(named[1])]
        return _("%(item)s cannot be sold at the moment. Please remove it from your cart.") % {
            "item": line.name
        }
    return _(
        "Your cart cannot be paid as it is. We have been told and will look into it; your cart is saved."
    )


def _may_follow_form(url: str) -> bool:
    # Whether the CSP's form-action lets a form's redirect lead to `url`.
    # Accounts may have their own Checkout domain (https://docs.stripe.com/payments/checkout/custom-domains). Chromium
    # blocks the redirect there, and all that follow a form: only a page of ours that links to it leads on.
    parts = urlsplit(url)
    allowed = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"]
    return not parts.netloc or f"{parts.scheme}://{parts.netloc}" in allowed


def _wait_for_payment_page(request: HttpRequest, cart: Cart) -> HttpResponse:
    payment = cart.pending_payment
    if payment is None:
        return htmx.client_redirect(request, reverse("cart"))
    if payment.url and not cart.matches_pending_payment:
        return htmx.client_redirect(request, reverse("cart"))
    if payment.url and (htmx.is_htmx(request) or _may_follow_form(payment.url)):
        return htmx.client_redirect(request, payment.url)
    if payment.url:
        return render(request, "checkout/go_to_payment.html", {"payment_url": payment.url})
    if htmx.is_htmx(request):
        return HttpResponseClientRefresh() if payment.is_late else HttpResponse(status=204)
    return render(request, "checkout/preparing_payment.html", {"payment": payment})


@require_safe
@never_cache
def thank_you(request: HttpRequest) -> HttpResponse:
    # Customers usually return before the event of their payment has arrived, so the page polls until it has.
    order = return_page.order_of(request.GET.get("session_id", ""))
    if order is None:
        return render(request, "checkout/order_not_found.html", status=404)
    order = return_page.poll_order(order, now=timezone.now())
    if order.state == Order.State.OPEN and htmx.is_htmx(request):
        return HttpResponse(status=204)  # Nothing to swap in, so the focus stays where it is.
    is_mine = return_page.belongs_to_visitor(request, order)
    context = {"order": order, "lines": order.lines.select_related("product"), "is_mine": is_mine}
    if order.state in CUSTOMER_DONE_STATES:
        return_page.clear_paid_cart(request, order)
        context["has_more"] = is_mine and bool(lazy_cart(request))
        context["order_path"] = order_path(order) if is_mine else ""
    return htmx.with_units(request, render(request, "checkout/thank_you.html", context))


@require_safe
@never_cache
def canceled(request: HttpRequest) -> HttpResponse:
    return render(request, "checkout/canceled.html")
