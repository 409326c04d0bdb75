"""Assign a stock item to a line whose session named no size, or not even a product. Only then is the sale counted."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from checkout.models import Order, OrderLine
from inventory import issues
from inventory.models import Issue, StockItem
from inventory.stock import ledger

COUNTED = (Order.State.PAID, Order.State.REFUNDED)


def assign_size(line: OrderLine, item: StockItem, *, now: datetime, actor: str) -> bool:
    """Make `line` a sale of `item`. False if its item is assigned already.

    A line that is not paid yet is counted with its payment. Raises ValueError for an item of another product.
    """
    if line.product_id and item.product_id != line.product_id:
        raise ValueError(f"{item} is not a size of {line.name}.")
    with transaction.atomic():
        order = Order.objects.select_for_update().get(id=line.order_id)
        unassigned = OrderLine.objects.unassigned().filter(id=line.id)
        if not unassigned.update(product=item.product_id, item=item, size=item.size, needs_size=False):
            return False
        if order.state in COUNTED:
            sale = ledger.SaleLine(line.reference, item.id, line.quantity, order.paid_at, line.was_held)
            ledger.sell([order.reference], [sale], now=now, actor=actor)
        if not order.lines.filter(needs_size=True).exists():
            issues.close(Issue.Kind.NEEDS_SIZE, order.number)
    return True
