"""Orders and their lines as CSV, from the admin's list with its filters."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, StreamingHttpResponse

from checkout.models import Order, OrderLine
from inventory.csv_views import shown_rows
from inventory.reports.csv_export import Cell, csv_lines, csv_response
from shop.money import as_decimal

ORDERS = [
    "Order", "Created", "Paid", "State", "External", "E-mail", "Name", "Phone", "Address", "Postal code", "City",
    "Region", "Country", "Currency", "Subtotal", "Discount", "Shipping", "Tax", "Total", "Refunded", "Payment", "Session",
]  # fmt: skip
LINES = [
    "Order", "Created", "Paid", "State", "Line", "Product ID", "Name", "Size", "Color", "Quantity", "Unit price",
    "Currency", "Needs a size",
]  # fmt: skip


def orders_csv(admin: ModelAdmin[Any], request: HttpRequest) -> StreamingHttpResponse:
    rows = (
        shown_rows(admin, request).order_by("created_at", "pk").prefetch_related(None).defer("session_params")
    )
    cells = (_order_cells(order) for order in rows.iterator(chunk_size=1000))
    return csv_response(csv_lines(ORDERS, cells), "orders")


def order_lines_csv(admin: ModelAdmin[Any], request: HttpRequest) -> StreamingHttpResponse:
    orders = shown_rows(admin, request).prefetch_related(None).order_by()
    lines = OrderLine.objects.filter(order__in=orders.values("pk")).select_related("order")
    lines = lines.defer("order__session_params").order_by("order__created_at", "order_id", "position")
    return csv_response(csv_lines(LINES, _line_cells(lines.iterator(chunk_size=1000))), "order-lines")


def _order_cells(order: Order) -> list[Cell]:
    part = order.address.get
    street = ", ".join(filter(None, [part("line1"), part("line2")]))
    place = [street, *(part(name) or "" for name in ("postal_code", "city", "state", "country"))]
    amounts = [order.subtotal, order.discount, order.shipping, order.tax, order.total, order.refunded]
    return [
        order.number,
        order.created_at,
        order.paid_at,
        order.state,
        "yes" if order.is_external else "no",
        order.email,
        order.name,
        order.phone,
        *place,
        order.currency.upper(),
        *(_amount(amount, order.currency) for amount in amounts),
        order.payment_intent_id,
        order.session_id or "",
    ]


def _line_cells(lines: Iterator[OrderLine]) -> Iterator[list[Cell]]:
    for line in lines:
        order = line.order
        yield [
            order.number,
            order.created_at,
            order.paid_at,
            order.state,
            line.position + 1,
            line.product_id or "",
            line.name,
            line.size,
            line.color,
            line.quantity,
            _amount(line.unit_amount, line.amount_currency),
            line.amount_currency.upper(),
            "yes" if line.needs_size else "no",
        ]


def _amount(amount: int | None, currency: str) -> Decimal | None:
    return None if amount is None else as_decimal(amount, currency)
