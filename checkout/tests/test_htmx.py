"""Tests of the responses to htmx: the cart alone, the text of the live region, and the number of units."""

from __future__ import annotations

import json
import re

import pytest
from django.urls import reverse

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = pytest.mark.django_db

DRAWER = {"HX-Request": "true", "HX-Target": "cart-drawer-body"}
PAGE = {"HX-Request": "true", "HX-Target": "cart"}


def add_by_htmx(customer: Customer, product: Product, size: str) -> str:
    form = {"item": item_of(product, size).id, "color": "Black", "quantity": "1"}
    response = customer.post(reverse("cart_add"), form, headers=DRAWER)
    assert response.status_code == 200
    return response.content.decode()


def test_an_addition_is_responseed_with_the_cart_for_the_drawer(shirt: Product, customer: Customer) -> None:
    html = add_by_htmx(customer, shirt, "M")

    assert "<html" not in html and "$25.00" in html
    assert 'id="drawer-quantity-1"' in html
    assert 'id="cart-drawer-status" hx-swap-oob="innerHTML"' in html and "is in your cart" in html


def test_an_error_is_shown_in_the_drawer_too(shirt: Product, customer: Customer) -> None:
    html = add_by_htmx(customer, shirt, "S")

    assert "notice--error" in html and "S is sold out. Still available: M, L." in html
    assert customer.lines() == []


def test_every_response_has_the_number_of_units(shirt: Product, customer: Customer) -> None:
    customer.put_in(shirt, "M", quantity=3)

    response = customer.get(reverse("cart"), headers=DRAWER)

    assert json.loads(response["HX-Trigger"]) == {"cart-changed": {"units": 3}}
    assert "no-store" in response["Cache-Control"] and "<html" not in response.content.decode()


def test_a_change_on_the_cart_page_is_announced_in_its_live_region_without_moving_its_fields(
    shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    form = {"item": item_of(shirt, "M").id, "color": "Black", "quantity": "2"}

    html = customer.post(reverse("cart_change"), form, headers=PAGE).content.decode()

    assert 'id="cart-status" hx-swap-oob="innerHTML"' in html
    assert '<p class="visually-hidden">2 × BALM T-Shirt, M, Black.</p>' in html
    assert 'id="quantity-1"' in html


def test_the_error_of_a_rejected_change_is_visible_at_its_line_only(
    shirt: Product, poster: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "L")
    customer.put_in(poster)
    form = {"item": item_of(shirt, "L").id, "color": "Black", "quantity": "9"}

    response = customer.post(reverse("cart_change"), form, headers=PAGE)

    html = response.content.decode()
    [error] = re.findall(r'<p class="field__error" id="problem-1">\s*(.*?)\s*</p>', html)
    assert error == "Only 2 left of BALM T-Shirt L. Still available: M."
    assert html.count(error) == 2 and f'<p class="visually-hidden">{error}</p>' in html
    assert "cart-refused" in json.loads(response["HX-Trigger"])


def test_a_rejected_addition_makes_the_page_behind_refresh(shirt: Product, customer: Customer) -> None:
    form = {"item": item_of(shirt, "S").id, "color": "Black", "quantity": "1"}

    response = customer.post(reverse("cart_add"), form, headers=DRAWER)

    assert "cart-refused" in json.loads(response["HX-Trigger"])


def test_the_error_of_a_change_to_a_removed_line_is_visible(shirt: Product, customer: Customer) -> None:
    form = {"item": item_of(shirt, "L").id, "color": "Black", "quantity": "2"}

    html = customer.post(reverse("cart_change"), form, headers=PAGE).content.decode()

    assert "notice--error" in html and "no longer in your cart" in html


def test_htmx_redirects_a_waiting_customer_to_the_payment_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    fake.faults.add("cut", path="/v1/checkout/sessions", times=1)
    customer.go_to_payment()

    before = customer.get(reverse("checkout_start"), headers={"HX-Request": "true"})
    Order.objects.update(session_id="cs_test_1", session_url="http://stripe.test/c/pay/1")
    after = customer.get(reverse("checkout_start"), headers={"HX-Request": "true"})

    assert before.status_code == 204
    assert after["HX-Redirect"] == "http://stripe.test/c/pay/1"


def test_polling_the_thank_you_page_returns_no_content_until_the_payment_is_confirmed(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    url = f"{reverse('thank_you')}?session_id={order_for(customer, shirt).session_id}"
    htmx = {"HX-Request": "true"}

    before = customer.get(url, headers=htmx)
    fake.pay(only_order().session_id or "")
    deliver(fake)
    after = customer.get(url, headers=htmx)

    assert (before.status_code, before.content) == (204, b"")
    assert after.status_code == 200 and "We have received your payment" in after.content.decode()


def test_the_thank_you_page_updates_the_number_of_units_to_zero(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_for(customer, shirt)
    fake.pay(only_order().session_id or "")
    deliver(fake)

    response = customer.get(
        reverse("thank_you"), {"session_id": only_order().session_id or ""}, headers={"HX-Request": "true"}
    )

    assert json.loads(response["HX-Trigger"]) == {"cart-changed": {"units": 0}}
