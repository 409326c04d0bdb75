"""Cache the rendered page; insert the visitor's cart link, messages and CSRF token afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template import Context
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.html import escape
from django.utils.safestring import SafeString

from shop.context_processors import get_currency, get_storefront, shown_settings, storefront
from shop.page_cache.fragments import cached_render

# HTML comments cannot be injected through texts of Stripe or visitors, because those are escaped.
PLACEHOLDER = re.compile("<!--visitor:(cart_link|messages|csrf_token)-->")

# The page in UTF-8, with the names of the visitor's parts where they belong.
Page = tuple[bytes | str, ...]


def render_cached_page(
    request: HttpRequest,
    template: str,
    cache_key: Hashable,
    context: Callable[[], dict[str, Any]],
    *,
    address: Callable[[], str],
) -> HttpResponse:
    """Render a page through the cache. `cache_key` must hold every value that the context shows.

    `address`: the page's own, put together from what the key holds and never from the request's.

    `address` and `context` are called on a miss only. The template is rendered without the request, so that no visitor's
    data can end up in the cache. The tags {% visitor_... %} mark where such data goes.
    """
    currency = get_currency(request)
    # Everything else that the template can show: the storefront's row with what is computed from it, and the settings.
    key = (
        template,
        get_script_prefix(),
        cache_key,
        get_storefront(request).key,
        currency,
        settings.LOW_STOCK_THRESHOLD,
        (tuple(settings.SHIPPING_COUNTRIES), tuple(settings.SHIPPING_RATES)),
        *shown_settings().values(),
    )

    def rendered() -> Page:
        values = {**storefront(request), **context(), "address": address(), "is_cached": True}
        pieces = PLACEHOLDER.split(render_to_string(template, values))
        return tuple(piece if number % 2 else piece.encode() for number, piece in enumerate(pieces))

    page = cached_render(key, rendered)
    parts = {name: _render_part(name, request).encode() for name in page if isinstance(name, str)}
    response = HttpResponse(b"".join(parts[piece] if isinstance(piece, str) else piece for piece in page))
    patch_vary_headers(response, ["Cookie"])
    return no_cache(response)


def visitor_part(name: str, context: Context) -> SafeString:
    """A placeholder in a page that is rendered for the cache, the part itself in any other."""
    if context.get("is_cached"):
        return SafeString(f"<!--visitor:{name}-->")
    return _render_part(name, context["request"])


def _render_part(name: str, request: HttpRequest) -> SafeString:
    if name == "csrf_token":
        return SafeString(escape(get_token(request)))
    if name == "messages":
        get_currency(request)  # Says if the visitor's choice has ended.
        if not len(get_messages(request)):
            return SafeString("")
    if name == "cart_link" and request.session.is_empty():
        # Without a session there is no cart, so the link is the same for all of these visitors.
        return cached_render((name, reverse("cart")), lambda: _render_template(name, request))
    return _render_template(name, request)


def _render_template(name: str, request: HttpRequest) -> SafeString:
    return SafeString(render_to_string(f"shop/_{name}.html", request=request))


def no_cache(response: HttpResponse) -> HttpResponse:
    """Disallow shared caches and require revalidation, because the page shows stock."""
    patch_cache_control(response, private=True, no_cache=True)
    return response
