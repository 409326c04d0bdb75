"""What a cart may hold, and the messages if it may not: sizes, colors and quantities against the local catalog."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from inventory.models import StockItem
from shop.models import Product


class CartError(Exception):
    """A request that the cart cannot fulfill, with a message for the customer. The cart is unchanged."""


def is_offered(item: StockItem) -> bool:
    # A size that is not listed or whose count is unknown is not offered.
    visible = item.product.active and not item.product.deleted
    return visible and item.is_listed and item.state != StockItem.State.UNKNOWN


def is_for_sale(item: StockItem) -> bool:
    return is_offered(item) and item.for_sale and item.product.price_for(item.size) is not None


def has_color(product: Product, color: str) -> bool:
    return color in product.colors if product.colors else not color


def max_units(item: StockItem, own_reserved: int = 0) -> int | None:
    """Units of `item` that a cart may hold, None if stock is not counted.

    `own_reserved`: units that the cart's own open order holds, which are no shortage for it.
    """
    if item.state == StockItem.State.NOT_TRACKED:
        return None
    if item.state != StockItem.State.COUNTED or item.on_hand is None:
        return 0
    return max(0, item.on_hand + item.pending - item.held + own_reserved)


def shortage_text(
    item: StockItem, limit: int, siblings: Iterable[StockItem], *, show_counts: bool, in_cart: int = 0
) -> str:
    facts = {"item": f"{item.product.shown_name} {item.size}".strip(), "count": limit}
    if limit and in_cart >= limit:
        text = _("All that is left of %(item)s is already in your cart.") % facts
    elif limit and show_counts:
        text = _("Only %(count)d left of %(item)s.") % facts
    elif limit:
        text = _("There are not enough left of %(item)s.") % facts
    elif item.held and (item.on_hand or 0) + item.pending > 0:
        text = _("%(item)s is reserved in another cart and may become available again.") % facts
    else:
        text = _("%(item)s is sold out.") % facts
    others = [other.size for other in siblings if other.id != item.id and other.size and is_for_sale(other)]
    return text + (" " + _("Still available: %(sizes)s.") % {"sizes": ", ".join(others)} if others else "")
