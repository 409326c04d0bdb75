"""The page of an order: who sees it, what it says in each state, and what a wrong link shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import Settings

from checkout.models import Order
from checkout.order_links import order_of_token, order_path, order_token, order_url
from checkout.orders import shipping
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


@pytest.mark.parametrize(
    ("language", "day", "moment"),
    [
        ("en", "Nov 28, 2026", "Nov 28, 14:35"),
        ("de", "28. November 2026", "28. November, 14:35"),
        ("fr", "28 novembre 2026", "28 novembre, 14:35"),
    ],
)
def test_dates_are_written_as_the_language_writes_them(
    paid: Order, settings: Settings, language: str, day: str, moment: str
) -> None:
    settings.SHOP_LANGUAGES, settings.TIME_ZONE = ["en", "de", "fr"], "UTC"
    Order.objects.update(
        **dict.fromkeys(("created_at", "paid_at"), datetime(2026, 11, 28, 14, 35, tzinfo=UTC))
    )

    prefix = "" if language == "en" else f"/{language}"
    page = Client(headers={"Accept-Language": language}).get(prefix + order_path(paid)).content.decode()

    assert f">{day}</time>" in page and f">{moment}</time>" in " ".join(page.split())


def test_the_thank_you_page_links_to_it_for_the_one_who_ordered(
    paid: Order, customer: Customer, other_customer: Customer
) -> None:
    assert "View your order" in customer.come_back(paid).content.decode()
    assert "View your order" not in other_customer.come_back(paid).content.decode()


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


# --- States -----------------------------------------------------------------------------------


def page_of(order: Order) -> str:
    """The text of the page's main part."""
    html = Client().get(order_path(order)).content.decode()
    return " ".join(strip_tags(html.split("<main")[1].split("</main")[0]).split())


def test_each_state_says_what_happens_next(fake: FakeStripe, shirt: Product, paid: Order) -> None:
    assert "Paid, and soon to be packed" in page_of(paid) and "Packed not yet Sent not yet" in page_of(paid)
    shipping.mark_packed([paid.pk], actor="ada", now=timezone.now())
    assert "Your parcel is ready" in page_of(paid)
    shipping.mark_sent(paid.pk, carrier="dhl", tracking_number="JD0140", actor="ada", now=timezone.now())
    page = page_of(paid)
    assert "Your parcel has left us with DHL: JD0140. Follow the parcel" in page and "not yet" not in page
    fake.refund(payment_intent=paid.payment_intent_id, amount=1000)
    deliver(fake)
    assert "$10.00 of your payment were refunded." in page_of(paid) and "On its way to you" in page_of(paid)
    fake.refund(payment_intent=paid.payment_intent_id, amount=4000)
    deliver(fake)
    assert "You get back all that you paid." in page_of(paid)


def test_a_parcel_without_a_number_or_with_an_unknown_carrier_has_no_link(paid: Order) -> None:
    shipping.mark_sent(paid.pk, actor="ada", now=timezone.now())
    assert "Your parcel has left us." in page_of(paid) and "Follow" not in page_of(paid)

    shipping.mark_sent(paid.pk, carrier="other", tracking_number="X1", actor="ada", now=timezone.now())
    assert "Another carrier: X1." in page_of(paid) and "Follow" not in page_of(paid)


def test_an_order_that_was_not_paid_says_so(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = order_for(customer, shirt, "M", 1)
    assert "Not paid yet" in page_of(order) and "Total" not in page_of(order)

    fake.expire(order.session_id or "")
    deliver(fake)

    page = page_of(order)
    assert (
        "The payment page was closed or has expired. Nothing was charged" in page
        and "Cancel this" not in page
    )


@pytest.mark.parametrize(
    ("succeeds", "text"), [(True, "soon to be packed"), (False, "Your bank did not transfer")]
)
def test_a_payment_by_bank_waits_and_then_arrives_or_not(
    fake: FakeStripe, shirt: Product, customer: Customer, succeeds: bool, text: str
) -> None:
    order = order_for(customer, shirt, "M", 1)
    fake.pay(order.session_id or "", delayed=True)
    deliver(fake)
    assert "Waiting for your bank" in page_of(order)

    fake.settle_delayed(order.session_id or "", succeeded=succeeds)
    deliver(fake)

    assert text in page_of(order)


def test_names_and_texts_from_outside_are_escaped(paid: Order) -> None:
    paid.lines.update(name="<script>alert(1)</script>")
    Order.objects.update(address={"name": "<b>Ada</b>", "line1": "{{ 7|add:7 }}"})

    html = Client().get(order_path(paid)).content.decode()
    assert "<script>alert" not in html and "<b>Ada" not in html and "{{ 7|add:7 }}" in html


def test_methods_that_change_nothing_are_refused(paid: Order) -> None:
    assert Client().post(order_path(paid)).status_code == 405
    assert Client().head(order_path(paid)).status_code == 200


def test_forms_are_checked_for_their_origin(paid: Order) -> None:
    strict = Client(enforce_csrf_checks=True)

    assert strict.post(reverse("order_cancel", args=[order_token(paid)])).status_code == 403
    assert not paid.requests.exists()
