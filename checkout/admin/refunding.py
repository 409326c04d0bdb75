"""The page on which the owner refunds an order: choose units, review the amount, refund."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checkout.models import CustomerRequest, CustomerRequestLine, Order, OrderLine, Refund
from checkout.orders.refund_requests import RefundedUnits, refundable, suggested_amount
from inventory.stock import oversold
from shop.money import as_decimal, decimals, format_money

RESTOCK_CHOICES = [
    ("", gettext_lazy("Back to stock?")),
    ("yes", gettext_lazy("Back to stock")),
    ("no", gettext_lazy("Not back to stock")),
]


@dataclass
class LineFields:
    """`oversold`: units of the line that never were on the shelf."""

    line: OrderLine
    quantity: forms.BoundField
    restock: forms.BoundField | None
    oversold: int


@dataclass(frozen=True)
class ReviewedLine:
    """What a refund does to one line. `oversold`: units that never were on the shelf, so they do not go back to it."""

    line: OrderLine
    units: RefundedUnits
    oversold: int

    @property
    def back_to_stock(self) -> int:
        return self.units.quantity - self.oversold if self.units.restock else 0


class RefundForm(forms.Form):
    """Units of each line, and whether they go back to stock.

    Before a parcel is sent, its units are on the shelf, so they go back unless the owner says otherwise. Of sent ones only
    the owner knows. `token` makes refunding idempotent.
    """

    token = forms.CharField(max_length=64, widget=forms.HiddenInput)
    # The return that the refund completes.
    request = forms.IntegerField(required=False, max_value=2**31, widget=forms.HiddenInput)
    shipping = forms.BooleanField(label=gettext_lazy("Refund the shipping"), required=False)
    amount = forms.CharField(
        label=gettext_lazy("Another amount"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=gettext_lazy("Empty: what the customer paid for these units, discount and tax included."),
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason for Stripe"), choices=Refund.Reason.choices, required=False
    )
    note = forms.CharField(label=gettext_lazy("Note for you"), max_length=500, required=False)

    def __init__(self, order: Order, data: Any = None, *, initial: dict[str, Any] | None = None) -> None:
        self.order = order
        self.lines = [line for line in order.lines.select_related("item") if line.quantity_to_send]
        super().__init__(data, initial={"token": secrets.token_hex(16), **(initial or {})})
        if not order.shipping:
            del self.fields["shipping"]
        if order.is_free:
            del self.fields["amount"], self.fields["reason"]
        for line in self.lines:
            self.fields[f"quantity-{line.pk}"] = forms.IntegerField(
                label=_("Units to cancel") if order.is_free else _("Units to refund"),
                min_value=0,
                max_value=line.quantity_to_send,
                required=False,
            )
            if line.item_id:
                self.fields[f"restock-{line.pk}"] = forms.ChoiceField(
                    label=_("Back to stock?"),
                    choices=RESTOCK_CHOICES,
                    required=False,
                    initial="" if order.sent_at else "yes",
                )

    def clean_amount(self) -> int | None:
        """In the minor unit; None if the amount is to be calculated."""
        text = self.cleaned_data["amount"].strip().replace(",", ".")
        if not text:
            return None
        digits = decimals(self.order.currency)
        whole, _point, fraction = text.partition(".")
        if not (whole.isascii() and whole.isdecimal()) or not (fraction or "0").isdecimal():
            raise forms.ValidationError(_("Type an amount such as 12.50."))
        if len(fraction) > digits:
            raise forms.ValidationError(_("This currency has %(n)d decimals.") % {"n": digits})
        return int(Decimal(text).scaleb(digits))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for line in self.lines:
            restock = f"restock-{line.pk}"
            if cleaned.get(f"quantity-{line.pk}") and restock in self.fields and not cleaned.get(restock):
                self.add_error(restock, _("It was sent: did it come back?"))
        if self.order.is_free and not self.errors and not self.units:
            raise forms.ValidationError(_("Choose the units to cancel."))
        if not self.errors and not self.units and not cleaned.get("amount") and not cleaned.get("shipping"):
            raise forms.ValidationError(_("Choose what to refund: units, the shipping, or an amount."))
        return cleaned

    @property
    def units(self) -> list[RefundedUnits]:
        return [
            RefundedUnits(line.pk, quantity, restock=self.cleaned_data.get(f"restock-{line.pk}") == "yes")
            for line in self.lines
            if (quantity := self.cleaned_data.get(f"quantity-{line.pk}"))
        ]

    @property
    def chosen(self) -> list[tuple[OrderLine, RefundedUnits]]:
        lines = {line.pk: line for line in self.lines}
        return [(lines[unit.line_id], unit) for unit in self.units]

    def amount_to_refund(self) -> int | None:
        """What was typed, else what the customer paid for the units. None if a price is unknown."""
        if self.order.is_free:
            return 0
        typed: int | None = self.cleaned_data["amount"]
        if typed is not None:
            return typed
        units = [(line, unit.quantity) for line, unit in self.chosen]
        return suggested_amount(
            self.order,
            units,
            with_shipping=bool(self.cleaned_data.get("shipping")) or not self.order.shipping,
        )

    @property
    def review(self) -> list[ReviewedLine]:
        """In the order in which the lines are settled."""
        chosen = sorted(self.chosen, key=lambda pair: (pair[0].item_id or 0, pair[0].pk))
        units = [(line.item_id, unit.quantity) for line, unit in chosen]
        settled = [0] * len(units) if self.order.sent_at else oversold.settled_by_refund(units)
        return [ReviewedLine(*pair, number) for pair, number in zip(chosen, settled, strict=True)]

    @property
    def line_fields(self) -> list[LineFields]:
        units = [(line.item_id, line.quantity_to_send) for line in self.lines]
        never_there = [0 if self.order.sent_at else oversold.settled_by_refund([pair])[0] for pair in units]
        return [
            LineFields(
                line,
                self[f"quantity-{line.pk}"],
                self[f"restock-{line.pk}"] if f"restock-{line.pk}" in self.fields else None,
                number,
            )
            for line, number in zip(self.lines, never_there, strict=True)
        ]


def asked_return(order: Order, text: str) -> CustomerRequest | None:
    """The return of this id, if it is one of the order's."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        return None
    return order.requests.filter(pk=int(text), kind=CustomerRequest.Kind.RETURN).first()


def blank_form(order: Order, request: HttpRequest) -> RefundForm:
    """`?all=1` in the address: everything that is left. `?line=<id>&units=<n>`: units of one line.

    `?request=<id>`: what the customer returns, back to stock unless it is damaged, or the owner says otherwise.
    """
    initial: dict[str, Any] = {}
    returned = asked_return(order, request.GET.get("request", ""))
    if returned:
        for part in returned.lines.select_related("line"):
            is_damaged = part.reason == CustomerRequestLine.Reason.DEFECTIVE
            initial[f"quantity-{part.line_id}"] = min(part.quantity, part.line.quantity_to_send)
            initial[f"restock-{part.line_id}"] = "no" if is_damaged else "yes"
        initial |= {"reason": Refund.Reason.REQUESTED, "request": returned.pk}
    for line in order.lines.all():
        if request.GET.get("all"):
            initial[f"quantity-{line.pk}"] = line.quantity_to_send
        elif request.GET.get("line") == str(line.pk):
            units = request.GET.get("units", "1")
            known = int(units) if units.isascii() and units.isdecimal() and len(units) < 7 else 1
            initial[f"quantity-{line.pk}"] = min(known, line.quantity_to_send)
    if request.GET.get("all"):
        initial |= {"shipping": True, "reason": Refund.Reason.REQUESTED}
    return RefundForm(order, initial=initial)


def refund_page(
    request: HttpRequest, order: Order, form: RefundForm, context: dict[str, Any]
) -> HttpResponse:
    """The form, or the review of a valid one: what is refunded, before any money leaves."""
    shown: dict[str, Any] = {
        "title": _("Cancel units") if order.is_free else _("Refund"),
        "order": order,
        "form": form,
        "left": format_money(refundable(order), order.currency),
        "is_sent": order.sent_at is not None,
        "customer_return": asked_return(order, str(form["request"].value() or "")),
    }
    if form.is_bound and form.is_valid():
        amount = form.amount_to_refund()
        if amount is None:
            form.add_error("amount", _("The price of a line is unknown. Type the amount."))
        elif amount > refundable(order) or not (amount or order.is_free):
            form.add_error(
                "amount", _("%(left)s of the payment is left to refund.") % {"left": shown["left"]}
            )
        else:
            shown |= _review(request, order, form, amount)
    return TemplateResponse(request, "checkout/admin/refund.html", {**context, **shown})


def _review(request: HttpRequest, order: Order, form: RefundForm, amount: int) -> dict[str, Any]:
    money = format_money(amount, order.currency)
    return {
        "title": _("Cancel units") if order.is_free else _("Refund %(amount)s") % {"amount": money},
        "is_review": True,
        "amount": money,
        "hidden": [
            (name, request.POST[name]) for name in form.fields if name in request.POST and name != "amount"
        ],
        "exact_amount": as_decimal(amount, order.currency),
    }
