"""The page on which the owner decides about oversold units: refund, send from the next delivery, or ignore."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import F, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checkout.models import Order, OrderLine
from inventory.models import Issue, Movement, OversoldDecision, StockItem
from inventory.stock import oversold

MAX_LINES = 10  # orders shown for one size, the newest first


class DecisionForm(forms.Form):
    NEXT_DELIVERY, IGNORE = "delivery", "ignore"

    item = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**62)
    token = forms.CharField(widget=forms.HiddenInput, max_length=64)
    units = forms.IntegerField(label=gettext_lazy("Units"), min_value=1, max_value=999_999)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, required=False)
    decision = forms.ChoiceField(choices=[(NEXT_DELIVERY, ""), (IGNORE, "")])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("decision") == self.IGNORE and not cleaned.get("reason"):
            self.add_error("reason", _("Say why, so that it can be understood later."))
        return cleaned


@dataclass
class OversoldItem:
    item: StockItem
    undecided: int
    owed: int
    lines: list[OrderLine]
    open_orders: list[Order]
    form: DecisionForm

    @property
    def in_stock(self) -> int:
        return (self.item.on_hand or 0) + self.item.pending


def decide(form: DecisionForm, *, actor: str) -> str:
    """Record the decision of a valid form. Returns a sentence about it. Raises NothingOversold."""
    values = form.cleaned_data
    item = StockItem.objects.filter(pk=values["item"]).select_related("product").first()
    if item is None:
        raise oversold.NothingOversold(_("This size is not counted here any more."))
    token = f"form:{values['token']}"
    if values["decision"] == DecisionForm.IGNORE:
        oversold.ignore(item, values["units"], reason=values["reason"], token=token, actor=actor)
        text = _("%(units)d of %(item)s: ignored.")
    else:
        oversold.send_from_next_delivery(item, values["units"], token=token, actor=actor)
        text = _("%(units)d of %(item)s are taken off the next delivery.")
    return text % {"units": values["units"], "item": item}


def oversold_page(
    request: HttpRequest, context: dict[str, Any], *, bound: DecisionForm | None = None
) -> HttpResponse:
    # Sizes with open decisions, units that a delivery owes, or an open issue.
    positive = Movement.objects.filter(kind=Movement.Kind.OVERSOLD, delta__gt=0).order_by()
    sold = dict(positive.values_list("item").annotate(units=Sum("delta")))
    decisions = OversoldDecision.objects.order_by()
    decided = dict(decisions.values_list("item").annotate(units=Sum("units")))
    ids = {pk for pk, units in sold.items() if units > decided.get(pk, 0)}
    ids |= set(decisions.filter(owed__gt=0).values_list("item", flat=True))
    issues = Issue.objects.filter(kind=Issue.Kind.OVERSOLD, closed_at=None)
    wanted = Q(pk__in=ids)
    for subject in issues.values_list("subject", flat=True):
        product_id, _blank, key = subject.partition(" ")
        wanted |= Q(product=product_id, key=key)
    items = StockItem.objects.filter(wanted).select_related("product").order_by("product__name", "position")
    shown = {"title": _("Oversold"), "rows": [_row(item, bound) for item in items]}
    return TemplateResponse(request, "checkout/admin/oversold.html", {**context, **shown})


def _row(item: StockItem, bound: DecisionForm | None) -> OversoldItem:
    undecided = oversold.undecided(item.pk)
    lines = OrderLine.objects.filter(item=item, quantity__gt=F("quantity_refunded")).select_related("order")
    unsent = lines.filter(order__state=Order.State.PAID, order__sent_at=None).order_by("-order__paid_at")
    if bound is not None and bound.data.get("item") == str(item.pk):
        form = bound
    else:
        form = DecisionForm(initial={"item": item.pk, "token": secrets.token_hex(16), "units": undecided})
    form.auto_id = f"id_{item.pk}_%s"  # Each size has a form of its own on the page.
    return OversoldItem(
        item,
        undecided,
        oversold.owed(item.pk),
        list(unsent[:MAX_LINES]),
        list(Order.objects.filter(state=Order.State.OPEN, lines__item=item).distinct()[:MAX_LINES]),
        form,
    )
