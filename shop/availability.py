"""Availability of a product: one choice per size, with its price and stock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings

from shop.models import Product
from shop.prices import Price

MAX_QUANTITY = 99  # Per line of an order.


class StockStatus(StrEnum):
    AVAILABLE = "available"
    FEW = "few"
    IN_CHECKOUTS = "in_checkouts"  # None left, but some are held by open checkouts and may be released.
    SOLD_OUT = "sold_out"
    NOT_FOR_SALE = "not_for_sale"  # The count is unknown, or there is no price.


@dataclass(frozen=True)
class Variant:
    """`item_id` is sent by the form. `left` is the number of units for sale, None where stock is not counted."""

    item_id: int | None
    size: str
    price: Price | None
    stock: StockStatus
    left: int | None
    costs_more: bool = False

    @property
    def buyable(self) -> bool:
        return self.stock in {StockStatus.AVAILABLE, StockStatus.FEW}


@dataclass(frozen=True)
class ProductAvailability:
    """What can be bought of one product."""

    product: Product
    variants: tuple[Variant, ...]

    @property
    def buyable(self) -> bool:
        return any(choice.buyable for choice in self.variants)

    @property
    def has_prices(self) -> bool:
        return self.product.lowest_amount is not None

    @property
    def link_only(self) -> bool:
        """Not sold here: it has a link and no price."""
        return bool(self.product.link) and not self.has_prices

    @property
    def prices_differ(self) -> bool:
        return self.product.lowest_amount != self.product.highest_amount

    @property
    def only_variant(self) -> Variant | None:
        return self.variants[0] if not self.product.sizes and self.variants else None

    @property
    def stock(self) -> StockStatus:
        order = list(StockStatus)
        return min(
            (choice.stock for choice in self.variants), key=order.index, default=StockStatus.NOT_FOR_SALE
        )

    @property
    def total_is_low(self) -> bool:
        # Each of six sizes may be low with five left, but thirty in total are not.
        return self.left is not None and self.left <= settings.LOW_STOCK_THRESHOLD

    @property
    def left(self) -> int | None:
        """Total units of all sizes, None if a size is not counted."""
        counts = [choice.left for choice in self.variants if choice.buyable]
        return None if None in counts else sum(count for count in counts if count)

    @property
    def sizes_available(self) -> str:
        """The sizes that can still be bought; empty if all of them can."""
        left = [choice.size for choice in self.variants if choice.buyable]
        return ", ".join(left) if len(left) < len(self.variants) else ""

    @property
    def some_reserved(self) -> bool:
        return any(choice.stock is StockStatus.IN_CHECKOUTS for choice in self.variants)


def max_quantity(left: int | None) -> int:
    """Maximum of the quantity field, at least 1. `left` is None if stock is not counted or hidden."""
    return MAX_QUANTITY if left is None else max(1, min(left, MAX_QUANTITY))


def availability_of(product: Product, items: Iterable[Any] | None = None) -> ProductAvailability:
    """Availability of a product. Pass `items`, or load the product with_offers() to avoid a query."""
    there = product.stock_items.all() if items is None else items
    listed = {item.size: item for item in there if item.is_listed}
    return ProductAvailability(
        product, tuple(_variant(product, size, listed.get(size)) for size in product.sizes or [""])
    )


def _variant(product: Product, size: str, item: Any) -> Variant:
    price = product.price_for(size)
    if item is None or price is None:
        return Variant(None, size, price, StockStatus.NOT_FOR_SALE, None)
    costs_more = price.unit_amount != product.lowest_amount
    return Variant(item.pk, size, price, _status(item), item.available, costs_more)


def _status(item: Any) -> StockStatus:
    if item.for_sale:
        few = item.available is not None and item.available <= settings.LOW_STOCK_THRESHOLD
        return StockStatus.FEW if few else StockStatus.AVAILABLE
    if item.available is None:
        return StockStatus.NOT_FOR_SALE
    return StockStatus.IN_CHECKOUTS if item.held else StockStatus.SOLD_OUT
