"""Stock labels for customers, with numbers if the owner shows counts."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shop.availability import Choice, Offer, Stock


def stock_words(stock: Stock, left: int | None, *, counted: bool) -> str:
    """Label of a product or size. `counted` tells whether the number may be shown."""
    if stock is Stock.FEW:
        if not counted or left is None:
            return _("Only a few left")
        return ngettext("Only %(left)d left", "Only %(left)d left", left) % {"left": left}
    return {
        Stock.AVAILABLE: _("Available"),
        Stock.IN_CHECKOUTS: _("Reserved in another cart"),
        Stock.SOLD_OUT: _("Sold out"),
    }.get(stock, _("Not for sale at the moment"))


def size_words(choice: Choice, *, counted: bool) -> str:
    if choice.stock is Stock.FEW:
        return _("only %(left)d left") % {"left": choice.left} if counted else _("few left")
    return {
        Stock.AVAILABLE: "",
        Stock.IN_CHECKOUTS: _("reserved"),
        Stock.SOLD_OUT: _("sold out"),
    }.get(choice.stock, _("not for sale"))


def card_words(offer: Offer, *, counted: bool) -> str:
    """Label on a card: empty if all sizes are available, else what is left and in which sizes."""
    if offer.link_only:
        return _("On another website")
    if offer.stock is Stock.AVAILABLE:
        return ""
    if offer.stock is Stock.FEW and len(offer.choices) > 1 and not (counted and offer.few_together):
        return f"{_('Few left')}: {offer.sizes_left}" if offer.sizes_left else _("Few left in each size")
    words = stock_words(offer.stock, offer.left, counted=counted)
    return f"{words}: {offer.sizes_left}" if offer.buyable and offer.sizes_left else words
