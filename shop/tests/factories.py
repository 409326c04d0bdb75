"""Test helpers that create products with prices and stock."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

from inventory.models import StockItem
from shop.gateway import StripePrice, StripeProduct
from shop.mirror import upsert_product
from shop.models import Product

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def price(id: str = "price_std", unit_amount: int | None = 2500, **changes: Any) -> StripePrice:
    facts: dict[str, Any] = {
        "active": True,
        "currency": "usd",
        "recurring": False,
        "tiered": False,
        "custom": False,
        "size": "",
    }
    return StripePrice(id=id, unit_amount=unit_amount, **(facts | changes))


def stripe_product(id: str = "prod_balm", **changes: Any) -> StripeProduct:
    """A product as returned by the gateway: BALM T-Shirt, 25.00 USD, S, M and L in Black and White."""
    facts: dict[str, Any] = {
        "name": "BALM T-Shirt",
        "description": "",
        "active": True,
        "deleted": False,
        "metadata": {"category": "clothing", "sizes": "S,M,L", "colors": "Black,White"},
        "images": (),
        "default_price_id": "price_std",
        "prices": (price(),),
        "created_at": LONG_AGO,
        "fetched_at": LONG_AGO,
    }
    return StripeProduct(id=id, **(facts | changes))


def on_shelf(id: str = "prod_balm", stock: dict[str, int | None] | None = None, **changes: Any) -> Product:
    """Store a product with stock, 10 per size by default. None is unknown, -1 is sold without counting."""
    upsert_product(stripe_product(id, **changes))
    product = Product.objects.get(pk=id)
    counts = stock if stock is not None else dict.fromkeys(product.sizes or [""], 10)
    for place, (size, count) in enumerate(counts.items()):
        StockItem.objects.create(
            product=product,
            key=f"stock_{size}" if size else "stock",
            size=size,
            position=place,
            state="unknown" if count is None else "unlimited" if count < 0 else "counted",
            on_hand=None if count is None or count < 0 else count,
        )
    return product


def words_of(answer: Any) -> str:
    """The visible text of a page, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def names_on(answer: Any) -> list[str]:
    return [unescape(name) for name in re.findall(r'card__name"><a [^>]*>([^<]*)', answer.content.decode())]
