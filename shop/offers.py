"""What can be bought of a product right now? One choice per size, with its price and what is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings

from shop.models import Product
from shop.prices import Price

MAX_QUANTITY = 99  # Of one article in one order.


class Stock(StrEnum):
    AVAILABLE = "available"
    FEW = "few"
    IN_CHECKOUTS = "in_checkouts"  # None left, but some are in open checkouts and may come back.
    SOLD_OUT = "sold_out"
    NOT_FOR_SALE = "not_for_sale"  # No count that can be read, or no price.


@dataclass(frozen=True)
class Choice:
    """`item_id`: what the order form sends; `left`: units that may still be sold, None where nothing is counted."""

    item_id: int | None
    size: str
    price: Price | None
    stock: Stock
    left: int | None
    costs_more: bool = False

    @property
    def buyable(self) -> bool:
        return self.stock in {Stock.AVAILABLE, Stock.FEW}


@dataclass(frozen=True)
class Offer:
    """Everything that a page says about buying one product."""

    product: Product
    choices: tuple[Choice, ...]

    @property
    def buyable(self) -> bool:
        return any(choice.buyable for choice in self.choices)

    @property
    def has_prices(self) -> bool:
        return self.product.lowest_amount is not None

    @property
    def link_only(self) -> bool:
        """Something to listen to or look at, elsewhere: it has a link and no price."""
        return bool(self.product.link) and not self.has_prices

    @property
    def prices_differ(self) -> bool:
        return self.product.lowest_amount != self.product.highest_amount

    @property
    def only_choice(self) -> Choice | None:
        """The one item of a product without sizes: there is nothing to choose."""
        return self.choices[0] if not self.product.sizes and self.choices else None

    @property
    def stock(self) -> Stock:
        """The best that any size has to say, for a list."""
        order = list(Stock)
        return min((choice.stock for choice in self.choices), key=order.index, default=Stock.NOT_FOR_SALE)

    @property
    def few_together(self) -> bool:
        """Is the sum of all sizes few, too? Five in each of six sizes are thirty."""
        return self.left is not None and self.left <= settings.LOW_STOCK_THRESHOLD

    @property
    def left(self) -> int | None:
        """All units together, None where a size is not counted."""
        counts = [choice.left for choice in self.choices if choice.buyable]
        return None if None in counts else sum(count for count in counts if count)

    @property
    def sizes_left(self) -> str:
        """The sizes that can still be bought, where some of them cannot."""
        left = [choice.size for choice in self.choices if choice.buyable]
        return ", ".join(left) if len(left) < len(self.choices) else ""

    @property
    def some_in_checkouts(self) -> bool:
        return any(choice.stock is Stock.IN_CHECKOUTS for choice in self.choices)


def most_of(left: int | None) -> int:
    """How many may be asked for where `left` are there; None: not counted, or not told. At least 1, as a form wants it."""
    return MAX_QUANTITY if left is None else max(1, min(left, MAX_QUANTITY))


def offer_of(product: Product, items: Iterable[Any] | None = None) -> Offer:
    """The offer of a product with its stock items; without `items` it was read with_offers(), and there is no query."""
    there = product.stock_items.all() if items is None else items
    listed = {item.size: item for item in there if item.listed}
    return Offer(product, tuple(_choice(product, size, listed.get(size)) for size in product.sizes or [""]))


def _choice(product: Product, size: str, item: Any) -> Choice:
    price = product.price_for(size)
    if item is None or price is None:
        return Choice(None, size, price, Stock.NOT_FOR_SALE, None)
    costs_more = price.unit_amount != product.lowest_amount
    return Choice(item.pk, size, price, _stock(item), item.available, costs_more)


def _stock(item: Any) -> Stock:
    if item.for_sale:
        few = item.available is not None and item.available <= settings.LOW_STOCK_THRESHOLD
        return Stock.FEW if few else Stock.AVAILABLE
    if item.available is None:
        return Stock.NOT_FOR_SALE
    return Stock.IN_CHECKOUTS if item.held else Stock.SOLD_OUT
