"""The stock of every size as rows, and the rows as a table, CSV, JSON and differences from Stripe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import F

from inventory.models import StockItem
from inventory.reports.csv_export import csv_text
from inventory.stock import metadata
from shop.gateway import StripeProduct
from shop.models import Product
from shop.money import as_decimal
from shop.prices import Price, price_for

CSV_COLUMNS = ["Product ID", "Product Name", "Price", "Size", "Stock", "Status"]


class Status(StrEnum):
    """The words of the shop that this one replaced, and two for what it could not say."""

    IN_STOCK = "IN STOCK"
    LOW_STOCK = "LOW STOCK"
    OUT_OF_STOCK = "OUT OF STOCK"
    NOT_TRACKED = "NOT TRACKED"
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True)
class Row:
    """One size of one product. `units`: in stock, held ones included; None where nothing is counted.

    `price`: in the minor unit of `currency`, None where the size has none.
    """

    product_id: str
    name: str
    size: str
    key: str
    units: int | None
    held: int
    pending: int
    price: int | None
    currency: str
    status: Status

    @property
    def is_low(self) -> bool:
        return self.status in (Status.LOW_STOCK, Status.OUT_OF_STOCK)

    @property
    def value(self) -> int:
        return max(0, self.units or 0) * (self.price or 0)


def stock_rows(*, product_id: str = "", only_low: bool = False) -> Iterator[Row]:
    """The listed sizes of all products that are not deleted, by product name, then in the order of the sizes.

    Two queries. The rows are streamed; only the prices of the catalog are kept in memory.
    """
    items = StockItem.objects.filter(is_listed=True, product__deleted=False)
    products = Product.objects.filter(deleted=False)
    if product_id:
        items, products = items.filter(product=product_id), products.filter(pk=product_id)
    # Read once for each product: in a join, they would be decoded again for each of its sizes.
    priced = {
        pk: (prices, default)
        for pk, prices, default in products.values_list("pk", "prices", "default_price_id").iterator()
    }
    columns = items.order_by(F("product__name"), "product_id", "position", "pk").values_list(
        "product_id", "product__name", "size", "key", "state", "on_hand", "pending", "held"
    )
    for pk, sizes in groupby(columns.iterator(chunk_size=2000), key=lambda columns: columns[0]):
        raw_prices, default = priced.get(pk, ((), ""))
        prices = [Price.from_row(row) for row in raw_prices]
        for _pk, name, size, key, state, on_hand, pending, held in sizes:
            price = price_for(size, prices, default)
            units = None if on_hand is None or state != StockItem.State.COUNTED else on_hand + pending
            row = Row(
                product_id=pk,
                name=name,
                size=size,
                key=key,
                units=units,
                held=held,
                pending=pending,
                price=price.unit_amount if price else None,
                currency=price.currency if price else settings.SHOP_CURRENCY,
                status=_status(state, units),
            )
            if row.is_low or not only_low:
                yield row


def _status(state: str, units: int | None) -> Status:
    if state == StockItem.State.NOT_TRACKED:
        return Status.NOT_TRACKED
    if units is None:
        return Status.UNREADABLE
    if units <= 0:
        return Status.OUT_OF_STOCK
    return Status.LOW_STOCK if units <= settings.LOW_STOCK_THRESHOLD else Status.IN_STOCK


@dataclass
class Totals:
    products: int = 0
    sizes: int = 0
    units: int = 0
    low: int = 0
    out: int = 0
    value: int = 0

    def add(self, row: Row) -> None:
        self.sizes += 1
        self.units += row.units or 0
        self.low += row.status == Status.LOW_STOCK
        self.out += row.status == Status.OUT_OF_STOCK
        self.value += row.value

    def counting(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, sorted by product, which are added up while they are read."""
        last = None
        for row in rows:
            self.add(row)
            self.products += row.product_id != last
            last = row.product_id
            yield row


def by_product(rows: Iterable[Row]) -> Iterator[list[Row]]:
    for _product_id, group in groupby(rows, key=lambda row: row.product_id):
        yield list(group)


def csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """CSV with LF, without a byte order mark. Names are always quoted and numbers never, as in the replaced shop."""
    yield ",".join(CSV_COLUMNS) + "\n"
    for row in rows:
        units = "" if row.units is None else str(row.units)
        cells = [
            csv_text(row.product_id),
            csv_text(row.name, always_quoted=True),
            price_text(row),
            csv_text(row.size),
            units,
            row.status.value,
        ]
        yield ",".join(cells) + "\n"


def price_text(row: Row) -> str:
    return "" if row.price is None else str(as_decimal(row.price, row.currency))


def as_json(row: Row) -> dict[str, Any]:
    return {
        "product_id": row.product_id,
        "name": row.name,
        "size": row.size,
        "metadata_key": row.key,
        "units": row.units,
        "held": row.held,
        "on_its_way": row.pending,
        "price": price_text(row) or None,
        "currency": row.currency,
        "status": row.status.value,
    }


def differences(product: StripeProduct, rows: list[Row]) -> Iterator[str]:
    """Sentences about the counts of one product that differ between Stripe and this database.

    Units on their way to Stripe are no difference. `rows`: all rows of this product.
    """
    here = {row.key: row for row in rows}
    sizes = tuple(row.size for row in rows)
    for reading in metadata.read(product.metadata, sizes if any(sizes) else ()):
        row = here.get(reading.key)
        if row is None:
            continue
        theirs = _count_text(reading.count, is_unlimited=reading.unlimited)
        published = None if row.units is None else row.units - row.pending
        ours = _count_text(published, is_unlimited=row.status == Status.NOT_TRACKED)
        if theirs != ours:
            on_its_way = f" and {row.pending:+d} on its way" if row.pending else ""
            text = f"Stripe has {theirs}, this shop {ours}{on_its_way}."
            yield f"{row.name} ({product.id}), {reading.key}: {text}"


def _count_text(count: int | None, *, is_unlimited: bool) -> str:
    if count is None:
        return "“unlimited”" if is_unlimited else "no valid count"
    return str(count)
