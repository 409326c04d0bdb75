"""The page of an order: who sees it, what it says in each state, and what a wrong link shows."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from checkout.models import Order
from checkout.orders.links import order_of_token, order_path, order_token, order_url
from checkout.tests.conftest import Customer, deliver, order_for
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """Two shirts of size M for Ada Lovelace."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")
    deliver(fake)
    order.refresh_from_db()
    return order


def test_the_link_alone_shows_the_order(paid: Order, settings: Settings) -> None:
    answer = Client().get(order_path(paid))

    page = answer.content.decode()
    assert paid.number in page and "BALM T-Shirt" in page and "$50.00" in page
    assert order_url(paid).startswith(f"{settings.SITE_URL}/order/")


def test_the_thank_you_page_links_to_it_for_the_one_who_ordered(
    paid: Order, customer: Customer, other_customer: Customer
) -> None:
    assert "/order/" in customer.come_back(paid).content.decode()
    assert "/order/" not in other_customer.come_back(paid).content.decode()


def test_the_page_is_kept_by_no_cache_and_no_search_engine_and_names_itself_to_no_other_site(
    paid: Order,
) -> None:
    for path in (order_path(paid), reverse("order_page", args=["forged"])):
        answer = Client().get(path)
        assert "no-store" in answer["Cache-Control"]
        assert "noindex" in answer["X-Robots-Tag"]
        assert answer["Referrer-Policy"] == "no-referrer"
        assert '<meta name="robots" content="noindex, nofollow">' in answer.content.decode()


def test_a_wrong_link_shows_the_same_page_whatever_is_wrong_with_it(paid: Order, settings: Settings) -> None:
    token = order_token(paid)
    unknown = order_token(Order(currency="usd"))
    with time_machine.travel(timezone.now() - timedelta(days=settings.ORDER_LINK_DAYS + 1)):
        expired = order_token(paid)
    with_other_key = "x".join(token.rpartition(".")[::2])
    wrong = [
        token[:-1],
        token[:20],
        token[1:],
        with_other_key,
        expired,
        unknown,
        "x",
        "." * 70,
        "x" * 500,
        "é.ü.ß",
    ]

    answers = [Client().get(reverse("order_page", args=[each])) for each in wrong]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert "BALM" not in answers[0].content.decode()


def test_a_link_signed_with_an_earlier_key_works_until_the_key_is_removed(
    paid: Order, settings: Settings
) -> None:
    token = order_token(paid)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
    assert order_of_token(token) == paid

    settings.SECRET_KEY_FALLBACKS = []
    assert order_of_token(token) is None
