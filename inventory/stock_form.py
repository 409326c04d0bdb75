"""How does the owner change a count here? One form for one item or many, written down by the ledger with a reason."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inventory import ledger
from inventory.counts import MOST
from inventory.models import Movement, StockItem


class StockForm(forms.Form):
    """`token` makes a second click on the button count nothing."""

    RECEIVED, COUNTED, ADJUSTED = "received", "counted", "adjusted"

    what = forms.ChoiceField(
        label=gettext_lazy("What happened?"),
        choices=[
            (RECEIVED, gettext_lazy("A delivery came: add")),
            (COUNTED, gettext_lazy("I counted the shelf: there are, open checkouts included")),
            (ADJUSTED, gettext_lazy("Something else: add, or with a minus take")),
        ],
    )
    number = forms.IntegerField(label=gettext_lazy("Number"), min_value=-MOST, max_value=MOST)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)
    token = forms.CharField(widget=forms.HiddenInput, max_length=32)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        what, number = cleaned.get("what"), cleaned.get("number")
        if number is not None and what == self.RECEIVED and number < 1:
            self.add_error("number", _("A delivery has at least 1."))
        if number is not None and what == self.COUNTED and number < 0:
            self.add_error("number", _("A count is 0 or more."))
        if number == 0 and what == self.ADJUSTED:
            self.add_error("number", _("0 changes nothing."))
        return cleaned

    @classmethod
    def blank(cls) -> StockForm:
        return cls(initial={"token": secrets.token_hex(16)})


def change_stock(items: Iterable[StockItem], form: StockForm, actor: str) -> tuple[list[Movement], list[str]]:
    """Do what a valid form says to each item. Returns the movements that are new, and a sentence per item refused."""
    verb: Callable[..., Movement | None] = {
        StockForm.RECEIVED: ledger.receive,
        StockForm.COUNTED: ledger.count,
        StockForm.ADJUSTED: ledger.adjust,
    }[form.cleaned_data["what"]]
    reference, reason = f"form:{form.cleaned_data['token']}", form.cleaned_data["reason"]
    made, refused = [], []
    for item in items:
        try:
            movement = verb(
                item.pk, form.cleaned_data["number"], reference=reference, reason=reason, actor=actor
            )
        except (ledger.NotThere, ledger.TooMany, ValueError) as refusal:
            refused.append(f"{item}: {refusal}")
        else:
            made += [movement] if movement else []
    return made, refused
