"""Responses for htmx: the cart alone, for the drawer or its page, and the number of units in it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_htmx.middleware import HtmxDetails

from checkout.cart.cart import lazy_cart

DRAWER_BODY, DRAWER_STATUS = "cart-drawer-body", "cart-drawer-status"
PAGE_STATUS = "cart-status"  # The live region of the cart page.


def htmx_of(request: HttpRequest) -> HtmxDetails:
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return htmx


def is_htmx(request: HttpRequest) -> bool:
    return bool(htmx_of(request))


def wants_drawer(request: HttpRequest) -> bool:
    return is_htmx(request) and htmx_of(request).target == DRAWER_BODY


def render_drawer(request: HttpRequest) -> HttpResponse:
    return with_units(request, render(request, "checkout/_cart.html", {"id_prefix": "drawer-"}))


def render_cart_update(
    request: HttpRequest, *, message: str = "", error: str = "", added: str = "", changed: str = ""
) -> HttpResponse:
    """Render the cart after a change, and the text of the live region beside it.

    `added` and `changed` are the key of the line. After a change the text is only for screen readers: the fields of the
    line or the error beside them show it, and nothing moves under the customer's finger.
    """
    in_drawer = wants_drawer(request)
    line_is_there = any(line.key == changed for line in lazy_cart(request).lines)
    context = {
        "id_prefix": "drawer-" if in_drawer else "",
        "region": DRAWER_STATUS if in_drawer else PAGE_STATUS,
        "text": error or message,
        "is_text_visible": not line_is_there if error else bool(added),
        "added": added,
        "rejected": changed if error else "",
        "error": error,
    }
    response = render(request, "checkout/_cart_update.html", context)
    add_never_cache_headers(response)
    if error:
        trigger_client_event(response, "cart-refused")
    return with_units(request, response)


def with_units(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    # The count beside the cart link is outside of the swapped element, so a script updates it.
    if is_htmx(request):
        trigger_client_event(response, "cart-changed", {"units": lazy_cart(request).units})
    return response


def client_redirect(request: HttpRequest, url: str) -> HttpResponse:
    # An ordinary redirect would be followed by htmx's own request only.
    return HttpResponseClientRedirect(url) if is_htmx(request) else redirect(url)
