"""The currency that a visitor has chosen: SHOP_CURRENCY, or another in which everything on sale has a price.

The choice is made by `?currency=eur` at any address and remembered in a cookie
(docs/decisions/0012-a-currency-is-a-visitors-choice.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from config.languages import ENGLISH
from shop.storefront import StorefrontContext

PARAMETER = COOKIE = "currency"
COOKIE_AGE = 60 * 60 * 24 * 365


def switch_to(currency: str, address: str) -> str:
    """An address that shows the same page in another currency and remembers the choice."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode({PARAMETER: currency})}"


def chosen_currency(request: HttpRequest, storefront: StorefrontContext) -> str:
    """The currency of the visitor's cookie, or SHOP_CURRENCY. A choice that is no longer offered ends with a message."""
    chosen = request.COOKIES.get(COOKIE, "")
    if chosen == settings.SHOP_CURRENCY or not re.fullmatch("[a-z]{3}", chosen):
        return str(settings.SHOP_CURRENCY)
    if chosen in storefront.currencies:
        return chosen
    request.currency_has_ended = True  # type: ignore[attr-defined]
    text = _("We no longer sell in %(old)s. Prices are in %(new)s now.")
    messages.warning(request, text % {"old": chosen.upper(), "new": settings.SHOP_CURRENCY.upper()})
    return str(settings.SHOP_CURRENCY)


def choose_currency(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Remember the currency that an address asks for, and forget one that has ended."""

    def middleware(request: HttpRequest) -> HttpResponse:
        chosen = request.GET.get(PARAMETER, "")
        known = {settings.SHOP_CURRENCY, *settings.SHOP_CURRENCIES} if settings.SHOP_CURRENCIES else set()
        is_page = request.method in {"GET", "HEAD"} and not request.path_info.startswith(ENGLISH)
        if chosen in known and is_page:
            return _remember(request, chosen)
        response = get_response(request)
        if getattr(request, "currency_has_ended", False):
            response.delete_cookie(COOKIE, samesite="Lax")
        return response

    return middleware


def _remember(request: HttpRequest, chosen: str) -> HttpResponse:
    # Whether everything has a price in the currency is asked by the page that follows.
    query = request.GET.copy()
    del query[PARAMETER]
    # Two slashes would begin the address of another host.
    path = "/" + urlsplit(request.get_full_path()).path.lstrip("/\\")
    response = HttpResponseRedirect(path + (f"?{query.urlencode()}" if query else ""))
    response.set_cookie(
        COOKIE,
        chosen,
        max_age=COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    patch_cache_control(response, private=True, no_store=True)
    return response
