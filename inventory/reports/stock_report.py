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
from inventory.stock.metadata import ParsedCount
from shop.gateway import StripeProduct
from shop.money import as_decimal

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

    One query. The rows are streamed, so that memory does not grow with the catalog.
    """
    items = StockItem.objects.filter(is_listed=True, product__deleted=False).select_related("product")
    if product_id:
        items = items.filter(product=product_id)
    items = items.only(
        "key", "size", "state", "on_hand", "pending", "held",
        "product__name", "product__prices", "product__default_price_id",
    )  # fmt: skip
    for item in items.order_by(F("product__name"), "product_id", "position", "pk").iterator(chunk_size=2000):
        row = _row(item)
        if row.is_low or not only_low:
            yield row


def _row(item: StockItem) -> Row:
    price = item.product.price_for(item.size)
    units = None if item.on_hand is None else item.on_hand + item.pending
    if item.state == StockItem.State.NOT_TRACKED:
        units, status = None, Status.NOT_TRACKED
    elif item.state == StockItem.State.UNKNOWN or units is None:
        units, status = None, Status.UNREADABLE
    elif units <= 0:
        status = Status.OUT_OF_STOCK
    else:
        status = Status.LOW_STOCK if units <= settings.LOW_STOCK_THRESHOLD else Status.IN_STOCK
    return Row(
        product_id=item.product_id,
        name=item.product.name,
        size=item.size,
        key=item.key,
        units=units,
        held=item.held,
        pending=item.pending,
        price=price.unit_amount if price else None,
        currency=price.currency if price else settings.SHOP_CURRENCY,
        status=status,
    )


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
        if row is not None and (text := _difference(reading, row)):
            yield f"{row.name} ({product.id}), {reading.key}: {text}"


def _difference(reading: ParsedCount, row: Row) -> str:
    remote = reading.count
    at_stripe = "“unlimited”" if reading.unlimited else "no valid count" if remote is None else str(remote)
    published = None if row.units is None else row.units - row.pending
    if published is not None:
        here = str(published)
    else:
        here = "“unlimited”" if row.status == Status.NOT_TRACKED else "no valid count"
    if at_stripe == here:
        return ""
    on_its_way = f" and {row.pending:+d} on its way" if row.pending else ""
    return f"Stripe has {at_stripe}, this shop {here}{on_its_way}."
