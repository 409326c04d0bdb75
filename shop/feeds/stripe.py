"""The files for Stripe's catalog for AI agents: all products, or only their stock.

Columns: https://docs.stripe.com/agentic-commerce/product-feed (as of 2026-05-12).
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass

from django.utils.translation import override

from config.languages import first_language
from shop.feeds.catalog import iter_catalog
from shop.feeds.gaps import Feed, is_complete
from shop.feeds.google import shipping_of
from shop.feeds.rows import CatalogRow
from shop.storefront import StorefrontContext

FACTS = (
    *("id", "title", "description", "link", "brand", "gtin", "mpn", "image_link", "additional_image_link"),
    *("google_product_category", "product_category", "item_group_id", "item_group_title", "size", "color"),
    *("gender", "age_group", "condition", "price", "shipping", "disable_checkout"),
)
STOCK = ("availability", "inventory_not_tracked", "inventory_quantity")


@dataclass(frozen=True)
class AgentCatalog:
    """Both files of one moment. The digests tell whether the facts or the stock changed since another moment."""

    products: str
    stock: str
    rows: int
    stock_rows: int
    product_digest: str
    stock_digest: str


def agent_catalog(storefront: StorefrontContext) -> AgentCatalog:
    # The links lead to the pages in that language.
    with override(first_language()):
        return _written(storefront)


def _written(storefront: StorefrontContext) -> AgentCatalog:
    products, stock = io.StringIO(newline=""), io.StringIO(newline="")
    product_line, stock_line = csv.writer(products).writerow, csv.writer(stock).writerow
    product_line([*FACTS, *STOCK])
    stock_line(["id", "availability", "inventory_quantity"])
    facts_digest, stock_digest = hashlib.sha256(), hashlib.sha256()
    rows = stock_rows = 0
    # ALL is Stripe's word for a whole country.
    shipping = ",".join(
        f"{country}:ALL:{service.replace(':', ' ').replace(',', ' ')}::{price}"
        for country, service, price in shipping_of(storefront)
    )
    for product_rows in iter_catalog(storefront):
        for row in product_rows:
            if not is_complete(row, Feed.STRIPE):
                continue
            facts = _facts(row, shipping)
            is_tracked = not row.buyable or row.quantity is not None
            availability = "in_stock" if row.buyable else "out_of_stock"
            not_tracked = "false" if is_tracked else "true"
            quantity = str(row.quantity if row.buyable else 0) if is_tracked else ""
            product_line([*facts, availability, not_tracked, quantity])
            # The stock file cannot say that a size is no longer counted.
            facts_digest.update(repr((facts, not_tracked)).encode())
            stock_digest.update(repr((row.id, availability, not_tracked, quantity)).encode())
            rows += 1
            if quantity:  # The stock file requires a quantity, so sizes that are not counted are left out.
                stock_line([row.id, availability, quantity])
                stock_rows += 1
    return AgentCatalog(
        products.getvalue(),
        stock.getvalue(),
        rows,
        stock_rows,
        facts_digest.hexdigest(),
        stock_digest.hexdigest(),
    )


def _facts(row: CatalogRow, shipping: str) -> list[str]:
    product = row.product
    return [
        row.id,
        row.title,
        product.description,
        row.url,
        product.brand,
        row.gtin,
        # Stripe requires one of the two numbers; the id stands for the label's own.
        row.mpn or ("" if row.gtin else row.id),
        product.images[0],
        ",".join(image.replace(",", "%2C") for image in product.images[1:]),
        product.google_category,
        product.category,
        product.group if row.size else "",
        product.name if row.size else "",
        row.size,
        product.color,
        product.gender,
        product.age_group,
        product.condition,
        f"{row.price_text} {row.currency.upper()}",
        shipping,
        "true",  # Agents show the product; this shop sells it, with its own counts and checkout.
    ]
