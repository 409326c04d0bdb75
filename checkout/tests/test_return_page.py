"""Tests of the thank-you page, to which customers return from the payment page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from checkout.models import Order
from checkout.tests.conftest import Customer, apply_session_now, deliver, item_of, order_for, sold
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = pytest.mark.django_db


def test_origin_fault_17_a_guest_reaches_the_thank_you_page_and_the_cart_is_emptied(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com")
    deliver(fake)

    page = customer.come_back(order).content.decode()

    assert "Thank you" in page and order.number in page and "$50.00" in page
    assert "ada@example.com" in page and "Ada Lovelace" in page
    assert customer.lines() == []


def test_the_thank_you_page_can_be_reloaded(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com")
    deliver(fake)
    customer.come_back(order)
    customer.put_in(poster)

    page = customer.come_back(order).content.decode()

    assert "ada@example.com" in page
    assert customer.lines() == [[item_of(poster).id, "", 1]]


def test_another_visitor_of_the_thank_you_page_keeps_the_cart_and_sees_no_address(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com")
    deliver(fake)
    other_customer.put_in(shirt, "M")

    page = other_customer.come_back(order).content.decode()

    assert order.number in page
    assert "ada@example.com" not in page and "Ada Lovelace" not in page
    assert len(other_customer.lines()) == 1 and len(customer.lines()) == 1


def test_items_added_while_paying_stay_in_the_cart(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    customer.put_in(poster)
    customer.put_in(shirt, "M", "Black", 1)
    fake.pay(order.session_id or "")
    deliver(fake)

    customer.come_back(order)

    assert customer.lines() == [[item_of(shirt, "M").id, "Black", 1], [item_of(poster).id, "", 1]]


def test_the_thank_you_page_mentions_items_added_since(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer, other_customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    customer.put_in(poster)
    other_customer.put_in(poster)
    fake.pay(order.session_id or "")
    deliver(fake)

    page = customer.come_back(order).content.decode()
    page_of_another = other_customer.come_back(order).content.decode()

    assert "is still there. It is not part of this order." in page
    assert "is still there" not in page_of_another


def test_items_paid_for_in_a_closed_tab_are_removed_from_the_cart(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="a@example.com")
    customer.put_in(poster)
    deliver(fake)

    page = customer.get(reverse("cart")).content.decode()

    assert "$12.00" in page and "$62.00" not in page
    assert customer.lines() == [[item_of(poster).id, "", 1]]
    # The visitor is still recognized as the customer of the order.
    assert "a@example.com" in customer.come_back(order).content.decode()


def test_the_thank_you_page_waits_for_the_event_and_reloads(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    fake.forget_calls()

    page = customer.come_back(order).content.decode()

    assert "We are confirming your payment" in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert fake.calls == [] and len(customer.lines()) == 1


def test_the_session_is_fetched_only_when_the_event_is_five_seconds_late(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    customer.come_back(order)
    fake.forget_calls()

    customer.come_back(order)
    assert fake.calls == []

    Order.objects.update(customer_returned_at=timezone.now() - timedelta(seconds=6))
    page = customer.come_back(order).content.decode()

    assert "Thank you" in page and sold(shirt) == [("M", 2)] and customer.lines() == []
    assert len(fake.calls) == 1


def test_the_return_page_and_the_webhook_count_once_between_them(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """woocommerce-gateway-stripe#3327."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    apply_session_now(fake, order)

    deliver(fake)
    apply_session_now(fake, order)

    assert sold(shirt) == [("M", 2)]


def test_reloading_a_waiting_page_does_not_fetch_the_session_each_time(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    Order.objects.update(customer_returned_at=timezone.now() - timedelta(seconds=6))
    fake.forget_calls()

    for _reload in range(5):
        customer.come_back(order)

    assert len(fake.calls) == 1


def test_a_name_that_postgresql_cannot_store_is_no_error_on_the_thank_you_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """PostgreSQL rejects NUL. The name is in the fetched session, because the event is late."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", name="Ada\x00Lovelace")
    Order.objects.update(customer_returned_at=timezone.now() - timedelta(seconds=6))

    page = customer.come_back(order)

    order.refresh_from_db()
    assert (page.status_code, order.state, order.name) == (200, "paid", "Ada?Lovelace")


def test_an_order_that_was_not_paid_keeps_the_cart_and_says_so(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.expire(order.session_id or "")
    deliver(fake)

    page = customer.come_back(order).content.decode()

    assert "This order was not paid" in page and "Your cart is saved." in page
    assert len(customer.lines()) == 1


@pytest.mark.parametrize("session_id", ["", "cs_test_unknown", "x" * 5000, "\x00", "<script>"])
def test_an_unknown_session_is_not_found(customer: Customer, session_id: str) -> None:
    response = customer.get(reverse("thank_you"), {"session_id": session_id})

    assert response.status_code == 404 and "Order not found" in response.content.decode()
