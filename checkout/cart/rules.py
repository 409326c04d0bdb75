"""What may a cart hold, and what do we say when it may not? Sizes, colors and quantities against the mirror."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.utils.translation import gettext as _

from inventory.models import StockItem
from shop.availability import MAX_QUANTITY
from shop.models import Product

WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")


class CartError(Exception):
    """What was asked of the cart cannot be; the text tells the customer why. Nothing was stored."""


def is_offered(item: StockItem) -> bool:
    """Does the shop show it? A size that is not listed or cannot be counted is not for sale."""
    shown = item.product.active and not item.product.deleted
    return shown and item.is_listed and item.state != StockItem.State.UNKNOWN


def is_for_sale(item: StockItem) -> bool:
    """Is it shown, is there one, and has it a price?"""
    return is_offered(item) and item.for_sale and item.product.price_for(item.size) is not None


def has_color(product: Product, color: str) -> bool:
    return color in product.colors if product.colors else not color


def max_units(item: StockItem, kept: int = 0) -> int | None:
    """How many of `item` a cart may hold whose own payment page keeps `kept` of them; None: not counted."""
    if item.state == StockItem.State.NOT_TRACKED:
        return None
    if item.state != StockItem.State.COUNTED or item.on_hand is None:
        return 0
    return max(0, item.on_hand + item.pending - item.held + kept)


def title(item: StockItem) -> str:
    return f"{item.product.name} {item.size}".strip()


def shortage_text(
    item: StockItem, limit: int, siblings: Iterable[StockItem], *, in_cart: int = 0, counted: bool = True
) -> str:
    """What to tell somebody who wants more of `item` than there is, with the other sizes that are left.

    `counted`: may the number be told?
    """
    what = {"article": title(item), "count": limit}
    others = [other.size for other in siblings if other.id != item.id and other.size and is_for_sale(other)]
    if limit and in_cart >= limit:
        text = _("You have all that is left of %(article)s in your cart already.") % what
    elif limit and counted:
        text = _("Only %(count)d left of %(article)s.") % what
    elif limit:
        text = _("There are not as many left of %(article)s.") % what
    elif item.held and (item.on_hand or 0) + item.pending > 0:
        text = _("The last %(article)s is in somebody’s checkout right now. It may come back.") % what
    else:
        text = _("%(article)s is sold out.") % what
    return text + (" " + _("Still there: %(sizes)s.") % {"sizes": ", ".join(others)} if others else "")


def parse_quantity(text: str) -> int:
    """A form's quantity. Python's int() would also take "1_0", "+5" and the digits of other scripts."""
    digits = text.strip().lstrip("0")
    if not re.fullmatch(r"[0-9]+", digits):
        raise CartError(_("Please give the quantity as a whole number, 1 or more."))
    if len(digits) > len(str(MAX_QUANTITY)) or int(digits) > MAX_QUANTITY:
        raise CartError(too_many_text())
    return int(digits)


def too_many_text() -> str:
    return _("You can order at most %(count)d of one article.") % {"count": MAX_QUANTITY}


def get_sellable_item(item_id: str) -> StockItem:
    """The stock item that a form names, if it is on show and has a price. Raises CartError."""
    if not item_id:
        raise CartError(_("Please choose a size."))
    found = _find(item_id)
    if found is None or not is_offered(found):
        raise CartError(_("We do not have this article, or not in this size."))
    if found.product.price_for(found.size) is None:
        raise CartError(_("%(article)s has no price at the moment.") % {"article": found.product.name})
    return found


def check_color(product: Product, color: str) -> None:
    """Raises CartError for a color that the product does not come in, or none where one must be chosen."""
    if has_color(product, color):
        return
    if not color:
        raise CartError(_("Please choose a color: %(colors)s.") % {"colors": ", ".join(product.colors)})
    raise CartError(_("%(article)s does not come in this color.") % {"article": product.name})


def siblings_of(item: StockItem) -> list[StockItem]:
    """The sizes of the same product, itself among them."""
    return list(StockItem.objects.filter(product=item.product_id).select_related("product"))


def _find(item_id: str) -> StockItem | None:
    if not WHOLE_NUMBER.fullmatch(item_id):
        return None
    return StockItem.objects.filter(id=int(item_id)).select_related("product").first()
