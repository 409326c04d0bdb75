"""Sales in another currency than the shop's: each amount is shown in the currency it is in."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from checkout.models import Order
from checkout.stripe_objects import line_from
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for
from checkout.tests.test_external_orders import a_line, open_externally, sales
from fake_stripe import FakeStripe, Refused
from inventory import worker
from inventory.events import inbox
from inventory.models import Issue
from shop.models import Product

pytestmark = pytest.mark.django_db


@pytest.fixture
def price_in_euros(fake: FakeStripe, shirt: Product) -> None:
    """The shirt costs 25.00 USD, or 23.00 EUR."""
    form = "currency_options[eur][unit_amount]=2300"
    status, _price = fake.call("POST", f"/v1/prices/{shirt.default_price_id}", form)
    assert status == 200


def shown(order: Order, admin_client: Client) -> str:
    return admin_client.get(reverse("admin:checkout_order_change", args=[order.id])).content.decode()


def test_our_sessions_have_a_fixed_currency(
    fake: FakeStripe, shirt: Product, price_in_euros: None, customer: Customer
) -> None:
    order = order_for(customer, shirt)

    assert order.session_params["currency"] == "usd"
    with pytest.raises(Refused, match="fixed currency"):
        fake.pay(order.session_id or "", local_currency="eur")


def test_a_session_that_was_charged_in_a_local_currency_shows_it_on_lines_and_totals(
    fake: FakeStripe, shirt: Product, price_in_euros: None, customer: Customer, admin_client: Client
) -> None:
    """Older versions of the shop sent no currency, so Stripe chose one of the price's by the customer's place."""
    order = order_for(customer, shirt, quantity=2)
    lines = fake.account.store.get("session_lines", order.session_id or "") or {}
    with fake.account.store.transaction():
        fake.account.store.put("session_lines", order.session_id or "", lines | {"currency_is_given": False})
    fake.pay(order.session_id or "", local_currency="eur")

    deliver(fake)

    order.refresh_from_db()
    line = order.lines.get()
    assert (order.currency, order.total, line.currency, line.amount) == ("eur", 4600, "eur", 4600)
    page = customer.come_back(order).content.decode()
    assert "€23.00" in page and "€46.00" in page and "$25.00" not in page and "€25.00" not in page
    assert "€23.00" in shown(order, admin_client) and "$" not in shown(order, admin_client)
    assert not Issue.objects.exists() and item_of(shirt, "M").available == 13


def test_an_external_line_is_in_the_currency_that_was_charged(
    fake: FakeStripe, shirt: Product, price_in_euros: None
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 2, "M")]), local_currency="eur")

    deliver(fake)

    order, line = only_order(), only_order().lines.get()
    assert (line.unit_amount, line.currency, order.total, order.currency) == (2300, "eur", 4600, "eur")
    assert sales() == [("prod_balm", "M", 2)]


def test_what_adaptive_pricing_converts_is_shown_beside_the_total(
    fake: FakeStripe, shirt: Product, customer: Customer, admin_client: Client
) -> None:
    order = order_for(customer, shirt, quantity=1)
    fake.pay(order.session_id or "", presented=("jpy", 3900))

    deliver(fake)

    order.refresh_from_db()
    assert (order.currency, order.total) == ("usd", 2500)
    assert (order.presentment_currency, order.presentment_amount) == ("jpy", 3900)
    page = customer.come_back(order).content.decode()
    assert "$25.00" in page and "You paid" in page and "¥3,900" in page and "¥2,500" not in page
    assert "Paid as: ¥3,900" in shown(order, admin_client)


def test_a_conversion_from_before_2025_03_31_is_read_in_the_currency_of_the_shop(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """Then the session of the event had the customer's currency, and `currency_conversion` the shop's."""
    order = order_for(customer, shirt, quantity=1)
    fake.pay(order.session_id or "")
    (event,) = [e for e in fake.events.values() if e["type"] == "checkout.session.completed"]
    old: dict[str, Any] = copy.deepcopy(event)
    old["data"]["object"] |= {
        "currency": "jpy",
        "amount_subtotal": 3900,
        "amount_total": 3900,
        "currency_conversion": {
            "amount_subtotal": 2500,
            "amount_total": 2500,
            "fx_rate": "156",
            "source_currency": "usd",
        },
    }
    inbox.store_events([old])
    worker.drain()

    order.refresh_from_db()
    assert (order.state, order.currency, order.total) == (Order.State.PAID, "usd", 2500)
    assert (order.presentment_currency, order.presentment_amount) == ("jpy", 3900)
    assert order.lines.get().amount_currency == "usd"


@pytest.mark.parametrize(
    ("line", "amount"),
    [
        ({"currency": "eur", "amount_subtotal": 4600, "quantity": 2}, 2300),
        ({"currency": "usd", "amount_subtotal": 5000, "quantity": 2}, 2500),
        ({"currency": "eur", "amount_subtotal": 4601, "quantity": 2}, None),
        ({"currency": "eur", "amount_subtotal": 4600, "quantity": 0}, None),
        ({"currency": "eur", "amount_subtotal": None, "quantity": 2}, None),
    ],
)
def test_a_unit_costs_what_its_line_says_where_the_price_is_in_another_currency(
    line: dict[str, Any], amount: int | None
) -> None:
    price = {"id": "price_1", "currency": "usd", "unit_amount": 2500}

    assert line_from({**line, "price": price}).unit_amount == amount
