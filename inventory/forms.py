"""Admin form that changes the stock of one or more items through the ledger."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inventory.models import Movement, StockItem
from inventory.stock import ledger
from inventory.stock.counts import MAX_COUNT


class StockForm(forms.Form):
    """`token` makes submitting the form idempotent: a double click is counted once."""

    RECEIVED, COUNTED, ADJUSTED = "received", "counted", "adjusted"

    change_kind = forms.ChoiceField(
        label=gettext_lazy("What happened?"),
        choices=[
            (RECEIVED, gettext_lazy("Received (add)")),
            (COUNTED, gettext_lazy("Counted (set total, held units included)")),
            (ADJUSTED, gettext_lazy("Adjustment (use − to remove)")),
        ],
    )
    number = forms.IntegerField(label=gettext_lazy("Number"), min_value=-MAX_COUNT, max_value=MAX_COUNT)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)
    token = forms.CharField(widget=forms.HiddenInput, max_length=32)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        kind, number = cleaned.get("change_kind"), cleaned.get("number")
        if number is not None and kind == self.RECEIVED and number < 1:
            self.add_error("number", _("Enter at least 1 for a delivery."))
        if number is not None and kind == self.COUNTED and number < 0:
            self.add_error("number", _("A count cannot be negative."))
        if number == 0 and kind == self.ADJUSTED:
            self.add_error("number", _("An adjustment cannot be 0."))
        return cleaned

    @property
    def kind_label(self) -> str:
        return str(dict(self.fields["change_kind"].choices)[self.cleaned_data["change_kind"]])  # type: ignore[attr-defined]

    @classmethod
    def blank(cls) -> StockForm:
        return cls(initial={"token": secrets.token_hex(16)})


def change_stock(items: Iterable[StockItem], form: StockForm, actor: str) -> tuple[list[Movement], list[str]]:
    """Apply a valid form to each item. Returns the new movements and an error message per refused item."""
    change: Callable[..., Movement | None] = {
        StockForm.RECEIVED: ledger.receive,
        StockForm.COUNTED: ledger.set_count,
        StockForm.ADJUSTED: ledger.adjust,
    }[form.cleaned_data["change_kind"]]
    reference, reason = f"form:{form.cleaned_data['token']}", form.cleaned_data["reason"]
    created, refused = [], []
    for item in items:
        try:
            movement = change(
                item.pk, form.cleaned_data["number"], reference=reference, reason=reason, actor=actor
            )
        except (ledger.NotEnoughUnits, ledger.CountTooLarge, ValueError) as exc:
            refused.append(f"{item}: {exc}")
        else:
            created += [movement] if movement else []
    return created, refused
