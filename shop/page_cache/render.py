"""Cache the rendered page; insert the visitor's cart link, messages and CSRF token afterwards."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.cache import patch_cache_control
from django.utils.html import escape
from django.utils.safestring import SafeString

from shop.context_processors import storefront
from shop.page_cache.fragments import cached_render

# HTML comments cannot be injected through texts of Stripe or visitors, because those are escaped.
PLACEHOLDERS = {name: SafeString(f"<!--own:{name}-->") for name in ("cart", "messages", "token")}


def render_cached_page(
    request: HttpRequest, template: str, cache_key: Hashable, context: Callable[[], dict[str, Any]]
) -> HttpResponse:
    """Render a page through the cache. `shown` must hold every value that the context shows.

    `context` is called on a miss only. The template is rendered without the request, so that no visitor's data
    can end up in the cache.
    """
    values = storefront(request)
    key = (
        template,
        cache_key,
        values["storefront"].key,
        settings.LOW_STOCK_THRESHOLD,
        *_context_values(values),
    )
    html = cached_render(
        key, lambda: render_to_string(template, {**values, **context(), "own": PLACEHOLDERS})
    )
    return no_cache(HttpResponse(_fill_placeholders(html, request)))


def _context_values(values: dict[str, Any]) -> list[Hashable]:
    return [value for name, value in values.items() if name not in {"storefront", "shop_name"}]


def _fill_placeholders(html: str, request: HttpRequest) -> str:
    html = html.replace(PLACEHOLDERS["cart"], render_to_string("shop/_cart_link.html", request=request))
    messages = render_to_string("shop/_messages.html", request=request) if len(get_messages(request)) else ""
    html = html.replace(PLACEHOLDERS["messages"], messages)
    return (
        html.replace(PLACEHOLDERS["token"], escape(get_token(request)))
        if PLACEHOLDERS["token"] in html
        else html
    )


def no_cache(answer: HttpResponse) -> HttpResponse:
    """Disallow shared caches and require revalidation, because the page shows stock."""
    patch_cache_control(answer, private=True, no_cache=True)
    return answer
