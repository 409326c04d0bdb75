"""What htmx gets: the cart alone, words for the live region, and how many pieces there are."""

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


def put_in_by_htmx(customer: Customer, product: Product, size: str) -> str:
    form = {"item": item_of(product, size).id, "color": "Black", "quantity": "1"}
    answer = customer.post(reverse("cart_add"), form, headers=DRAWER)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_addition_is_answered_with_the_cart_for_the_drawer(shirt: Product, customer: Customer) -> None:
    piece = put_in_by_htmx(customer, shirt, "M")

    assert "<html" not in piece and "$25.00" in piece
    assert 'id="drawer-quantity-1"' in piece
    assert 'id="cart-drawer-status" hx-swap-oob="innerHTML"' in piece and "is in your cart" in piece


def test_a_refusal_is_said_in_the_drawer_too(shirt: Product, customer: Customer) -> None:
    piece = put_in_by_htmx(customer, shirt, "S")

    assert "notice--error" in piece and "S is sold out. Still there: M, L." in piece
    assert customer.kept() == []


def test_every_answer_says_how_many_pieces_there_are(shirt: Product, customer: Customer) -> None:
    customer.put_in(shirt, "M", quantity=3)

    answer = customer.get(reverse("cart"), headers=DRAWER)

    assert json.loads(answer["HX-Trigger"]) == {"cart-changed": {"units": 3}}
    assert "no-store" in answer["Cache-Control"] and "<html" not in answer.content.decode()


def test_a_change_on_the_carts_page_speaks_in_its_live_region_and_shows_nothing_that_moves_its_fields(
    shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    form = {"item": item_of(shirt, "M").id, "color": "Black", "quantity": "2"}

    piece = customer.post(reverse("cart_change"), form, headers=PAGE).content.decode()

    assert 'id="cart-status" hx-swap-oob="innerHTML"' in piece
    assert '<p class="visually-hidden">2 × BALM T-Shirt, M, Black.</p>' in piece
    assert 'id="quantity-1"' in piece


def test_a_refused_change_is_told_at_its_line_and_nowhere_else_to_be_seen(
    shirt: Product, poster: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "L")
    customer.put_in(poster)
    form = {"item": item_of(shirt, "L").id, "color": "Black", "quantity": "50"}

    answer = customer.post(reverse("cart_change"), form, headers=PAGE)

    piece = answer.content.decode()
    [told] = re.findall(r'<p class="field__error" id="problem-1">(.*?)</p>', piece)
    assert told == "Only 2 left of BALM T-Shirt L. Still there: M."
    assert piece.count(told) == 2 and f'<p class="visually-hidden">{told}</p>' in piece
    assert "cart-refused" in json.loads(answer["HX-Trigger"])


def test_a_refused_addition_asks_the_page_behind_to_look_again(shirt: Product, customer: Customer) -> None:
    form = {"item": item_of(shirt, "S").id, "color": "Black", "quantity": "1"}

    answer = customer.post(reverse("cart_add"), form, headers=DRAWER)

    assert "cart-refused" in json.loads(answer["HX-Trigger"])


def test_a_change_of_a_line_that_is_gone_is_refused_where_it_can_be_seen(
    shirt: Product, customer: Customer
) -> None:
    form = {"item": item_of(shirt, "L").id, "color": "Black", "quantity": "2"}

    piece = customer.post(reverse("cart_change"), form, headers=PAGE).content.decode()

    assert "notice--error" in piece and "no longer in your cart" in piece


def test_who_waits_with_scripts_is_sent_on_by_the_browser(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    fake.faults.add("cut", path="/v1/checkout/sessions", times=1)
    customer.go_to_payment()

    still = customer.get(reverse("checkout_start"), headers={"HX-Request": "true"})
    Order.objects.update(session_id="cs_test_1", session_url="http://stripe.test/c/pay/1")
    there = customer.get(reverse("checkout_start"), headers={"HX-Request": "true"})

    assert still.status_code == 204
    assert there["HX-Redirect"] == "http://stripe.test/c/pay/1"


def test_who_waits_for_the_payment_gets_nothing_anew_until_there_is_news(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    address = f"{reverse('thank_you')}?session_id={order_for(customer, shirt).session_id}"
    asks = {"HX-Request": "true"}

    still = customer.get(address, headers=asks)
    fake.pay(only_order().session_id or "")
    deliver(fake)
    there = customer.get(address, headers=asks)

    assert (still.status_code, still.content) == (204, b"")
    assert there.status_code == 200 and "Your payment has arrived" in there.content.decode()


def test_the_thank_you_page_tells_that_the_cart_is_empty_now(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_for(customer, shirt)
    fake.pay(only_order().session_id or "")
    deliver(fake)

    answer = customer.get(
        reverse("thank_you"), {"session_id": only_order().session_id or ""}, headers={"HX-Request": "true"}
    )

    assert json.loads(answer["HX-Trigger"]) == {"cart-changed": {"units": 0}}
