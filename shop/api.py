"""JSON representation of products for other programs, compatible with the label's previous shop.

Only metadata keys that the shop knows are published; other keys may be the owner's private notes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from io import BytesIO
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder

from shop.availability import StockStatus, Variant, availability_of
from shop.metadata import KEYS, LINK_KEYS
from shop.models import Product
from shop.money import as_decimal, decimal_text
from shop.size_guide import Guide

STOCK_COLUMNS = ("pk", "key", "size", "position", "is_listed", "state", "available", "held")
PUBLIC_KEYS = frozenset({*KEYS, *LINK_KEYS})


BATCH_SIZE = 100
_latest: tuple[str, bytes] = ("", b"")  # version and compressed JSON
_lock = Lock()


def catalog_version(*, show_quantities: bool) -> str:
    """Digest of everything that the catalog's JSON shows. Reads the rows in batches, so it needs little memory."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((show_quantities, settings.LOW_STOCK_THRESHOLD, settings.SITE_URL)).encode())
    columns = [field.attname for field in Product._meta.concrete_fields if field.name != "fetched_at"]
    products = Product.objects.visible().with_size_guide().values_list(*columns, "size_guide_row")
    stock = Product.objects.visible().order_by("pk", "stock_items__pk")
    for rows in (products, stock.values_list("pk", *(f"stock_items__{name}" for name in STOCK_COLUMNS))):
        for row in rows.iterator(chunk_size=BATCH_SIZE):
            digest.update(repr(row).encode())
    return digest.hexdigest()


def compressed_catalog(version: str, *, show_quantities: bool) -> bytes:
    """The catalog as gzip-compressed JSON, built once per version and process."""
    global _latest
    with _lock:
        if _latest[0] == version:
            return _latest[1]
        file, separator = BytesIO(), '{"products": ['
        products = Product.objects.visible().with_stock().with_size_guide()
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as compressor:
            for product in products.iterator(chunk_size=BATCH_SIZE):
                fields = product_to_json(product, show_quantities=show_quantities)
                compressor.write(f"{separator}{json.dumps(fields, cls=DjangoJSONEncoder)}".encode())
                separator = ", "
            compressor.write(b"]}" if separator == ", " else b'{"products": []}')
        compressed = file.getvalue()
        # Rows that changed while it was built belong to another version.
        if catalog_version(show_quantities=show_quantities) == version:
            _latest = (version, compressed)
        return compressed


def decompressed(compressed: bytes) -> Iterator[bytes]:
    """In parts, for clients that take no gzip."""
    with gzip.open(BytesIO(compressed)) as file:
        while part := file.read(64 * 1024):
            yield part


def uncompressed_size(compressed: bytes) -> int:
    return int.from_bytes(compressed[-4:], "little")  # The last field of gzip's format.


def product_to_json(product: Product, *, show_quantities: bool) -> dict[str, Any]:
    """`price` is in whole units of `currency`; `inventory` is what can be sold, null where stock is not counted.

    `prices` are decimal texts by size, with the decimals of ISO 4217; null for a size without a price.

    Without `show_quantities`, exact quantities are replaced by a lower bound.
    """
    availability = availability_of(product)
    price = product.price_for("") or next((price for price in product.parsed_prices if price.usable), None)
    return {
        "id": product.id,
        "stripeProductId": product.id,
        "stripePriceId": price.id if price else None,
        "title": product.name,
        "price": float(as_decimal(price.unit_amount or 0, price.currency)) if price else None,
        "currency": price.currency if price else None,
        "prices": {
            variant.size or "stock": decimal_text(variant.price.unit_amount, variant.price.currency)
            if variant.price and variant.price.unit_amount is not None
            else None
            for variant in availability.variants
        },
        "url": settings.SITE_URL + product.get_absolute_url(),
        "description": product.description,
        "image": product.images[0] if product.images else None,
        "images": product.images,
        "mainCategory": product.category,
        "sizes": product.sizes,
        "colors": product.colors,
        "details": product.details,
        "inventory": {
            variant.size or "stock": _quantity(variant, show_quantities=show_quantities)
            for variant in availability.variants
        },
        "sizeChart": _size_chart(product.size_guide) if product.size_guide else {},
        "metadata": {key: text for key, text in product.metadata.items() if key in PUBLIC_KEYS},
    }


def _quantity(variant: Variant, *, show_quantities: bool) -> int | None:
    if not variant.buyable:
        return 0
    if show_quantities or variant.left is None:
        return variant.left
    return 1 if variant.stock is StockStatus.FEW else settings.LOW_STOCK_THRESHOLD + 1


def _size_chart(guide: Guide) -> dict[str, dict[str, str]]:
    # "Body length" -> "bodyLength"
    words = [re.split(r"\W+", column.lower()) for column in guide.columns]
    names = [first + "".join(word.capitalize() for word in others) for first, *others in words]
    return {row.size: dict(zip(names, row.inches, strict=True)) for row in guide.rows}
