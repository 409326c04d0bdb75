"""Sales in another currency than the shop's: each amount is shown in the currency it is in."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from checkout.models import Order
from checkout.order_links import order_path
from checkout.stripe_objects import line_from
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for
from checkout.tests.test_external_orders import a_line, open_externally, sales
from config.stripe_client import stripe_client
from fake_stripe import FakeStripe, Refused
from inventory import worker
from inventory.events import inbox
from inventory.models import Issue
from inventory.stripe_sync import refresh
from shop.models import Product
from shop.prices import CurrencyOption
from shop.shipping import refresh_shipping_rates
from shop.storefront import load_storefront
from shop.tests.factories import on_shelf, price

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


# --- The currency that a visitor chooses -----------------------------------------------------------


@pytest.fixture
def sells_in_euros(settings: Settings, price_in_euros: None, shirt: Product) -> None:
    settings.SHOP_CURRENCIES = ["eur"]
    refresh.refresh_product(shirt.pk)


@pytest.fixture
def european(sells_in_euros: None) -> Customer:
    customer = Customer()
    customer.cookies["currency"] = "eur"
    return customer


def test_an_order_is_opened_paid_and_kept_in_the_chosen_currency(
    fake: FakeStripe, shirt: Product, european: Customer, admin_client: Client
) -> None:
    european.put_in(shirt, "M", quantity=2)
    cart = european.get("/cart/").content.decode()
    assert "€46.00" in cart and "$" not in re.sub(r"<a [^>]*currency=usd.*?</a>", "", cart, flags=re.DOTALL)

    european.go_to_payment()
    order = only_order()
    assert order.session_params["currency"] == "eur"
    fake.forget_calls()
    fake.pay(order.session_id or "")
    deliver(fake)

    order.refresh_from_db()
    line = order.lines.get()
    assert (order.state, order.currency, order.total) == (Order.State.PAID, "eur", 4600)
    assert (line.unit_amount, line.currency, line.quantity) == (2300, "eur", 2)
    # The subtotal is that of the lines, so they were not read from Stripe.
    assert not any("line_items" in call.path for call in fake.calls)
    assert not Issue.objects.exists() and item_of(shirt, "M").available == 13
    assert "€46.00" in european.come_back(order).content.decode()
    assert "€46.00" in shown(order, admin_client)
    assert "€46.00" in european.get(order_path(order)).content.decode()


def test_shipping_is_charged_in_the_chosen_currency(
    fake: FakeStripe, shirt: Product, european: Customer, settings: Settings
) -> None:
    fixed: Any = {"amount": 500, "currency": "usd", "currency_options": {"eur": {"amount": 450}}}
    rate = stripe_client().v1.shipping_rates.create(
        {"display_name": "Post", "type": "fixed_amount", "fixed_amount": fixed}
    )
    settings.SHIPPING_COUNTRIES, settings.SHIPPING_RATES = ["DE"], [rate.id]
    refresh_shipping_rates(timezone.now())

    order = order_for(european, shirt, quantity=1)
    fake.pay(
        order.session_id or "",
        address={"line1": "Torstr. 1", "postal_code": "10115", "city": "Berlin", "country": "DE"},
    )
    deliver(fake)

    order.refresh_from_db()
    assert (order.currency, order.subtotal, order.shipping, order.total) == ("eur", 2300, 450, 2750)


def test_a_switch_of_the_currency_ends_the_payment_page_in_the_old_one(
    fake: FakeStripe, shirt: Product, european: Customer
) -> None:
    european.cookies["currency"] = "usd"
    dollars = order_for(european, shirt, quantity=1)

    european.get("/cart/?currency=eur")
    european.go_to_payment()

    dollars.refresh_from_db()
    euros = Order.objects.exclude(pk=dollars.pk).get()
    assert (dollars.state, euros.state, euros.currency) == (Order.State.CANCELED, Order.State.OPEN, "eur")
    assert fake.sessions[euros.session_id or ""]["amount_total"] == 2300
    assert item_of(shirt, "M").held == 1


def test_nobody_pays_in_another_currency_than_they_have_seen(
    fake: FakeStripe, shirt: Product, european: Customer
) -> None:
    european.put_in(shirt, "M", quantity=1)
    cart = european.get("/cart/").content.decode()
    [seen] = set(re.findall(r'name="seen" value="(\w+)"', cart))
    # Euros are no longer offered: another product is not priced in them.
    on_shelf("prod_other", default_price_id="price_other", prices=(price("price_other", 900),))

    answer = european.post("/checkout/", {"seen": seen}, follow=True)

    text = answer.content.decode()
    assert not Order.objects.exists() and item_of(shirt, "M").held == 0
    assert "Your cart has changed" in text and "We no longer sell in EUR" in text and "$25.00" in text


def test_a_changed_amount_in_the_chosen_currency_is_seen_before_it_is_paid(
    fake: FakeStripe, shirt: Product, european: Customer
) -> None:
    """Stripe never changes the amount of a price, but its currency options may be changed."""
    european.put_in(shirt, "M", quantity=1)
    cart = european.get("/cart/").content.decode()
    [seen] = set(re.findall(r'name="seen" value="(\w+)"', cart))
    fake.call("POST", f"/v1/prices/{shirt.default_price_id}", "currency_options[eur][unit_amount]=9900")
    refresh.refresh_product(shirt.pk)

    answer = european.post("/checkout/", {"seen": seen}, follow=True)

    assert not Order.objects.exists()
    assert "Your cart has changed" in answer.content.decode() and "€99.00" in answer.content.decode()


def test_a_price_that_lost_its_option_a_moment_ago_is_told_and_read_again(
    fake: FakeStripe, shirt: Product, european: Customer
) -> None:
    european.put_in(shirt, "M", quantity=1)
    fake.call("POST", f"/v1/prices/{shirt.default_price_id}", "currency_options=")

    answer = european.post("/checkout/", follow=True)

    assert "Your cart cannot be paid in EUR at the moment." in answer.content.decode()
    assert only_order().state == Order.State.CANCELED and item_of(shirt, "M").held == 0
    deliver(fake)
    text = european.get("/cart/").content.decode()
    assert "We no longer sell in EUR" in text and "$25.00" in text


def test_what_stripe_charged_is_kept_where_our_copy_of_the_option_was_old(
    fake: FakeStripe, shirt: Product, european: Customer
) -> None:
    fake.call("POST", f"/v1/prices/{shirt.default_price_id}", "currency_options[eur][unit_amount]=2450")
    order = order_for(european, shirt, quantity=2)  # Our copy says 23.00.
    assert order.lines.get().unit_amount == 2300

    fake.pay(order.session_id or "")
    deliver(fake)

    order.refresh_from_db()
    line = order.lines.get()
    assert (order.total, line.unit_amount, line.amount, line.currency) == (4900, 2450, 4900, "eur")
    assert not Issue.objects.exists() and item_of(shirt, "M").available == 13


def test_options_are_read_from_stripe_and_updated_by_the_events_of_prices(
    fake: FakeStripe, settings: Settings
) -> None:
    settings.SHOP_CURRENCIES = ["eur", "bhd", "jpy"]
    options = {"eur": {"unit_amount": 2300}, "gbp": {"unit_amount": 1}, "jpy": {"unit_amount_decimal": "1.5"}}
    bhd = {"unit_amount": 9500, "tax_behavior": "inclusive"}
    fake.add_product(
        id="prod_balm",
        name="BALM T-Shirt",
        metadata={"stock": "4"},
        prices=[{"unit_amount": 2500, "currency": "usd", "currency_options": {**options, "bhd": bhd}}],
    )
    refresh.refresh_product("prod_balm")
    product = Product.objects.get()
    [found] = product.parsed_prices
    # Not in pounds, which this shop does not take, nor in a fraction of a yen.
    assert found.options == (CurrencyOption("bhd", 9500, tax_included=True), CurrencyOption("eur", 2300))
    assert product.amounts == {"eur": [2300, 2300], "bhd": [9500, 9500]}

    status, _price = fake.call("POST", f"/v1/prices/{found.id}", "currency_options[eur][unit_amount]=2400")
    assert status == 200
    deliver(fake)
    assert Product.objects.get().amounts["eur"] == [2400, 2400]

    fake.call("POST", f"/v1/prices/{found.id}", "currency_options=")
    deliver(fake)
    assert (Product.objects.get().amounts, load_storefront().currencies) == ({}, ["usd"])
