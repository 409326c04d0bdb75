"""What does htmx get? The cart alone, for the drawer or its page, and how many pieces it holds now."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_htmx.middleware import HtmxDetails

from checkout.cart.cart import lazy_cart

BODY, STATUS = "cart-drawer-body", "cart-drawer-status"
PAGE_STATUS = "cart-status"  # The live region of the cart's own page.


def is_htmx(request: HttpRequest) -> bool:
    return bool(_htmx(request))


def wants_drawer(request: HttpRequest) -> bool:
    """Is it the drawer that wants the cart, and not somebody who wants its page?"""
    return bool(_htmx(request)) and _htmx(request).target == BODY


def render_drawer(request: HttpRequest) -> HttpResponse:
    """The cart for the drawer."""
    return with_units(request, render(request, "checkout/_cart.html", {"place": "drawer-"}))


def render_cart_update(
    request: HttpRequest, *, told: str = "", refusal: str = "", added: str = "", changed: str = ""
) -> HttpResponse:
    """The cart after a change, for where the form stands, and the words for the live region beside it.

    `added` and `changed`: the key of the line that was meant. Of a change nothing is shown in the region: its
    fields tell it, or the refusal beside them, and nothing moves under the customer's finger.
    """
    at_the_edge = wants_drawer(request)
    in_place = any(line.key == changed for line in lazy_cart(request).lines)
    context = {
        "place": "drawer-" if at_the_edge else "",
        "region": STATUS if at_the_edge else PAGE_STATUS,
        "words": refusal or told,
        "shown": bool(added) if told else not in_place,
        "added": added,
        "refused": changed if refusal else "",
        "refusal": refusal,
    }
    page = render(request, "checkout/_cart_update.html", context)
    add_never_cache_headers(page)
    if refusal:
        trigger_client_event(page, "cart-refused")
    return with_units(request, page)


def with_units(request: HttpRequest, page: HttpResponse) -> HttpResponse:
    """Tell the count beside the cart's link, which stands outside of what is exchanged."""
    if is_htmx(request):
        trigger_client_event(page, "cart-changed", {"units": lazy_cart(request).units})
    return page


def client_redirect(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser on; a redirect would send only the request that a script made."""
    return HttpResponseClientRedirect(url) if is_htmx(request) else redirect(url)


def _htmx(request: HttpRequest) -> HtmxDetails:
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return htmx
