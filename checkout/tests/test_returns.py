"""Returning units of an order to stock."""

from __future__ import annotations

import pytest

from checkout.orders.returns import restock, returnable_lines
from checkout.tests.conftest import Customer, deliver, item_of
from checkout.tests.test_refunds import paid_order
from fake_stripe import FakeStripe
from inventory.models import StockItem
from inventory.stock import ledger
from shop.models import Product

pytestmark = pytest.mark.django_db


def test_returned_units_are_for_sale_again(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = paid_order(fake, shirt, customer)
    line = order.lines.get()

    added = restock(order, {line.id: 1}, token="return:1", reason="too small", actor="owner")
    deliver(fake)

    assert added == 1 and item_of(shirt, "M").available == 14
    assert fake.products[shirt.id]["metadata"]["stock_M"] == "14"
    assert [(each.line, each.max_units) for each in returnable_lines(order)] == [(line, 1)]


def test_units_are_returned_in_the_order_in_which_every_operation_locks_its_items(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL two returns with their lines in opposite order would deadlock."""
    customer.put_in(poster)
    order = paid_order(fake, shirt, customer)
    locked, lock = [], ledger._locked

    def lock_and_note(item_id: int) -> StockItem:
        locked.append(item_id)
        return lock(item_id)

    monkeypatch.setattr(ledger, "_locked", lock_and_note)

    added = restock(order, {line.id: 1 for line in order.lines.all()}, token="t", reason="", actor="owner")

    assert [line.name for line in order.lines.all()] == ["Poster", "BALM T-Shirt"]
    assert added == 2 and locked == sorted(locked) and len(set(locked)) == 2


def test_no_more_is_returned_than_was_sold_and_a_second_click_returns_nothing(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """PrestaShop#16869: a refund and a cancellation returned the units twice."""
    order = paid_order(fake, shirt, customer)
    line = order.lines.get()

    first = restock(order, {line.id: 1}, token="return:1", reason="", actor="owner")
    again = restock(order, {line.id: 1}, token="return:1", reason="", actor="owner")
    too_many = restock(order, {line.id: 99}, token="return:2", reason="", actor="owner")

    assert (first, again, too_many) == (1, 0, 1)
    assert item_of(shirt, "M").available == 15 and returnable_lines(order) == []
