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
from shop.page_cache.fragments import kept

# HTML comments cannot be injected through texts of Stripe or visitors, because those are escaped.
PLACES = {name: SafeString(f"<!--own:{name}-->") for name in ("cart", "messages", "token")}


def page(
    request: HttpRequest, template: str, shown: Hashable, context: Callable[[], dict[str, Any]]
) -> HttpResponse:
    """Render a page through the cache. `shown` must hold every value that the context shows.

    `context` is called on a miss only. The template is rendered without the request, so that no visitor's data
    can end up in the cache.
    """
    values = storefront(request)
    key = (template, shown, values["house"].key, settings.LOW_STOCK_THRESHOLD, *_settings(values))
    html = kept(key, lambda: render_to_string(template, {**values, **context(), "own": PLACES}))
    return fresh(HttpResponse(_with_own(html, request)))


def _settings(values: dict[str, Any]) -> list[Hashable]:
    return [value for name, value in values.items() if name not in {"house", "shop_name"}]


def _with_own(html: str, request: HttpRequest) -> str:
    html = html.replace(PLACES["cart"], render_to_string("shop/_cart_link.html", request=request))
    messages = render_to_string("shop/_messages.html", request=request) if len(get_messages(request)) else ""
    html = html.replace(PLACES["messages"], messages)
    return html.replace(PLACES["token"], escape(get_token(request))) if PLACES["token"] in html else html


def fresh(answer: HttpResponse) -> HttpResponse:
    """Disallow shared caches and require revalidation, because the page shows stock."""
    patch_cache_control(answer, private=True, no_cache=True)
    return answer
