"""What does a customer see who comes back from the payment page?"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, order_for, settle_now, sold
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
    assert customer.kept() == []


def test_the_thank_you_page_shows_the_same_again_when_it_is_loaded_again(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com")
    deliver(fake)
    customer.come_back(order)
    customer.put_in(poster)

    page = customer.come_back(order).content.decode()

    assert "ada@example.com" in page
    assert customer.kept() == [[item_of(poster).id, "", 1]]


def test_somebody_elses_thank_you_page_empties_no_cart_and_shows_no_address(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com")
    deliver(fake)
    other_customer.put_in(shirt, "M")

    page = other_customer.come_back(order).content.decode()

    assert order.number in page
    assert "ada@example.com" not in page and "Ada Lovelace" not in page
    assert len(other_customer.kept()) == 1 and len(customer.kept()) == 1


def test_what_was_put_in_while_paying_stays_in_the_cart(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    customer.put_in(poster)
    customer.put_in(shirt, "M", "Black", 1)
    fake.pay(order.session_id or "")
    deliver(fake)

    customer.come_back(order)

    assert customer.kept() == [[item_of(shirt, "M").id, "Black", 1], [item_of(poster).id, "", 1]]


def test_the_thank_you_page_says_that_what_was_put_in_since_is_still_in_the_cart(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer, other_customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    customer.put_in(poster)
    other_customer.put_in(poster)
    fake.pay(order.session_id or "")
    deliver(fake)

    mine, theirs = (one.come_back(order).content.decode() for one in (customer, other_customer))

    assert "is still there. It is not part of this order." in mine
    assert "is still there" not in theirs


def test_what_was_paid_for_in_a_tab_that_was_closed_is_no_longer_in_the_cart(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="a@example.com")
    customer.put_in(poster)
    deliver(fake)

    page = customer.get(reverse("cart")).content.decode()

    assert "$12.00" in page and "$62.00" not in page
    assert customer.kept() == [[item_of(poster).id, "", 1]]
    # The order is still this customer's.
    assert "a@example.com" in customer.come_back(order).content.decode()


def test_the_thank_you_page_waits_for_the_event_and_goes_on_by_itself(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    fake.forget_calls()

    page = customer.come_back(order).content.decode()

    assert "We are confirming your payment" in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert fake.calls == [] and len(customer.kept()) == 1


def test_stripe_is_asked_only_when_the_event_is_five_seconds_late(
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

    assert "Thank you" in page and sold(shirt) == [("M", 2)] and customer.kept() == []
    assert len(fake.calls) == 1


def test_the_return_page_and_the_webhook_count_once_between_them(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """woocommerce-gateway-stripe#3327."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    settle_now(fake, order)

    deliver(fake)
    settle_now(fake, order)

    assert sold(shirt) == [("M", 2)]


def test_reloading_a_page_that_waits_does_not_ask_stripe_each_time(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    Order.objects.update(customer_returned_at=timezone.now() - timedelta(seconds=6))
    fake.forget_calls()

    for _reload in range(5):
        customer.come_back(order)

    assert len(fake.calls) == 1


def test_a_name_that_no_database_keeps_is_no_error_on_the_thank_you_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """A NUL, which PostgreSQL refuses. Stripe's own answer says it here, for the event is late."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", name="Ada\x00Lovelace")
    Order.objects.update(customer_returned_at=timezone.now() - timedelta(seconds=6))

    page = customer.come_back(order)

    order.refresh_from_db()
    assert (page.status_code, order.state, order.name) == (200, "paid", "Ada?Lovelace")


def test_a_payment_that_failed_keeps_the_cart_and_says_so(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.expire(order.session_id or "")
    deliver(fake)

    page = customer.come_back(order).content.decode()

    assert "This order was not paid" in page and len(customer.kept()) == 1


@pytest.mark.parametrize("session_id", ["", "cs_test_nobody", "x" * 5000, "\x00", "<script>"])
def test_an_unknown_session_is_answered_kindly(customer: Customer, session_id: str) -> None:
    answer = customer.get(reverse("thank_you"), {"session_id": session_id})

    assert answer.status_code == 404 and "We do not know this order" in answer.content.decode()
