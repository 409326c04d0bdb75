"""Template tags and filters for prices, stock labels and icons."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from shop import words
from shop.availability import ProductAvailability, Variant, max_quantity
from shop.filters import ProductFilter
from shop.json_ld import json_ld as product_script
from shop.models import Product
from shop.money import format_money
from shop.storefront import Facets, StorefrontContext
from shop.swatches import swatch_color

register = template.Library()

# SVG, because the Content-Security-Policy forbids style attributes.
DOT = (
    '<svg class="swatch" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="8" fill="{}"/></svg>'
)


@register.filter
def money(amount: int | None, currency: str) -> str:
    """{{ 2500|money:"usd" }} -> $25.00. Empty for None."""
    return "" if amount is None else format_money(amount, currency, get_language() or "en")


@register.simple_tag
def query(wish: ProductFilter, **changes: Any) -> str:
    """{% query wish sort="price" %} -> ?q=shirt&sort=price. "?" if empty, because "" links to this URL."""
    return wish.querystring(**changes) or "?"


@register.simple_tag(takes_context=True)
def stock(context: Context, what: Variant | ProductAvailability) -> str:
    return words.stock_label(what.stock, what.left, counted=_counted(context))


@register.simple_tag(takes_context=True)
def size_note(context: Context, choice: Variant) -> str:
    return words.size_label(choice, counted=_counted(context))


@register.simple_tag(takes_context=True)
def card_note(context: Context, offer: ProductAvailability) -> str:
    return words.card_label(offer, counted=_counted(context))


@register.simple_tag(takes_context=True)
def most(context: Context, choice: Variant | None) -> int:
    # The limit would reveal the stock, so it is not applied where counts are hidden.
    return max_quantity(choice.left if choice and _counted(context) else None)


@register.simple_tag
def swatch(color: str) -> SafeString:
    fill = swatch_color(color)
    return format_html(DOT, fill) if fill else SafeString("")


def _counted(context: Context) -> bool:
    return bool(context["storefront"].settings.show_counts)


@register.filter
def facets_of(house: StorefrontContext, slug: str) -> Facets:
    """{{ house|range_of:slug }}: sizes and colors of a category, or of all products for ""."""
    return house.facets_of(slug)


@register.simple_tag
def json_ld(product: Product) -> SafeString:
    return product_script(product)


@register.simple_tag
@lru_cache(maxsize=64)
def icon(name: str) -> SafeString:
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("shop/icons.svg"),
        name,
    )
