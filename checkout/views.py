"""What does a customer see between the cart and the thank-you page?"""

from __future__ import annotations

import logging

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
from checkout.cart.cart import Cart, key_of, lazy_cart
from checkout.cart.rules import CartError
from checkout.models import CUSTOMER_DONE_STATES, Order
from checkout.orders.checkout import start_checkout
from config.stripe_client import StripeCallError, is_configured
from inventory.stock.ledger import InsufficientStock

logger = logging.getLogger(__name__)


@require_safe
@never_cache
def show_cart(request: HttpRequest) -> HttpResponse:
    return_page.remove_purchased_lines(request)
    if htmx.wants_drawer(request):
        return htmx.render_drawer(request)
    return render(request, "checkout/cart.html")


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Put one size in one color into the cart; amounts and prices in the form would not be looked at."""
    if request.method != "POST":
        return redirect("cart")  # Somebody reloads the address of a form.
    cart = lazy_cart(request)
    try:
        line = cart.add(
            item=request.POST.get("item", ""),
            color=request.POST.get("color", ""),
            quantity=request.POST.get("quantity", "1"),
        )
    except CartError as refusal:
        return _after(request, refusal=str(refusal), back=True)
    return _after(request, told=_("%(article)s is in your cart.") % {"article": line.name}, added=line.key)


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest) -> HttpResponse:
    """Another quantity or size for a line, or take it out."""
    if request.method != "POST":
        return redirect("cart")
    cart = lazy_cart(request)
    line = {"item": request.POST.get("item", ""), "color": request.POST.get("color", "")}
    if "remove" in request.POST:
        cart.remove(**line)
        return _after(request, told=_("Taken out."))
    try:
        changed = cart.change(
            **line, quantity=request.POST.get("quantity", ""), to_item=request.POST.get("to_item", "")
        )
    except CartError as refusal:
        return _after(request, refusal=str(refusal), changed=key_of(**line))
    return _after(request, told=f"{changed.quantity} × {changed.name}.", changed=changed.key)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def checkout(request: HttpRequest) -> HttpResponse:
    """POST begins to pay; GET is where somebody waits whose payment page is not there yet."""
    if not is_configured():
        logger.error("Checkout is not configured: STRIPE_SECRET_KEY is not set.")
        return render(request, "checkout/not_configured.html", status=503)
    cart = lazy_cart(request)
    return _start(request, cart) if request.method == "POST" else _wait(request, cart)


def _start(request: HttpRequest, cart: Cart) -> HttpResponse:
    if cart and request.POST.get("seen", cart.fingerprint) != cart.fingerprint:
        # Another tab put something in since, or a price changed: nobody pays what they have not seen.
        return _back_to_cart(request, _("Your cart has changed meanwhile. Please look at it once more."))
    try:
        order = start_checkout(cart, now=timezone.now())
    except CartError as refusal:
        changed = _("Something in your cart has changed.")
        return _back_to_cart(request, f"{changed} {_poll_script()}" if _has_problems(cart) else str(refusal))
    except InsufficientStock:
        return _back_to_cart(request, _paid_meanwhile(cart))
    except StripeCallError as trouble:
        logger.warning("Checkout did not start: %s", trouble)
        text = _("We cannot reach the payment page at the moment. Your cart is kept: please try again soon.")
        return _back_to_cart(request, text)
    return _to_payment(order)


def _to_payment(order: Order) -> HttpResponse:
    if order.state in CUSTOMER_DONE_STATES:
        return redirect(f"{reverse('thank_you')}?session_id={order.session_id}")
    return redirect(order.session_url or reverse("checkout_start"))


def _wait(request: HttpRequest, cart: Cart) -> HttpResponse:
    page = cart.pending_payment
    if page is None:
        return htmx.client_redirect(request, reverse("cart"))
    if page.url:
        return htmx.client_redirect(request, page.url if page.matches_cart else reverse("cart"))
    if htmx.is_htmx(request):
        return HttpResponseClientRefresh() if page.is_late else HttpResponse(status=204)
    return render(request, "checkout/preparing_payment.html", {"page": page})


def _paid_meanwhile(cart: Cart) -> str:
    cart.invalidate()
    return f"{_('Somebody was quicker.')} {_poll_script() if _has_problems(cart) else _('Please try once more.')}"


def _has_problems(cart: Cart) -> bool:
    """Do the lines tell what is wrong with them? Then it is not said twice."""
    return any(line.problem for line in cart.lines)


def _poll_script() -> str:
    return _("Please look at what is marked.")


@require_safe
@never_cache
def thank_you(request: HttpRequest) -> HttpResponse:
    """Where Stripe sends the customer back to. It waits for the event, and asks Stripe only if that is late."""
    order = return_page.order_of(request.GET.get("session_id", ""))
    if order is None:
        return render(request, "checkout/order_not_found.html", status=404)
    order = return_page.poll_order(order, now=timezone.now())
    if order.state == Order.State.OPEN and htmx.is_htmx(request):
        return HttpResponse(status=204)  # No news: what has the focus keeps it.
    is_mine = return_page.belongs_to_visitor(request, order)
    context = {"order": order, "lines": order.lines.select_related("product"), "is_mine": is_mine}
    if order.state in CUSTOMER_DONE_STATES:
        return_page.clear_paid_cart(request, order)
        context["has_more"] = is_mine and bool(lazy_cart(request))
    return htmx.with_units(request, render(request, "checkout/thank_you.html", context))


@require_safe
@never_cache
def canceled(request: HttpRequest) -> HttpResponse:
    """Back from Stripe without having paid: everything is as it was."""
    return render(request, "checkout/canceled.html")


def _back_to_cart(request: HttpRequest, text: str) -> HttpResponse:
    messages.error(request, text)
    return redirect("cart")


def _after(
    request: HttpRequest,
    *,
    told: str = "",
    refusal: str = "",
    added: str = "",
    changed: str = "",
    back: bool = False,
) -> HttpResponse:
    """After a change: the cart, or after a refused addition the page that asked for it."""
    if htmx.is_htmx(request):
        return htmx.render_cart_update(request, told=told, refusal=refusal, added=added, changed=changed)
    if refusal:
        messages.error(request, refusal)
    else:
        messages.success(request, told)
    came_from = request.headers.get("Referer", "")
    if back and url_has_allowed_host_and_scheme(came_from, {request.get_host()}, request.is_secure()):
        return redirect(came_from)
    return redirect("cart")
