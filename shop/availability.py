"""Availability of a product, one variant per size with its price and stock, and the labels customers read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shop.feeds.ids import catalog_id_of_size
from shop.models import Product
from shop.prices import Price


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
    catalog_id: str = ""  # The id of this size in feeds and structured data.

    @classmethod
    def of(cls, product: Product, size: str, item: Any) -> Variant:
        price = product.price_for(size)
        catalog_id = item.catalog_id if item else catalog_id_of_size(product.id, size)
        if item is None or price is None:
            return cls(None, size, price, StockStatus.NOT_FOR_SALE, None, catalog_id=catalog_id)
        if item.for_sale:
            is_few = item.available is not None and item.available <= settings.LOW_STOCK_THRESHOLD
            status = StockStatus.FEW if is_few else StockStatus.AVAILABLE
        elif item.available is None:
            status = StockStatus.NOT_FOR_SALE
        else:
            status = StockStatus.IN_CHECKOUTS if item.held else StockStatus.SOLD_OUT
        costs_more = price.unit_amount != product.lowest_amount
        return cls(item.pk, size, price, status, item.available, costs_more, catalog_id)

    @property
    def buyable(self) -> bool:
        return self.stock in {StockStatus.AVAILABLE, StockStatus.FEW}

    @property
    def sold_out(self) -> bool:
        return self.stock in {StockStatus.SOLD_OUT, StockStatus.IN_CHECKOUTS}


@dataclass(frozen=True)
class ProductAvailability:
    """What can be bought of one product, and its lowest and highest price in `currency`."""

    product: Product
    variants: tuple[Variant, ...]
    currency: str
    lowest_amount: int | None
    highest_amount: int | None

    def in_currency(self, currency: str) -> ProductAvailability:
        """The same with prices in another currency of the shop. A size that has none in it has no price."""
        if currency == self.currency:
            return self
        lowest, highest = self.product.range_in(currency)
        variants = []
        for variant in self.variants:
            price = self.product.price_for(variant.size, currency)
            costs_more = variant.item_id is not None and price is not None and price.unit_amount != lowest
            variants.append(replace(variant, price=price, costs_more=costs_more))
        return replace(
            self, variants=tuple(variants), currency=currency, lowest_amount=lowest, highest_amount=highest
        )

    @property
    def buyable(self) -> bool:
        return any(variant.buyable for variant in self.variants)

    @property
    def has_prices(self) -> bool:
        return self.lowest_amount is not None

    @property
    def link_only(self) -> bool:
        return bool(self.product.link) and not self.has_prices

    @property
    def prices_differ(self) -> bool:
        return self.lowest_amount != self.highest_amount

    @property
    def only_variant(self) -> Variant | None:
        return self.variants[0] if not self.product.sizes and self.variants else None

    def variant_of(self, size: str) -> Variant | None:
        return next((variant for variant in self.variants if size and variant.size == size), None)

    @property
    def stock(self) -> StockStatus:
        order = list(StockStatus)
        return min(
            (variant.stock for variant in self.variants), key=order.index, default=StockStatus.NOT_FOR_SALE
        )

    @property
    def total_is_low(self) -> bool:
        # Each of six sizes may be low with five left, but thirty in total are not.
        return self.left is not None and self.left <= settings.LOW_STOCK_THRESHOLD

    @property
    def left(self) -> int | None:
        """Total units of all sizes, None if a size is not counted."""
        counts = [variant.left for variant in self.variants if variant.buyable]
        return None if None in counts else sum(count for count in counts if count)

    @property
    def sizes_available(self) -> str:
        """The sizes that can still be bought; empty if all of them can."""
        left = [variant.size for variant in self.variants if variant.buyable]
        return ", ".join(left) if len(left) < len(self.variants) else ""

    @property
    def some_sold_out(self) -> bool:
        return any(variant.sold_out for variant in self.variants)

    @property
    def some_reserved(self) -> bool:
        return any(variant.stock is StockStatus.IN_CHECKOUTS for variant in self.variants)


def max_quantity(left: int | None) -> int:
    """Maximum of the quantity field, at least 1. `left` is None if stock is not counted or hidden."""
    most: int = settings.MAX_UNITS_PER_SIZE
    return most if left is None else max(1, min(left, most))


def availability_of(product: Product, items: Iterable[Any] | None = None) -> ProductAvailability:
    """Availability of a product, in SHOP_CURRENCY. Pass `items`, or load the product with_stock() to avoid a query."""
    by_size = {
        item.size: item for item in (product.stock_items.all() if items is None else items) if item.is_listed
    }
    variants = (Variant.of(product, size, by_size.get(size)) for size in product.sizes or [""])
    currency = settings.SHOP_CURRENCY
    return ProductAvailability(product, tuple(variants), currency, *product.range_in(currency))


# --- Labels ------------------------------------------------------------------------------------


def stock_label(stock: StockStatus, left: int | None, *, show_quantities: bool) -> str:
    """Label of a product or size. `show_quantities`: whether the number may be shown."""
    if stock is StockStatus.FEW:
        if not show_quantities or left is None:
            return _("Only a few left")
        return ngettext("Only %(left)d left", "Only %(left)d left", left) % {"left": left}
    return {
        StockStatus.AVAILABLE: _("Available"),
        StockStatus.IN_CHECKOUTS: _("Reserved in another cart"),
        StockStatus.SOLD_OUT: _("Sold out"),
    }.get(stock, _("Not for sale at the moment"))


def size_label(variant: Variant, *, show_quantities: bool) -> str:
    if variant.stock is StockStatus.FEW:
        return _("only %(left)d left") % {"left": variant.left} if show_quantities else _("few left")
    return {
        StockStatus.AVAILABLE: "",
        StockStatus.IN_CHECKOUTS: _("reserved"),
        StockStatus.SOLD_OUT: _("sold out"),
    }.get(variant.stock, _("not for sale"))


def card_label(availability: ProductAvailability, *, show_quantities: bool) -> str:
    """Label on a card: empty if all sizes are available, else what is left and in which sizes."""
    if availability.link_only:
        return _("On another website")
    if availability.stock is StockStatus.AVAILABLE:
        return ""
    if (
        availability.stock is StockStatus.FEW
        and len(availability.variants) > 1
        and not (show_quantities and availability.total_is_low)
    ):
        return (
            f"{_('Few left')}: {availability.sizes_available}"
            if availability.sizes_available
            else _("Few left in each size")
        )
    label = stock_label(availability.stock, availability.left, show_quantities=show_quantities)
    return (
        f"{label}: {availability.sizes_available}"
        if availability.buyable and availability.sizes_available
        else label
    )
