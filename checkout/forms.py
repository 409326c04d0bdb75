"""Forms of the cart: adding an item from a product page, and changing a line.

Prices and amounts are never read from a form: they are those of the local catalog.
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checkout.cart.cart import Cart
from checkout.cart.lines import CartItem, line_key
from checkout.cart.rules import has_color, is_offered
from inventory.models import StockItem


class QuantityField(forms.Field):
    """A whole number from 1 to MAX_UNITS_PER_SIZE. `initial` replaces a field that was not sent."""

    def to_python(self, value: str | None) -> int:
        digits = str(self.initial if value is None else value).strip().lstrip("0")
        # int() would also accept "1_0", "+5" and the digits of other scripts.
        if not re.fullmatch(r"[0-9]+", digits):
            raise ValidationError(_("Please enter the quantity as a whole number, 1 or more."))
        # The length is checked first, because int() refuses very long texts.
        most = settings.MAX_UNITS_PER_SIZE
        if len(digits) > len(str(most)) or int(digits) > most:
            raise ValidationError(_("You can order at most %(count)d of one item.") % {"count": most})
        return int(digits)


class SizeField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """The id of a stock item that is offered and has a price."""

    default_error_messages = {
        "required": gettext_lazy("Please choose a size."),
        "invalid_choice": gettext_lazy("This item is not available, or not in this size."),
        "no_price": gettext_lazy("%(product)s has no price at the moment."),
    }

    def __init__(self) -> None:
        super().__init__(StockItem.objects.select_related("product"))

    def clean(self, value: Any) -> StockItem:
        item: StockItem = super().clean(value)
        if not is_offered(item):
            raise ValidationError(self.error_messages["invalid_choice"])
        if item.product.price_for(item.size) is None:
            raise ValidationError(self.error_messages["no_price"] % {"product": item.product.name})
        return item


class CartForm(forms.Form):
    # Not stripped: colors are compared as they are.
    color = forms.CharField(required=False, strip=False)

    @property
    def first_error(self) -> str:
        return str(next(iter(self.errors.values()))[0])

    def check_color(self, item: StockItem, color: str) -> None:
        product = item.product
        if has_color(product, color):
            return
        if not color:
            message = _("Please choose a color: %(colors)s.") % {"colors": ", ".join(product.colors)}
        else:
            message = _("%(product)s does not come in this color.") % {"product": product.name}
        self.add_error("color", message)


class AddToCartForm(CartForm):
    quantity = QuantityField(initial=1)
    item = SizeField()

    def clean(self) -> None:
        if not self.errors:
            self.check_color(self.cleaned_data["item"], self.cleaned_data["color"])


class CartLineForm(CartForm):
    """Change the line of `item` and `color`: its quantity and, with `to_item`, its size."""

    item = forms.CharField(required=False)
    quantity = QuantityField()
    to_item = SizeField()

    def __init__(self, data: QueryDict, *, cart: Cart) -> None:
        item, to_item, color = (data.get(name, "") for name in ("item", "to_item", "color"))
        # A change that is sent twice finds its line in the new size already.
        self._line = cart.find(line_key(item, color)) or cart.find(line_key(to_item, color))
        super().__init__({**data.dict(), "to_item": to_item or item})

    def clean_item(self) -> CartItem:
        if self._line is None:
            raise ValidationError(_("This is no longer in your cart."))
        return self._line

    def clean(self) -> None:
        if self.errors:
            return
        line, item = self.cleaned_data["item"], self.cleaned_data["to_item"]
        same_product = StockItem.objects.filter(id=line.item_id, product=item.product_id)
        if line.item_id != item.id and not same_product.exists():
            self.add_error("to_item", _("A line can change its size, but not its product."))
        else:
            self.check_color(item, line.color)
