"""Lines of a cart: as the session stores them, and with their current price and stock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from checkout.cart.rules import has_color, is_for_sale, is_offered, max_units, shortage_text
from inventory.models import StockItem
from shop.availability import max_quantity
from shop.models import Product
from shop.prices import Price
from shop.storefront import StorefrontContext


def line_key(item_id: int | str | None, color: str) -> str:
    # Lines of the same size and color are merged. A size belongs to one product.
    return f"{item_id} {color}"


@dataclass(frozen=True)
class CartItem:
    item_id: int
    color: str
    quantity: int

    @property
    def key(self) -> str:
        return line_key(self.item_id, self.color)


@dataclass(frozen=True)
class CartLine:
    """One line with its current price and stock.

    `limit`: units that this cart may hold, None if stock is not counted.
    `problem`: why the line cannot be bought as it is, or empty.
    `sizes`: the sizes it can be changed to, its own included.
    """

    cart_item: CartItem
    item: StockItem | None
    price: Price | None
    limit: int | None
    problem: str
    sizes: tuple[StockItem, ...]
    # Loaded on first use, because not every request needs to know whether counts are shown.
    storefront: StorefrontContext

    @classmethod
    def build(
        cls,
        cart_item: CartItem,
        stock_items: Mapping[int, StockItem],
        *,
        demand: int,
        own_reserved: int,
        currency: str,
        storefront: StorefrontContext,
    ) -> CartLine:
        """Check a line, with its price in `currency`, against `stock_items`, which include its product's other sizes.

        `demand`: units of its size in the whole cart. `own_reserved`: units of it that the cart's open order holds.
        """
        item = stock_items.get(cart_item.item_id)
        if item is None or not is_offered(item):
            problem = _("This item is no longer for sale. Please remove it.")
            return cls(cart_item, item, None, 0, problem, (), storefront)
        siblings = [other for other in stock_items.values() if other.product_id == item.product_id]
        price = item.product.price_for(item.size, currency)
        limit = max_units(item, own_reserved)
        problem = ""
        if price is None:
            problem = _("This item has no price at the moment. Please remove it.")
        elif not has_color(item.product, cart_item.color):
            problem = _("This color is no longer offered. Please remove it.")
        elif limit is not None and demand > limit:
            problem = shortage_text(item, limit, siblings, show_counts=storefront.settings.show_counts)
        sizes = tuple(other for other in siblings if other.id == item.id or is_for_sale(other))
        return cls(cart_item, item, price, limit, problem, sizes, storefront)

    @property
    def product(self) -> Product | None:
        return self.item.product if self.item else None

    @property
    def color(self) -> str:
        return self.cart_item.color

    @property
    def quantity(self) -> int:
        return self.cart_item.quantity

    @property
    def key(self) -> str:
        return self.cart_item.key

    @property
    def name(self) -> str:
        # Such as "BALM T-Shirt, M, Black".
        if self.item is None:
            return _("An item that is no longer available")
        return ", ".join(part for part in (self.item.product.shown_name, self.item.size, self.color) if part)

    @property
    def unit_amount(self) -> int | None:
        return self.price.unit_amount if self.price else None

    @property
    def amount(self) -> int:
        """Price of the line in the minor unit, 0 while it cannot be bought."""
        return (self.unit_amount or 0) * self.quantity if self.can_be_bought else 0

    @property
    def can_be_bought(self) -> bool:
        # Whether there are enough units is decided by the ledger.
        return self.item is not None and self.price is not None and self.limit != 0

    @property
    def max_quantity(self) -> int:
        return max_quantity(self.limit if self.storefront.settings.show_counts else None)

    @property
    def image(self) -> str:
        return str(self.product.images[0]) if self.product and self.product.images else ""
