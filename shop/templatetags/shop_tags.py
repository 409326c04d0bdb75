"""Template tags and filters for prices, stock labels and icons."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from config.languages import address_in, switch_to
from shop import currencies
from shop.availability import ProductAvailability, Variant, card_label, max_quantity, size_label, stock_label
from shop.filters import ProductFilter
from shop.json_ld import product_graph, shop_graph
from shop.money import format_money
from shop.page_cache.render import visitor_part
from shop.storefront import Facets, StorefrontContext
from shop.theme import swatch_color

register = template.Library()

# SVG, because the Content-Security-Policy forbids style attributes.
DOT = (
    '<svg class="swatch" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="8" fill="{}"/></svg>'
)


@register.filter
def money(amount: int | None, currency: str) -> str:
    """{{ 2500|money:"usd" }} -> $25.00. Empty for None."""
    return "" if amount is None else format_money(amount, currency, get_language() or "en")


@register.simple_tag(takes_context=True)
def switch_address(context: Context, language: str) -> str:
    return switch_to(language, context["address"])


@register.simple_tag
def lang(language: str) -> SafeString:
    """<h1{% lang product.name_language %}>: the attribute of a text that is not in the page's language."""
    return format_html(' lang="{}"', language) if language else SafeString("")


@register.simple_tag(takes_context=True)
def switch_currency(context: Context, currency: str) -> str:
    """The address of this page in another currency, which the visitor's browser remembers."""
    return currencies.switch_to(currency, context["address"])


@register.simple_tag(takes_context=True)
def hreflang(context: Context, address: str) -> SafeString:
    """Link elements that name `address` in each language of the shop, and the first one for all others."""
    codes = [code for code, _name in context["languages"]]
    found = [(code, address_in(code, address)) for code in codes]
    found += [("x-default", path) for _code, path in found[:1]]
    return format_html_join(
        "\n  ",
        '<link rel="alternate" hreflang="{}" href="{}{}">',
        ((code, settings.SITE_URL, path) for code, path in found),
    )


@register.simple_tag
def query(product_filter: ProductFilter, **changes: Any) -> str:
    """{% query product_filter sort="price" %} -> ?q=shirt&sort=price. "?" if empty: "" would link to this URL."""
    return product_filter.querystring(**changes) or "?"


def _shows_quantities(context: Context) -> bool:
    return bool(context["storefront"].settings.show_counts)


@register.simple_tag(takes_context=True)
def stock(context: Context, what: Variant | ProductAvailability) -> str:
    return stock_label(what.stock, what.left, show_quantities=_shows_quantities(context))


@register.simple_tag(takes_context=True)
def size_note(context: Context, variant: Variant) -> str:
    return size_label(variant, show_quantities=_shows_quantities(context))


@register.simple_tag(takes_context=True)
def card_note(context: Context, availability: ProductAvailability) -> str:
    return card_label(availability, show_quantities=_shows_quantities(context))


@register.simple_tag(takes_context=True)
def quantity_limit(context: Context, variant: Variant | None) -> int:
    # The limit would reveal the stock, so it is not applied where quantities are hidden. A size that is sold out does
    # not limit the others.
    is_limited = variant is not None and variant.buyable and _shows_quantities(context)
    return max_quantity(variant.left if variant and is_limited else None)


# Parts of a page that differ between visitors. A cached page gets a placeholder for each, which shop.page_cache fills in.


@register.simple_tag(takes_context=True)
def visitor_cart_link(context: Context) -> SafeString:
    return visitor_part("cart_link", context)


@register.simple_tag(takes_context=True)
def visitor_messages(context: Context) -> SafeString:
    return visitor_part("messages", context)


@register.simple_tag(takes_context=True)
def visitor_csrf_token(context: Context) -> SafeString:
    return visitor_part("csrf_token", context)


@register.simple_tag
def swatch(color: str) -> SafeString:
    fill = swatch_color(color)
    return format_html(DOT, fill) if fill else SafeString("")


@register.filter
def facets_of(storefront: StorefrontContext, slug: str) -> Facets:
    """{{ storefront|facets_of:slug }}: sizes and colors of a category, or of all products for ""."""
    return storefront.facets_of(slug)


@register.simple_tag(takes_context=True)
def product_json_ld(context: Context) -> SafeString:
    return product_graph(context["availability"], context["storefront"])


@register.simple_tag(takes_context=True)
def shop_json_ld(context: Context) -> SafeString:
    return shop_graph(context["storefront"])


@register.simple_tag
@lru_cache(maxsize=64)
def icon(name: str) -> SafeString:
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("shop/icons.svg"),
        name,
    )
