"""Read the whole catalog in chunks, with the stock of the moment, and the version of what a feed of it says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.conf import settings
from django.utils.translation import get_language

from shop.feeds.rows import CatalogRow, catalog_rows
from shop.models import Product
from shop.page_cache.rows import PAGE_FIELDS, STOCK_FIELDS, ProductRows
from shop.storefront import StorefrontContext

CHUNK = 250


def iter_catalog(storefront: StorefrontContext) -> Iterator[list[CatalogRow]]:
    """Yield the rows of each visible product, ordered by its id. Products that are only a link have none.

    Every chunk is a query of its own: a client that reads slowly keeps no cursor or transaction open.
    """
    last = ""
    while chunk := list(
        Product.objects.visible().filter(pk__gt=last).order_by("pk").values_list(*PAGE_FIELDS)[:CHUNK]
    ):
        last = chunk[-1][0]
        items = _stock_items().filter(product__in=[row[0] for row in chunk]).order_by("id")
        stock = tuple(items.values_list(*STOCK_FIELDS))
        for availability in ProductRows(PAGE_FIELDS, tuple(chunk), stock).availabilities(
            settings.SHOP_CURRENCY
        ):
            if rows := list(catalog_rows(availability, storefront)):
                yield rows


def catalog_version(storefront: StorefrontContext) -> str:
    """Changes with the language, each product, the storefront, and each size that begins or ceases to be available."""
    products = Product.objects.visible().order_by("pk").values_list("pk", "fetched_at")
    stock = _stock_items().order_by("pk").values_list("pk", "is_listed", "state", "available")
    available = ((pk, is_listed, state, bool(left)) for pk, is_listed, state, left in stock.iterator())
    version = hashlib.blake2b(digest_size=16)
    circumstances = (settings.SITE_URL, settings.SHOP_CURRENCY, settings.SHOP_NAME, get_language())
    shipping = (settings.SHIPPING_COUNTRIES, settings.SHIPPING_RATES)
    for fact in chain([storefront.key, circumstances, shipping], products.iterator(), available):
        version.update(repr(fact).encode())
    return version.hexdigest()


def _stock_items() -> Any:
    # Shop does not import inventory; it reaches the stock items through the reverse relation.
    model: Any = Product._meta.get_field("stock_items").related_model
    return model._default_manager.all()
