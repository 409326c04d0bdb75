"""Tests of starting a checkout while Stripe does not response or rejects the request."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from checkout import stripe_slots
from checkout.models import Order
from checkout.recovery import session_recovery
from checkout.tests.conftest import (
    Customer,
    deliver,
    held,
    item_of,
    nothing_is_held,
    only_order,
    order_for,
    put_on_show,
)
from fake_stripe import FakeStripe
from inventory.models import Issue
from inventory.worker import drain
from shop.models import Product

pytestmark = pytest.mark.django_db


def test_without_a_key_checkout_is_not_configured(
    shirt: Product, customer: Customer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    customer.put_in(shirt, "M")
    settings.STRIPE_SECRET_KEY = ""

    response = customer.go_to_payment()

    assert response.status_code == 503 and "Payment is not set up yet" in response.content.decode()
    assert "STRIPE_SECRET_KEY is not set" in caplog.text
    assert len(customer.lines()) == 1 and nothing_is_held(shirt)


def test_a_wrong_key_is_reported_to_the_owner_and_not_to_the_customer(
    fake: FakeStripe,
    shirt: Product,
    customer: Customer,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    customer.put_in(shirt, "M")
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"

    customer.go_to_payment()

    messages = customer.messages()
    assert "Your cart is saved" in messages and "STRIPE" not in messages
    assert "STRIPE_SECRET_KEY" in caplog.text
    assert "STRIPE_SECRET_KEY" in Issue.objects.get().text
    assert nothing_is_held(shirt) and len(customer.lines()) == 1


def test_the_issue_of_a_wrong_key_is_closed_by_the_first_session_that_is_created(
    fake: FakeStripe, shirt: Product, customer: Customer, settings: Settings
) -> None:
    customer.put_in(shirt, "M")
    settings.STRIPE_SECRET_KEY, good_key = "sk_test_wrong", settings.STRIPE_SECRET_KEY
    customer.go_to_payment()
    assert Issue.objects.get().closed_at is None

    settings.STRIPE_SECRET_KEY = good_key
    customer.go_to_payment()

    assert Issue.objects.get().closed_at is not None


def test_a_rejected_request_releases_the_hold_and_keeps_the_cart(
    fake: FakeStripe, shirt: Product, customer: Customer, settings: Settings
) -> None:
    customer.put_in(shirt, "M")
    settings.SHIPPING_RATES = ["shr_that_is_not_there"]

    customer.go_to_payment()

    assert only_order().state == Order.State.CANCELED
    assert nothing_is_held(shirt) and len(customer.lines()) == 1
    settings.SHIPPING_RATES = []
    assert customer.go_to_payment()["Location"].startswith("http://stripe.test/")


def test_a_price_that_was_archived_a_moment_ago_makes_the_product_be_refreshed(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    fake.call("POST", f"/v1/products/{shirt.id}", "default_price=")
    fake.call("POST", f"/v1/prices/{shirt.default_price_id}", "active=false")

    customer.go_to_payment()

    assert "BALM T-Shirt, M, Black cannot be sold at the moment." in customer.messages()
    assert nothing_is_held(shirt)
    drain()
    page = customer.get(reverse("cart")).content.decode()
    assert "no price at the moment" in page


def test_an_archived_product_is_named_and_not_called_an_outage(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    customer.put_in(poster)
    fake.call("POST", f"/v1/products/{poster.id}", "active=false")

    customer.go_to_payment()

    assert "Poster cannot be sold at the moment. Please remove it" in customer.messages()
    assert nothing_is_held(shirt) and Issue.objects.get().kind == Issue.Kind.CHECKOUT_REFUSED


def test_a_total_that_is_too_small_is_said_to_be(fake: FakeStripe, db: None, customer: Customer) -> None:
    pin = put_on_show(fake, "prod_pin", "Pin", {"stock": "9"}, amount=30)
    customer.put_in(pin)

    customer.go_to_payment()

    assert "The total is too small to be paid online." in customer.messages()
    assert len(customer.lines()) == 1


def test_a_refusal_for_another_reason_promises_no_outage(
    fake: FakeStripe, shirt: Product, customer: Customer, settings: Settings
) -> None:
    customer.put_in(shirt, "M")
    settings.SHIPPING_RATES = ["shr_that_is_not_there"]

    customer.go_to_payment()

    assert "Your cart cannot be paid as it is." in customer.messages()
    assert Issue.objects.get().kind == Issue.Kind.CHECKOUT_REFUSED


def test_without_an_response_cart_and_hold_are_kept_and_the_next_attempt_uses_them(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("cut", path="/v1/checkout/sessions", times=1)

    response = customer.go_to_payment()

    assert response["Location"] == reverse("checkout_start")
    assert "being prepared" in customer.get(response["Location"]).content.decode()
    assert held(shirt, "M") == 2 and only_order().session_id is None

    again = customer.go_to_payment()
    assert again["Location"] == only_order().session_url
    assert held(shirt, "M") == 2 and len(fake.sessions) == 1


def test_a_session_whose_response_was_lost_is_not_created_twice(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("cut", path="/v1/checkout/sessions", when="after", times=1)
    customer.go_to_payment()
    assert only_order().session_id is None and len(fake.sessions) == 1

    customer.go_to_payment()

    assert only_order().session_id == next(iter(fake.sessions)) and len(fake.sessions) == 1


def test_a_waiting_customer_is_redirected_as_soon_as_the_payment_page_exists(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    fake.faults.add("cut", path="/v1/checkout/sessions", times=1)
    customer.go_to_payment()
    order = only_order()
    Order.objects.filter(id=order.id).update(session_id="cs_test_1", session_url="http://stripe.test/c/pay/1")

    assert customer.get(reverse("checkout_start"))["Location"] == "http://stripe.test/c/pay/1"


def test_a_customer_who_has_waited_too_long_can_try_again(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    fake.faults.add("cut", path="/v1/checkout/sessions", times=1)
    customer.go_to_payment()
    htmx = {"HX-Request": "true"}
    assert customer.get(reverse("checkout_start"), headers=htmx).status_code == 204

    Order.objects.update(created_at=timezone.now() - timedelta(seconds=21))
    poll = customer.get(reverse("checkout_start"), headers=htmx)
    page = customer.get(reverse("checkout_start"))

    html = page.content.decode()
    assert poll["HX-Refresh"] == "true"
    assert "We cannot reach the payment page" in html and "your cart is saved" in html
    assert f'<form method="post" action="{reverse("checkout_start")}">' in html
    assert "hx-trigger" not in html and "http-equiv" not in html
    assert customer.go_to_payment()["Location"] == only_order().session_url


def test_waiting_without_an_open_order_redirects_to_the_cart(customer: Customer) -> None:
    assert customer.get(reverse("checkout_start"))["Location"] == reverse("cart")


def test_an_empty_cart_starts_no_checkout(fake: FakeStripe, customer: Customer) -> None:
    assert customer.go_to_payment()["Location"] == reverse("cart")
    assert not Order.objects.exists() and not fake.sessions


def test_the_canceled_page_keeps_the_cart_and_links_to_the_payment_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt)

    page = customer.get(reverse("checkout_canceled")).content.decode()

    assert "Nothing was charged" in page and order.session_url in page
    assert customer.lines() == [[item_of(shirt, "M").id, "Black", 2]]


def test_checkout_from_another_site_is_rejected(shirt: Product) -> None:
    assert Client(enforce_csrf_checks=True).post(reverse("checkout_start")).status_code == 403


def test_a_browser_without_cookies_is_shown_that_the_cart_needs_them(shirt: Product) -> None:
    browser = Client(enforce_csrf_checks=True)

    page = browser.post(reverse("cart_add"), {"item": item_of(shirt, "M").id}).content.decode()

    assert "The cart needs cookies" in page and "shop/shop.css" in page
    assert "<style" not in page and "style=" not in page  # The Content-Security-Policy would block it.


def test_the_carts_own_hold_is_no_shortage(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = order_for(customer, shirt, "L", 2)

    page = customer.get(reverse("cart")).content.decode()

    assert "sold out" not in page and "Only" not in page
    assert order.session_url in page
    deliver(fake)


def test_while_stripe_hangs_a_checkout_leaves_its_page_to_the_worker(
    fake: FakeStripe, shirt: Product, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = time.monotonic() - 5
    monkeypatch.setattr(stripe_slots, "_since", dict.fromkeys(range(stripe_slots.SLOTS), long_ago))
    customer.put_in(shirt, "M", quantity=2)
    fake.forget_calls()

    answer = customer.go_to_payment()

    order = only_order()
    assert answer["Location"] == reverse("checkout_start")
    assert (order.state, order.session_id, held(shirt, "M")) == (Order.State.OPEN, None, 2)
    assert customer.get(reverse("checkout_start")).status_code == 200
    assert fake.calls == []
    assert session_recovery.find_unknown_sessions(timezone.now()) == 1
    assert customer.get(reverse("checkout_start")).url == only_order().session_url  # type: ignore[attr-defined]


def test_a_slot_is_waited_for_while_stripe_answers() -> None:
    entered = threading.Barrier(stripe_slots.SLOTS + 1)

    def call() -> None:
        with stripe_slots.stripe_slot():
            entered.wait(10)

    threads = [threading.Thread(target=call) for _number in range(stripe_slots.SLOTS)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    with stripe_slots.stripe_slot() as has_slot:
        assert has_slot
    for thread in threads:
        thread.join()


def test_a_slot_inside_another_one_is_a_slot_of_its_own() -> None:
    with stripe_slots.stripe_slot() as first, stripe_slots.stripe_slot() as second:
        assert (first, second, len(stripe_slots._since)) == (True, True, 2)

    assert not stripe_slots._since
