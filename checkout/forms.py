"""Forms of the cart, and of the page of an order.

Prices and amounts are never read from a form: they are those of the local catalog.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from checkout.models import CustomerRequestLine, Order, OrderLine
from checkout.orders.customer_requests import ReturnedUnits, returnable_lines
from checkout.orders.lookup import clean_number
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
            raise ValidationError(self.error_messages["no_price"] % {"product": item.product.shown_name})
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
            message = _("%(product)s does not come in this color.") % {"product": product.shown_name}
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


# --- After the sale ---------------------------------------------------------------------------


class MessageField(forms.CharField):
    """Free text of a customer."""

    def __init__(self, label: Any) -> None:
        super().__init__(
            label=label,
            max_length=500,
            required=False,
            widget=forms.Textarea(attrs={"rows": 3, "maxlength": 500}),
        )


class OrderLookupForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=gettext_lazy("The one that you paid with."),
    )
    number = forms.CharField(
        label=gettext_lazy("Order number"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
        help_text=gettext_lazy(
            "Eight digits and letters, such as 1A2B3C4D. It is in each mail about your order."
        ),
    )

    def clean_number(self) -> str:
        return clean_number(self.cleaned_data["number"])


class CancelForm(forms.Form):
    message = MessageField(gettext_lazy("Your reason, if you want to tell us"))
    units: Sequence[ReturnedUnits] = ()


class ReturnRequestForm(forms.Form):
    """Units and a reason for each line of the order."""

    message = MessageField(gettext_lazy("Anything else that we should know"))

    def __init__(self, order: Order, data: QueryDict | None = None) -> None:
        super().__init__(data)
        returnable = returnable_lines(order)
        self.lines = [line for line, _left in returnable]
        reasons = [("", gettext_lazy("Please choose")), *CustomerRequestLine.Reason.choices]
        for line, left in returnable:
            self.fields[f"quantity-{line.pk}"] = forms.IntegerField(
                label=gettext_lazy("How many"),
                min_value=0,
                max_value=left,
                required=False,
                widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
                initial=1 if len(self.lines) == left == 1 else 0,
            )
            self.fields[f"reason-{line.pk}"] = forms.ChoiceField(
                label=gettext_lazy("Why"), choices=reasons, required=False
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for line in self.lines:
            if cleaned.get(f"quantity-{line.pk}") and not cleaned.get(f"reason-{line.pk}"):
                self.add_error(f"reason-{line.pk}", _("Please choose a reason."))
        if not self.errors and not self.units:
            raise ValidationError(_("Please choose how many of which item you return."))
        return cleaned

    @property
    def units(self) -> list[ReturnedUnits]:
        return [
            ReturnedUnits(line.pk, quantity, self.cleaned_data[f"reason-{line.pk}"])
            for line in self.lines
            if (quantity := self.cleaned_data.get(f"quantity-{line.pk}"))
        ]

    @property
    def line_fields(self) -> list[tuple[OrderLine, forms.BoundField, forms.BoundField]]:
        return [(line, self[f"quantity-{line.pk}"], self[f"reason-{line.pk}"]) for line in self.lines]
