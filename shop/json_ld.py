"""JSON-LD of a product for search engines. It leaves out stock, because search engines cache pages for days."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from shop.models import Product
from shop.money import as_decimal

# Text from Stripe must not close the script element.
ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def json_ld(product: Product) -> SafeString:
    """Content of the application/ld+json element. See https://schema.org/Product"""
    text = json.dumps(product_json_ld(product), ensure_ascii=False)
    return mark_safe(text.translate(ESCAPES))  # noqa: S308


def product_json_ld(product: Product) -> dict[str, Any]:
    values: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.name,
        "sku": product.id,
        "url": settings.SITE_URL + product.get_absolute_url(),
        "description": product.description,
        "image": product.images,
        "category": product.category,
        "color": product.colors,
        "offers": _json_ld_offers(product),
    }
    return {name: value for name, value in values.items() if value}


def _json_ld_offers(product: Product) -> dict[str, str]:
    if product.lowest_amount is None or product.highest_amount is None:
        return {}
    currency = settings.SHOP_CURRENCY
    lowest, highest = (str(as_decimal(a, currency)) for a in (product.lowest_amount, product.highest_amount))
    if lowest == highest:
        return {"@type": "Offer", "price": lowest, "priceCurrency": currency.upper()}
    return {
        "@type": "AggregateOffer",
        "lowPrice": lowest,
        "highPrice": highest,
        "priceCurrency": currency.upper(),
    }
