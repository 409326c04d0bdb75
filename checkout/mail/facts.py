"""What a mail shows of an order: its lines, amounts and delivery address, as single lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from checkout.mail.kinds import MailKind
from checkout.mail.texts import one_line
from checkout.models import Order, OrderLine
from checkout.order_links import order_url
from shop.money import format_money

MAX_LINES = 50  # lines of an order that one mail lists
MAX_NAME = 150


@dataclass(frozen=True)
class ShownLine:
    """One line of the order. `options`: size and color. `amount` is formatted, empty if it is unknown."""

    quantity: int
    name: str
    options: str
    amount: str

    @classmethod
    def of(cls, line: OrderLine) -> ShownLine:
        options = " · ".join(one_line(part, MAX_NAME) for part in (line.size, line.color) if part)
        amount = _money(line.amount, line.amount_currency)
        return cls(line.quantity, one_line(line.shown_name, MAX_NAME), options, amount)

    def __str__(self) -> str:
        article = ", ".join(filter(None, [f"{self.quantity} × {self.name}", self.options]))
        return f"{article}: {self.amount}" if self.amount else article


@dataclass(frozen=True)
class ShownAmount:
    label: str
    amount: str
    is_total: bool = False


def order_facts(order: Order, lines: Sequence[OrderLine] | None = None) -> dict[str, Any]:
    """`lines`: those of an order that is not saved, for a preview."""
    rows = list(order.lines.all()) if lines is None else lines
    return {
        "order": order,
        "name": one_line(order.name, 60),
        "total": _money(order.total, order.currency),
        "lines": [ShownLine.of(line) for line in rows[:MAX_LINES]],
        "more_lines": max(0, len(rows) - MAX_LINES),
        "amounts": _amounts(order),
        "address_lines": [one_line(line, MAX_NAME) for line in order.address_lines],
        # Made when the mail is sent: its time to live begins then, and the database keeps no link of a waiting mail.
        "order_url": order_url(order) if lines is None else "#",
    }


def _amounts(order: Order) -> list[ShownAmount]:
    # As the order's page: only the rows that explain the total.
    if order.total is None:
        return []
    amounts = [
        (_("Subtotal"), order.subtotal if order.subtotal != order.total else None),
        (_("Discount"), -order.discount if order.discount else None),
        (_("Shipping"), order.shipping or None),
        (_("Tax"), order.tax_added or None),
    ]
    rows = [
        ShownAmount(label, _money(amount, order.currency)) for label, amount in amounts if amount is not None
    ]
    rows.append(ShownAmount(_("Total"), _money(order.total, order.currency), is_total=True))
    if order.tax_included:
        rows.append(ShownAmount(_("Tax included"), _money(order.tax_included, order.currency)))
    if order.presentment_amount is not None:
        paid = _money(order.presentment_amount, order.presentment_currency)
        rows.append(ShownAmount(_("You paid"), paid))
    return rows


def with_amounts(context: Mapping[str, Any], kind: MailKind, currency: str) -> dict[str, Any]:
    return {**context, **{name: _money(context.get(name), currency) for name in kind.amounts}}


def _money(amount: int | None, currency: str) -> str:
    return "" if amount is None else format_money(amount, currency, get_language() or "en")
