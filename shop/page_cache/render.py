"""Cache the rendered page; insert the visitor's cart link, messages and CSRF token afterwards."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template import Context
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.cache import patch_cache_control
from django.utils.html import escape
from django.utils.safestring import SafeString

from shop.context_processors import get_currency, offered_currencies, storefront
from shop.page_cache.fragments import cached_render

VISITOR_PARTS = ("cart_link", "messages", "csrf_token")


def render_cached_page(
    request: HttpRequest,
    template: str,
    cache_key: Hashable,
    context: Callable[[], dict[str, Any]],
    *,
    address: str,
) -> HttpResponse:
    """Render a page through the cache. `cache_key` must hold every value that the context shows.

    `address`: the page's own, put together from what the key holds and never from the request's.

    `context` is called on a miss only. The template is rendered without the request, so that no visitor's data
    can end up in the cache. The tags {% visitor_... %} mark where such data goes.
    """
    shared = storefront(request)
    # Everything else that the template can show: the storefront's rows, and the settings in the context.
    computed = {"storefront", "shop_name", "address", "currency", "currencies"}
    visible = [value for name, value in shared.items() if name not in computed]
    currency = get_currency(request)
    # Not lazy: a key that keeps the request would keep its memory.
    shared |= {"currency": currency, "currencies": offered_currencies(request)}
    shipping = (tuple(settings.SHIPPING_COUNTRIES), tuple(settings.SHIPPING_RATES))
    key = (
        template,
        get_script_prefix(),
        cache_key,
        shared["storefront"].key,
        settings.LOW_STOCK_THRESHOLD,
        shipping,
        currency,
        *visible,
        address,
    )
    html: str = cached_render(
        key,
        lambda: render_to_string(template, {**shared, **context(), "address": address, "is_cached": True}),
    )
    for name in VISITOR_PARTS:
        if _placeholder(name) in html:
            html = html.replace(_placeholder(name), _render_part(name, request))
    return no_cache(HttpResponse(html))


def visitor_part(name: str, context: Context) -> SafeString:
    """A placeholder in a page that is rendered for the cache, the part itself in any other."""
    return _placeholder(name) if context.get("is_cached") else _render_part(name, context["request"])


def _placeholder(name: str) -> SafeString:
    # HTML comments cannot be injected through texts of Stripe or visitors, because those are escaped.
    return SafeString(f"<!--visitor:{name}-->")


def _render_part(name: str, request: HttpRequest) -> SafeString:
    if name == "csrf_token":
        return SafeString(escape(get_token(request)))
    if name == "messages":
        get_currency(request)  # Says if the visitor's choice has ended.
        if not len(get_messages(request)):
            return SafeString("")
    return SafeString(render_to_string(f"shop/_{name}.html", request=request))


def no_cache(response: HttpResponse) -> HttpResponse:
    """Disallow shared caches and require revalidation, because the page shows stock."""
    patch_cache_control(response, private=True, no_cache=True)
    return response
