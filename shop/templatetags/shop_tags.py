"""Which words and signs do templates need that Django has not?"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from shop import structured, words
from shop.house import House, Range
from shop.models import Product
from shop.money import format_money
from shop.offers import Choice, Offer, most_of
from shop.swatches import fill_of
from shop.wishes import Wish

register = template.Library()

# A drawing and not a style: the pages' policy allows none on an element.
DOT = (
    '<svg class="swatch" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="8" fill="{}"/></svg>'
)


@register.filter
def money(amount: int | None, currency: str) -> str:
    """{{ 2500|money:"usd" }} -> $25.00; nothing for no amount."""
    return "" if amount is None else format_money(amount, currency, get_language() or "en")


@register.simple_tag
def query(wish: Wish, **changes: Any) -> str:
    """{% query wish sort="price" %} -> ?q=shirt&sort=price; "?" where nothing is wished for: "" would be this address."""
    return wish.query(**changes) or "?"


@register.simple_tag(takes_context=True)
def stock(context: Context, what: Choice | Offer) -> str:
    """What is left of a size or of a whole offer, as a sentence."""
    return words.stock_words(what.stock, what.left, counted=_counted(context))


@register.simple_tag(takes_context=True)
def size_note(context: Context, choice: Choice) -> str:
    """What is left of a size, for its button."""
    return words.size_words(choice, counted=_counted(context))


@register.simple_tag(takes_context=True)
def card_note(context: Context, offer: Offer) -> str:
    """What a card says below the price."""
    return words.card_words(offer, counted=_counted(context))


@register.simple_tag(takes_context=True)
def most(context: Context, choice: Choice | None) -> int:
    """How many a customer may ask for: no more than are left, where that number is told at all."""
    return most_of(choice.left if choice and _counted(context) else None)


@register.simple_tag
def swatch(colour: str) -> SafeString:
    """A dot in the colour of that name; nothing for a name that nobody here knows."""
    found = fill_of(colour)
    return format_html(DOT, found) if found else SafeString("")


def _counted(context: Context) -> bool:
    return bool(context["house"].storefront.show_counts)


@register.filter
def range_of(house: House, slug: str) -> Range:
    """{{ house|range_of:slug }}: the sizes and colours of a category, or of everything."""
    return house.range_of(slug)


@register.simple_tag
def json_ld(product: Product) -> SafeString:
    """{% json_ld product %} inside its script element."""
    return structured.json_ld(product)


@register.simple_tag
@lru_cache(maxsize=64)
def icon(name: str) -> SafeString:
    """One sign of the sprite, as large as the text beside it and silent to screen readers."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("shop/icons.svg"),
        name,
    )
