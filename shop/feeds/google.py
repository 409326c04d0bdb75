"""The feed for Google Merchant Center, as RSS with Google's elements and as tab-separated text.

Attributes: https://support.google.com/merchants/answer/7052112
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from django.conf import settings

from shop.feeds.catalog import iter_catalog
from shop.feeds.gaps import Feed, is_complete
from shop.feeds.rows import CatalogProduct, CatalogRow
from shop.money import decimal_text
from shop.storefront import StorefrontContext

# The same for all sizes of a product, and so put together once.
PRODUCT_COLUMNS = (
    *("description", "image_link", "additional_image_link", "brand", "condition", "google_product_category"),
    *("product_type", "color", "gender", "age_group", "return_policy_label"),
)
SIZE_COLUMNS = (
    *("id", "title", "link", "availability", "price", "gtin", "mpn", "identifier_exists"),
    *("item_group_id", "size"),
)
MAX_SHIPPING = 100  # Google's limit for one product.
WHITESPACE = str.maketrans("\t\r\n", "   ")


def google_xml(storefront: StorefrontContext) -> Iterator[str]:
    home = escape(f"{settings.SITE_URL}/")
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
        f"<title>{escape(storefront.name)}</title><link>{home}</link>"
        f"<description>{escape(storefront.settings.tagline or storefront.name)}</description>\n"
    )
    shipping = "".join(
        f"<g:shipping><g:country>{country}</g:country><g:service>{escape(service)}</g:service>"
        f"<g:price>{price}</g:price></g:shipping>"
        for country, service, price in shipping_of(storefront)
    )
    for rows in _complete(storefront):
        shared = _elements(PRODUCT_COLUMNS, product_values(rows[0].product))
        # Google takes several images as an element for each.
        images = "".join(
            f"<g:additional_image_link>{escape(image)}</g:additional_image_link>"
            for image in rows[0].product.images[1:]
        )
        yield "".join(
            f"<item>{_elements(SIZE_COLUMNS, size_values(row))}{shared}{images}{shipping}</item>\n"
            for row in rows
        )
    yield "</channel></rss>\n"


def google_tsv(storefront: StorefrontContext) -> Iterator[str]:
    line = csv.writer(_Line(), delimiter="\t", lineterminator="").writerow
    yield line([*SIZE_COLUMNS, *PRODUCT_COLUMNS, "shipping"]) + "\n"
    parts = [
        f"{country}::{service.replace(':', ' ').replace(',', ' ')}:{price}"
        for country, service, price in shipping_of(storefront)
    ]
    shipping = ",".join(parts)
    for rows in _complete(storefront):
        product = rows[0].product
        values = product_values(product)
        # Here several images are one value, separated by commas.
        values[2] = ",".join(image.replace(",", "%2C") for image in product.images[1:])
        shared = line([*(value.translate(WHITESPACE) for value in values), shipping])
        yield "".join(f"{line(size_values(row))}\t{shared}\n" for row in rows)


def _complete(storefront: StorefrontContext) -> Iterator[list[CatalogRow]]:
    for rows in iter_catalog(storefront):
        if complete := [row for row in rows if is_complete(row, Feed.GOOGLE)]:
            yield complete


def product_values(product: CatalogProduct) -> list[str]:
    return [
        product.description,
        product.images[0],
        "",
        product.brand,
        product.condition,
        product.google_category,
        product.category,
        product.color,
        product.gender,
        product.age_group,
        product.return_label,
    ]


def size_values(row: CatalogRow) -> list[str]:
    return [
        row.id,
        row.title,
        row.url,
        "in_stock" if row.buyable else "out_of_stock",
        f"{row.price_text} {row.currency.upper()}",
        row.gtin,
        row.mpn,
        "" if row.gtin or row.mpn else "no",
        row.product.group if row.size else "",
        row.size,
    ]


def shipping_of(storefront: StorefrontContext) -> list[tuple[str, str, str]]:
    """(country, service, price) for each country and rate: the cheapest rate if all would be too many for Google.

    Empty if there are still too many, or if shipping is unknown: the owner then sets it up in Merchant Center.
    """
    rates = sorted(storefront.shipping_rates or (), key=lambda rate: rate.amount)
    if len(rates) * len(settings.SHIPPING_COUNTRIES) > MAX_SHIPPING:
        rates = rates[:1]
    if len(rates) * len(settings.SHIPPING_COUNTRIES) > MAX_SHIPPING:
        return []
    return [
        (country, rate.name, f"{decimal_text(rate.amount, rate.currency)} {rate.currency.upper()}")
        for country in settings.SHIPPING_COUNTRIES
        for rate in rates
    ]


def _elements(names: tuple[str, ...], values: list[str]) -> str:
    return "".join(
        f"<g:{name}>{escape(value)}</g:{name}>" for name, value in zip(names, values, strict=True) if value
    )


class _Line:
    """A file for csv.writer, whose writerow then returns the line."""

    def write(self, text: str) -> Any:
        return text
