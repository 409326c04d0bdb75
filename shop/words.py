"""Stock labels for customers, with numbers if the owner shows counts."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shop.availability import ProductAvailability, StockStatus, Variant


def stock_label(stock: StockStatus, left: int | None, *, counted: bool) -> str:
    """Label of a product or size. `counted` tells whether the number may be shown."""
    if stock is StockStatus.FEW:
        if not counted or left is None:
            return _("Only a few left")
        return ngettext("Only %(left)d left", "Only %(left)d left", left) % {"left": left}
    return {
        StockStatus.AVAILABLE: _("Available"),
        StockStatus.IN_CHECKOUTS: _("Reserved in another cart"),
        StockStatus.SOLD_OUT: _("Sold out"),
    }.get(stock, _("Not for sale at the moment"))


def size_label(choice: Variant, *, counted: bool) -> str:
    if choice.stock is StockStatus.FEW:
        return _("only %(left)d left") % {"left": choice.left} if counted else _("few left")
    return {
        StockStatus.AVAILABLE: "",
        StockStatus.IN_CHECKOUTS: _("reserved"),
        StockStatus.SOLD_OUT: _("sold out"),
    }.get(choice.stock, _("not for sale"))


def card_label(offer: ProductAvailability, *, counted: bool) -> str:
    """Label on a card: empty if all sizes are available, else what is left and in which sizes."""
    if offer.link_only:
        return _("On another website")
    if offer.stock is StockStatus.AVAILABLE:
        return ""
    if offer.stock is StockStatus.FEW and len(offer.variants) > 1 and not (counted and offer.total_is_low):
        return (
            f"{_('Few left')}: {offer.sizes_available}"
            if offer.sizes_available
            else _("Few left in each size")
        )
    words = stock_label(offer.stock, offer.left, counted=counted)
    return f"{words}: {offer.sizes_available}" if offer.buyable and offer.sizes_available else words
