"""Fetch the rows that a page shows, with cached SQL.

Building SQL from a queryset takes longer than running it. Compiled SQL is cached per query; results are not.
The rows are also the cache key of rendered pages (shop.page_cache.fragments). The stock is one JSON text, which is
taken apart on a miss only: 144 rows of a list cost more to fetch and to hash than their text.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from django.db import connection

from shop.availability import ProductAvailability, availability_of
from shop.filters import PAGE_SIZE, ProductFilter
from shop.models import Product

Row = tuple[Any, ...]
Statement = tuple[str, tuple[Any, ...]]  # SQL and its parameters

JSON_FIELDS = frozenset({"sizes", "colors", "images", "prices", "amounts", "metadata", "translations"})
CARD_FIELDS = (
    *("id", "name", "translations", "category", "sizes", "images", "link", "featured"),
    *("prices", "default_price_id", "lowest_amount", "highest_amount", "amounts"),
)
PAGE_FIELDS = (*CARD_FIELDS, "category_slug", "description", "colors", "details", "metadata")
STOCK_FIELDS = ("id", "product_id", "size", "catalog_id", "is_listed", "state", "available", "held")


@dataclass(frozen=True)
class ProductRows:
    """Rows of products, and rows of their stock or the JSON text of these. Equal rows produce the same page."""

    fields: tuple[str, ...]
    products: tuple[Row, ...]
    stock: tuple[Row, ...] | str

    @property
    def total(self) -> int:
        return int(self.products[0][-1]) if self.products else 0

    @property
    def pages(self) -> int:
        return -(-self.total // PAGE_SIZE)

    @property
    def stub(self) -> Product:
        """The first product with only the fields of its URL."""
        product: Product = _instance(Product, CARD_FIELDS[:2], self.products[0][:2])
        return product

    def size_named(self, name: str) -> str:
        """The first product's size of this name, in any case. "" if it has no such size."""
        sizes: list[str] = _loaded(self.products[0][self.fields.index("sizes")]) if name else []
        known = {size.casefold(): size for size in reversed(sizes)} | {size: size for size in sizes}
        return known.get(name) or known.get(name.casefold(), "")

    def availabilities(self, currency: str) -> list[ProductAvailability]:
        items: dict[str, list[Any]] = defaultdict(list)
        model = _stock_items().model
        for row in sorted(_loaded(self.stock)):  # by id; the text is in any order
            items[row[1]].append(_instance(model, STOCK_FIELDS, row))
        found = (availability_of(self._product(row), items[row[0]]) for row in self.products)
        return [availability.in_currency(currency) for availability in found]

    def _product(self, row: Row) -> Product:
        values = [
            _loaded(value) if name in JSON_FIELDS else value
            for name, value in zip(self.fields, row, strict=False)
        ]
        product: Product = _instance(Product, self.fields, values)
        if len(row) > len(self.fields):
            product.size_guide_row = _loaded(row[len(self.fields)])  # type: ignore[attr-defined]
        return product


def fetch_list(product_filter: ProductFilter, slug: str = "") -> ProductRows:
    """Fetch one page of a list in two queries. It is empty past the last page."""
    products = _fetched(_list_statement, product_filter, slug)
    [[stock]] = _fetched(_stock_statement, *(row[0] for row in products)) if products else [["[]"]]
    return ProductRows(CARD_FIELDS, products, stock or "[]")


def fetch_detail(product_id: str) -> ProductRows | None:
    """Fetch one product with its size guide and stock in one query. Returns None if it is not visible."""
    found = _fetched(_detail_statement, product_id)
    if not found:
        return None
    [(*product, stock)] = found
    return ProductRows(PAGE_FIELDS, (tuple(product),), stock or "[]")


def _list_statement(product_filter: ProductFilter, slug: str) -> Statement:
    rows = product_filter.queryset(slug).values_list(*CARD_FIELDS, "total")[product_filter.slice()]
    return rows.query.sql_with_params()


def _detail_statement(product_id: str) -> Statement:
    rows = Product.objects.visible().with_size_guide().filter(pk=product_id)
    product, parameters = rows.values_list(*PAGE_FIELDS, "size_guide_row").query.sql_with_params()
    stock, stock_parameters = _stock_statement(product_id)
    return f"SELECT product.*, ({stock}) FROM ({product}) AS product", (*stock_parameters, *parameters)  # noqa: S608


def _stock_statement(*product_ids: str) -> Statement:
    # One row with one text of all stock rows, [[id, product id, ...], ...], or with NULL.
    items = _stock_items().filter(product__in=product_ids).order_by().values_list(*STOCK_FIELDS)
    rows, parameters = items.query.sql_with_params()
    columns = ", ".join(STOCK_FIELDS)
    if connection.vendor == "postgresql":
        text = f"json_agg(json_build_array({columns}))::text"
    else:
        text = f"json_group_array(json_array({columns}))"
    return f"SELECT {text} FROM ({rows}) AS stock", parameters  # noqa: S608


def _stock_items() -> Any:
    # Shop does not import inventory; it reaches the stock items through the reverse relation.
    model = Product._meta.get_field("stock_items").related_model
    return model._default_manager.all()


def _fetched(build: Callable[..., Statement], *arguments: Hashable) -> tuple[Row, ...]:
    with connection.cursor() as cursor:
        cursor.execute(*_compiled(connection.vendor, build, *arguments))
        return tuple(map(tuple, cursor.fetchall()))


@lru_cache(maxsize=1024)
def _compiled(_vendor: str, build: Callable[..., Statement], *arguments: Hashable) -> Statement:
    return build(*arguments)


def _instance(model: Any, fields: tuple[str, ...], values: Sequence[Any]) -> Any:
    # An instance of `model` with only `fields` loaded.
    names, in_order = _loading_order(model, fields)
    return model.from_db("default", names, in_order(values))


@lru_cache(maxsize=16)
def _loading_order(
    model: Any, fields: tuple[str, ...]
) -> tuple[dict[str, None], Callable[[Sequence[Any]], tuple[Any, ...]]]:
    # from_db() expects names and values in the model's order.
    names = [field.attname for field in model._meta.concrete_fields if field.attname in fields]
    return dict.fromkeys(names), itemgetter(*(fields.index(name) for name in names))


def _loaded(value: Any) -> Any:
    # Raw SQL returns JSON columns as text.
    return json.loads(value) if isinstance(value, str) else value
