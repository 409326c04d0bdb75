"""How is a page put together? What is the same for everybody is kept; what is the visitor's own is put in afterwards."""

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

from shop.context import storefront
from shop.kept import kept

# Comments, because no text of Stripe's or a visitor's can become one: it is escaped.
PLACES = {name: SafeString(f"<!--own:{name}-->") for name in ("cart", "messages", "token")}


def page(
    request: HttpRequest, template: str, shown: Hashable, context: Callable[[], dict[str, Any]]
) -> HttpResponse:
    """A whole page. `shown`: every number and text of its context; the context is asked for only where it is new.

    It is rendered without the request, so that nothing of one visitor's can be kept for another.
    """
    known = storefront(request)
    key = (template, shown, known["house"].key, settings.LOW_STOCK_THRESHOLD, *_settings(known))
    html = kept(key, lambda: render_to_string(template, {**known, **context(), "own": PLACES}))
    return fresh(HttpResponse(_with_own(html, request)))


def _settings(known: dict[str, Any]) -> list[Hashable]:
    return [value for name, value in known.items() if name not in {"house", "shop_name"}]


def _with_own(html: str, request: HttpRequest) -> str:
    """Put in the visitor's cart, what there is to tell them, and the token of their forms."""
    html = html.replace(PLACES["cart"], render_to_string("shop/_cart_link.html", request=request))
    told = render_to_string("shop/_messages.html", request=request) if len(get_messages(request)) else ""
    html = html.replace(PLACES["messages"], told)
    return html.replace(PLACES["token"], escape(get_token(request))) if PLACES["token"] in html else html


def fresh(answer: HttpResponse) -> HttpResponse:
    """Pages that name stock are for one visitor, and are asked for anew each time."""
    patch_cache_control(answer, private=True, no_cache=True)
    return answer
