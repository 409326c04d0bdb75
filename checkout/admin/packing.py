"""Pages for packing: the pack list, the packing slips, and the form that marks parcels as sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Count, F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from checkout import carriers
from checkout.models import Order, OrderLine
from checkout.orders import shipping
from shop.storefront import size_sort_key

MAX_ORDERS = 100  # of one page; their ids fit into an address of 4,000 characters


class ParcelForm(forms.Form):
    carrier = forms.ChoiceField(label=gettext_lazy("Carrier"), choices=carriers.CHOICES, required=False)
    tracking_number = forms.CharField(
        label=gettext_lazy("Tracking number"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )

    def clean_tracking_number(self) -> str:
        try:
            return carriers.clean_tracking_number(self.cleaned_data["tracking_number"])
        except ValueError as exc:
            raise forms.ValidationError(
                _("A tracking number has letters and digits, at most 100 of them.")
            ) from exc

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("tracking_number") and not cleaned.get("carrier"):
            self.add_error("carrier", _("Choose the carrier of this number."))
        return cleaned


class ParcelRow(ParcelForm):
    """One order of the form that sends many. An order that is not checked stays as it is."""

    sent = forms.BooleanField(label=gettext_lazy("Sent"), required=False, initial=True)


@dataclass(frozen=True)
class PackedUnits:
    """Units of one size and color over all orders of a pack list."""

    product: str
    size: str
    color: str
    units: int
    orders: int


@dataclass(frozen=True)
class PackListProduct:
    name: str
    rows: list[PackedUnits]

    @property
    def units(self) -> int:
        return sum(row.units for row in self.rows)


def ids_parameter(orders: Iterable[Order]) -> str:
    return ",".join(order.pk.hex for order in orders)


def chosen_ids(request: HttpRequest) -> list[UUID]:
    ids = []
    for text in request.GET.get("ids", "").split(",")[:MAX_ORDERS]:
        try:
            ids.append(UUID(text))
        except ValueError:
            continue  # An address may be cut or edited.
    return ids


def orders_to_send() -> QuerySet[Order]:
    return Order.objects.to_pack() | Order.objects.packed()


def pack_list(orders: QuerySet[Order]) -> list[PackListProduct]:
    """What to take from the shelves for all of `orders`, by product and size."""
    lines = OrderLine.objects.order_by().filter(order__in=orders, quantity__gt=F("quantity_refunded"))
    sums = lines.values("name", "size", "color").annotate(
        units=Sum(F("quantity") - F("quantity_refunded")), orders=Count("order", distinct=True)
    )
    rows = sorted(
        (PackedUnits(row["name"], row["size"], row["color"], row["units"], row["orders"]) for row in sums),
        key=lambda row: (row.product.casefold(), row.product, size_sort_key(row.size), row.color),
    )
    return [PackListProduct(name, list(group)) for name, group in groupby(rows, key=lambda row: row.product)]


def pack_list_view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    orders, left_out = _orders_of(request, Order.objects.to_pack())
    products = pack_list(Order.objects.filter(pk__in=[order.pk for order in orders]))
    shown = {
        "title": _("Pack list"),
        "orders": orders,
        "ids": ids_parameter(orders),
        "products": products,
        "units": sum(product.units for product in products),
        "left_out": left_out,
    }
    return TemplateResponse(request, "checkout/admin/pack_list.html", {**context, **shown})


def slips_view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    orders, left_out = _orders_of(request, Order.objects.to_pack())
    shown = {"title": _("Packing slips"), "orders": orders, "left_out": left_out}
    return TemplateResponse(request, "checkout/admin/packing_slips.html", {**context, **shown})


def _orders_of(request: HttpRequest, otherwise: QuerySet[Order]) -> tuple[list[Order], int]:
    # The orders that the address names, oldest payment first, and how many of them are not to be sent.
    # `otherwise`: the orders of an address that names none.
    ids = chosen_ids(request)
    chosen = orders_to_send().filter(pk__in=ids) if ids else otherwise
    orders = list(chosen.order_by("paid_at", "pk").prefetch_related("lines")[:MAX_ORDERS])
    return orders, len(set(ids)) - len(orders) if ids else 0


def send_view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """All packed orders, or those that the address names, each with its carrier and tracking number."""
    orders, left_out = _orders_of(request, Order.objects.packed())
    carrier = last_carrier()
    rows = [
        ParcelRow(
            request.POST if request.method == "POST" else None,
            prefix=order.pk.hex,
            initial={"carrier": carrier, "sent": True},
        )
        for order in orders
    ]
    if request.method == "POST":
        # The rows that were posted: an order that was packed meanwhile has none, and is not sent.
        chosen = [
            (order, row)
            for order, row in zip(orders, rows, strict=True)
            if row.is_valid() and row.cleaned_data["sent"]
        ]
        if all(row.is_valid() for row in rows) and chosen:
            context["log"](request, _mark_sent(request, chosen), "Marked as sent.")
            return HttpResponseRedirect(reverse("admin:checkout_order_changelist") + "?work=packed")
        if all(row.is_valid() for row in rows):
            messages.warning(request, _("Nothing was marked as sent. Check the parcels that were sent."))
    shown = {
        "title": _("Send parcels"),
        "rows": list(zip(orders, rows, strict=True)),
        "left_out": left_out,
        "has_errors": request.method == "POST" and any(row.errors for row in rows),
    }
    return TemplateResponse(request, "checkout/admin/send.html", {**context, **shown})


def _mark_sent(request: HttpRequest, parcels: Sequence[tuple[Order, ParcelRow]]) -> list[Order]:
    # Returns those that are sent. Another may have been refunded or unpacked meanwhile, and is named.
    sent, refused = [], []
    for order, row in parcels:
        try:
            shipping.mark_sent(
                order.pk,
                carrier=row.cleaned_data["carrier"],
                tracking_number=row.cleaned_data["tracking_number"],
                actor=request.user.get_username(),
                now=timezone.now(),
            )
        except shipping.NotSendable as exc:
            refused.append(f"{order}: {exc}")
        else:
            sent.append(order)
    text = ngettext("%(n)d order is marked as sent.", "%(n)d orders are marked as sent.", len(sent))
    if sent:
        messages.success(request, text % {"n": len(sent)})
    for sentence in refused:
        messages.error(request, sentence)
    return sent


def last_carrier() -> str:
    # Most labels send all parcels by one carrier.
    sent = Order.objects.sent().exclude(carrier="").order_by("-sent_at")
    return sent.values_list("carrier", flat=True).first() or ""
