"""Limits on what unpaid checkouts may hold: a drop stays within reach of people, and a family can buy."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from checkout.models import Order
from checkout.orders import hold_limits
from checkout.tests.conftest import Customer, item_of, nothing_is_held, order_for, put_on_show
from inventory.models import Hold, Issue, StockItem
from shop.models import Product

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db
PROXY = "127.0.0.1"


@pytest.fixture
def drop(fake: FakeStripe) -> Product:
    """200 units of one size in six colors."""
    colors = "Black,White,Navy,Red,Sand,Moss"
    return put_on_show(fake, "prod_drop", "Drop", {"sizes": "M", "stock_M": "200", "colors": colors})


def visitor(address: str = "") -> Customer:
    return Customer(headers={"X-Forwarded-For": address} if address else {})


def checkout(customer: Customer, product: Product, quantity: int) -> Any:
    customer.put_in(product, "M", quantity=quantity)
    return customer.go_to_payment()


# --- One order


def test_all_colors_of_a_size_count_together(drop: Product, customer: Customer) -> None:
    for color in drop.colors:
        customer.put_in(drop, "M", color=color, quantity=4)

    assert sum(int(str(line[2])) for line in customer.lines()) == 8
    assert "at most 10 of one item" in customer.messages()


def test_an_order_has_a_limit_over_all_sizes(
    drop: Product, shirt: Product, customer: Customer, settings: Settings
) -> None:
    settings.MAX_UNITS_PER_CART = 5
    customer.put_in(drop, "M", quantity=4)

    customer.put_in(shirt, "M", quantity=2)

    assert len(customer.lines()) == 1
    assert "One order can have at most 5 items." in customer.messages()


# --- A rush


def test_fifty_fresh_visitors_leave_half_of_a_drop(drop: Product) -> None:
    for _number in range(50):
        flooder = visitor()
        if checkout(flooder, drop, 10).status_code == 429:
            flooder.post(
                "/cart/change/", {"item": f"{item_of(drop, 'M').id}", "color": "Black", "quantity": 1}
            )
            flooder.go_to_payment()

    assert item_of(drop, "M").held <= 100
    person = visitor()
    assert checkout(person, drop, 1).status_code == 302


def test_a_rush_limits_orders_of_several_and_says_so_kindly(drop: Product) -> None:
    StockItem.objects.filter(product=drop).update(held=41)
    customer = visitor()

    answer = checkout(customer, drop, 2)

    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "Many people are buying Drop M at this moment" in answer.content.decode()
    assert not Hold.objects.exists() and not Order.objects.exists()
    assert customer.lines() != []


def test_without_a_rush_one_order_may_take_the_last_units(fake: FakeStripe) -> None:
    product = put_on_show(fake, "prod_few", "Few", {"sizes": "M", "stock_M": "3"})

    assert checkout(visitor(), product, 3).status_code == 302


def test_one_unit_is_never_refused_while_there_is_one(drop: Product) -> None:
    StockItem.objects.filter(product=drop).update(held=199)

    assert checkout(visitor(), drop, 1).status_code == 302


def test_a_real_shortage_is_told_as_one(drop: Product) -> None:
    customer = visitor()
    customer.put_in(drop, "M", quantity=2)
    StockItem.objects.filter(product=drop).update(held=199)

    assert customer.go_to_payment().status_code == 302
    assert "fewer of it for now" not in customer.messages()


# --- One cart


def test_a_cart_cannot_renew_its_hold_for_ever(drop: Product) -> None:
    customer, now = visitor(), timezone.now()
    customer.put_in(drop, "M")
    for minutes in (75, 50, 25):  # Each begins before the one before it ends.
        order = Order.objects.create(cart_token=customer.session["cart"]["token"], state="canceled")
        created_at = now - timedelta(minutes=minutes)
        Order.objects.filter(pk=order.pk).update(
            created_at=created_at, expires_at=created_at + timedelta(minutes=35)
        )

    answer = customer.go_to_payment()

    assert answer.status_code == 429
    assert "Your items have been reserved for more than 60 minutes." in answer.content.decode()
    assert 19 * 60 < int(answer["Retry-After"]) <= 20 * 60
    assert nothing_is_held(drop)


def test_a_cart_that_paused_may_hold_again(drop: Product) -> None:
    customer = visitor()
    order = order_for(customer, drop, quantity=1)
    past = timezone.now() - timedelta(minutes=90)
    Order.objects.filter(pk=order.pk).update(
        created_at=past, expires_at=past + timedelta(minutes=35), state=Order.State.CANCELED
    )

    hold_limits.check(order.cart_token, "", timezone.now())


# --- One address


def test_one_address_with_a_hundred_carts_holds_little(drop: Product, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [PROXY]

    answers = [checkout(visitor("203.0.113.7"), drop, 1).status_code for _number in range(100)]

    assert answers.count(302) == settings.OPEN_CHECKOUTS_PER_ADDRESS
    assert item_of(drop, "M").held == settings.OPEN_CHECKOUTS_PER_ADDRESS
    assert checkout(visitor("203.0.113.8"), drop, 2).status_code == 302


def test_a_family_behind_one_address_can_buy(drop: Product, fake: FakeStripe, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [PROXY]

    for _number in range(8):
        assert checkout(visitor("203.0.113.7"), drop, 1).status_code == 302


def test_paid_orders_do_not_count(drop: Product, settings: Settings) -> None:
    settings.TRUSTED_PROXIES, settings.OPEN_CHECKOUTS_PER_ADDRESS = [PROXY], 1
    checkout(visitor("203.0.113.7"), drop, 1)
    Order.objects.update(state=Order.State.PAID, paid_at=timezone.now())

    assert checkout(visitor("203.0.113.7"), drop, 1).status_code == 302


def test_pages_per_hour_are_limited_though_each_was_ended(drop: Product, settings: Settings) -> None:
    settings.TRUSTED_PROXIES, settings.CHECKOUTS_PER_ADDRESS_AND_HOUR = [PROXY], 3
    for _number in range(3):
        checkout(visitor("203.0.113.7"), drop, 1)
        Order.objects.update(state=Order.State.CANCELED)

    answer = checkout(visitor("203.0.113.7"), drop, 1)

    assert answer.status_code == 429
    assert "Many payment pages were opened from your network" in answer.content.decode()


def test_neighbors_in_one_ipv6_network_count_together(drop: Product, settings: Settings) -> None:
    settings.TRUSTED_PROXIES, settings.OPEN_CHECKOUTS_PER_ADDRESS = [PROXY], 1
    checkout(visitor("2001:db8::1"), drop, 1)

    assert checkout(visitor("2001:db8::2"), drop, 1).status_code == 429
    assert checkout(visitor("2001:db8:0:1::1"), drop, 1).status_code == 302


def test_without_a_declared_proxy_no_address_is_stored(drop: Product) -> None:
    checkout(visitor("203.0.113.7"), drop, 1)

    assert Order.objects.get().client_network == ""


# --- Payments that take days


def test_debits_may_hold_a_part_of_a_size_only(drop: Product, fake: FakeStripe) -> None:
    for _number in range(6):
        checkout(visitor(), drop, 7)
    Order.objects.update(state=Order.State.AWAITING_PAYMENT)

    checkout(visitor(), drop, 1)

    params = Order.objects.get(state=Order.State.OPEN).session_params
    assert "us_bank_account" in params["excluded_payment_method_types"]


def test_debits_are_offered_while_few_hold(drop: Product) -> None:
    checkout(visitor(), drop, 1)

    assert "excluded_payment_method_types" not in Order.objects.get().session_params


# --- What they cost, and what the owner sees


def test_the_limits_cost_two_statements(
    drop: Product, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRUSTED_PROXIES = [PROXY]

    def statements() -> int:
        customer = visitor("203.0.113.7")
        customer.put_in(drop, "M", quantity=2)
        with CaptureQueriesContext(connection) as queries:
            customer.go_to_payment()
        return len(queries)

    with_limits = statements()
    monkeypatch.setattr(hold_limits, "check", lambda *arguments: None)
    monkeypatch.setattr(hold_limits, "excluded_methods", lambda *arguments: [])
    monkeypatch.setattr(hold_limits, "rush", lambda: None)

    assert with_limits - statements() == 2


def test_a_size_that_is_mostly_held_is_an_issue(drop: Product) -> None:
    StockItem.objects.filter(product=drop).update(held=170)

    hold_limits.watch(timezone.now())
    hold_limits.watch(timezone.now())

    issue = Issue.objects.get()
    assert issue.text.startswith("170 of 200 units of Drop M are held by unpaid checkouts.")


def test_many_pages_that_nobody_pays_are_an_issue(drop: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_limits, "MANY_PAGES", 3)
    for _number in range(3):
        checkout(visitor(), drop, 1)

    hold_limits.watch(timezone.now())

    assert "3 payment pages were opened within an hour, and 0 were paid" in Issue.objects.get().text


def test_addresses_are_forgotten_after_a_day(drop: Product, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [PROXY]
    checkout(visitor("203.0.113.7"), drop, 1)
    assert Order.objects.get().client_network == "203.0.113.7"

    hold_limits.watch(timezone.now() + timedelta(days=1, minutes=1))

    assert Order.objects.get().client_network == ""
