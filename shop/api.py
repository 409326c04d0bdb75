"""JSON representation of products for other programs, compatible with the label's previous shop.

Only metadata keys that the shop knows are published; other keys may be the owner's private notes.
"""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings

from shop.availability import StockStatus, Variant, availability_of
from shop.metadata import KEYS, LINK_KEYS
from shop.models import Product
from shop.money import as_decimal
from shop.size_guide import Guide

PUBLIC_KEYS = frozenset({*KEYS, *LINK_KEYS})


def product_to_json(product: Product, *, show_quantities: bool) -> dict[str, Any]:
    """`price` is in whole units of `currency`; `inventory` is what can be sold, null where stock is not counted.

    Without `counted`, exact quantities are replaced by a lower bound.
    """
    price = product.price_for("") or next((price for price in product.parsed_prices if price.usable), None)
    return {
        "id": product.id,
        "stripeProductId": product.id,
        "stripePriceId": price.id if price else None,
        "title": product.name,
        "price": float(as_decimal(price.unit_amount or 0, price.currency)) if price else None,
        "currency": price.currency if price else None,
        "description": product.description,
        "image": product.images[0] if product.images else None,
        "images": product.images,
        "mainCategory": product.category,
        "sizes": product.sizes,
        "colors": product.colors,
        "details": product.details,
        "inventory": _inventory(product, counted=show_quantities),
        "sizeChart": _size_chart(product.size_guide),
        "metadata": {key: text for key, text in product.metadata.items() if key in PUBLIC_KEYS},
    }


def _inventory(product: Product, *, counted: bool) -> dict[str, int | None]:
    return {
        choice.size or "stock": _left(choice, counted=counted) for choice in availability_of(product).variants
    }


def _left(choice: Variant, *, counted: bool) -> int | None:
    if not choice.buyable:
        return 0
    if counted or choice.left is None:
        return choice.left
    return 1 if choice.stock is StockStatus.FEW else settings.LOW_STOCK_THRESHOLD + 1


def _size_chart(guide: Guide | None) -> dict[str, dict[str, str]]:
    if guide is None:
        return {}
    names = [_camel(column) for column in guide.columns]
    return {row.size: dict(zip(names, row.inches, strict=True)) for row in guide.rows}


def _camel(words: str) -> str:
    # "Body length" -> "bodyLength"
    first, *others = re.split(r"\W+", words.lower())
    return str(first) + "".join(word.capitalize() for word in others)
