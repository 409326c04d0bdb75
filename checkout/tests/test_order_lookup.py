"""Guest look-up: the same answer and the same work for any pair, a link by mail for the right one, and limits."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from checkout.mail.render import Renderer
from checkout.models import CustomerMail, Order, OrderLookup
from checkout.orders import lookup
from checkout.tests.conftest import Customer, deliver, order_for
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = pytest.mark.django_db

EMAIL = "ada@example.com"


@pytest.fixture(autouse=True)
def mails_on(settings: Settings) -> None:
    settings.CUSTOMER_MAILS_OFF = []


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email=EMAIL, name="Ada Lovelace")
    deliver(fake)
    order.refresh_from_db()
    return order


def find(email: str, number: str, *, address: str = "") -> tuple[int, str]:
    """Status and text of the page after the form was sent."""
    form = {"email": email, "number": number}
    answer = Client().post(reverse("order_find"), form, follow=True, headers={"X-Forwarded-For": address})
    return answer.status_code, answer.content.decode()


def links() -> list[str]:
    """The addresses that were sent a link, after the worker's next round."""
    lookup.answer_lookups(timezone.now())
    return list(CustomerMail.objects.filter(kind="order_link").values_list("to", flat=True))


def test_the_right_pair_gets_the_link_by_mail(paid: Order) -> None:
    status, page = find(EMAIL, paid.number)

    assert status == 200 and "Please check your mail" in page and paid.number not in page
    assert links() == [EMAIL]


def test_the_link_of_the_mail_opens_the_order(paid: Order, settings: Settings) -> None:
    find(EMAIL, paid.number)
    links()

    mail = Renderer.load().render(CustomerMail.objects.get(kind="order_link"))

    (address,) = re.findall(rf"{settings.SITE_URL}(/order/\S+)", mail.text)
    assert f'href="{settings.SITE_URL}{address}"' in mail.html
    assert paid.number in Client().get(address).content.decode()


@pytest.mark.parametrize("typed", ["#{}", " {} ", "{}".lower()])
def test_number_and_address_may_be_typed_in_many_ways(paid: Order, typed: str) -> None:
    find("ADA@Example.COM", typed.format(paid.number).lower())

    assert links() == [EMAIL]


def test_any_pair_gets_the_same_answer_by_the_same_statements(paid: Order) -> None:
    pairs = [
        (EMAIL, paid.number),
        (EMAIL, "00000000"),
        ("eve@example.com", paid.number),
        ("x@y.example", "FFFFFFFF"),
    ]
    answers, statements = set(), set()
    Client().get(reverse("order_find"))
    for email, number in pairs:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answers.add(find(email, number))
        statements.add(tuple(query["sql"].split("WHERE")[0].split("VALUES")[0] for query in queries))
        assert not any(
            "checkout_order" in query["sql"].replace("checkout_orderlookup", "") for query in queries
        )

    assert len(answers) == 1 and len(statements) == 1
    assert links() == [EMAIL]


def test_what_was_typed_is_forgotten_once_it_is_answered(paid: Order) -> None:
    find("eve@example.com", paid.number)
    assert OrderLookup.objects.get().email == "eve@example.com"

    links()

    row = OrderLookup.objects.get()
    assert (row.email, row.number) == ("", "") and "eve" not in row.email_digest
    assert lookup.forget_lookups(timezone.now()) == 0
    assert lookup.forget_lookups(timezone.now() + timedelta(days=2)) == 1


def test_the_mails_with_links_are_forgotten_after_90_days_and_others_kept(paid: Order) -> None:
    find(EMAIL, paid.number)
    links()
    others = CustomerMail.objects.exclude(kind="order_link").count()
    CustomerMail.objects.filter(kind="order_link").update(state=CustomerMail.State.SENT)

    lookup.forget_lookups(timezone.now() + timedelta(days=89))
    assert CustomerMail.objects.filter(kind="order_link").count() == 1
    CustomerMail.objects.filter(kind="order_link").update(state=CustomerMail.State.QUEUED)
    lookup.forget_lookups(timezone.now() + timedelta(days=91))
    assert CustomerMail.objects.filter(kind="order_link").count() == 1
    CustomerMail.objects.filter(kind="order_link").update(state=CustomerMail.State.SENT)
    lookup.forget_lookups(timezone.now() + timedelta(days=91))

    assert CustomerMail.objects.count() == others > 0


def test_a_look_up_is_answered_once(paid: Order) -> None:
    find(EMAIL, paid.number)

    assert lookup.answer_lookups(timezone.now()) == 1
    assert lookup.answer_lookups(timezone.now()) == 0
    assert links() == [EMAIL]


def test_an_order_without_an_address_is_never_found(paid: Order) -> None:
    Order.objects.update(email="")
    lookup.look_up("", paid.number, network="", now=timezone.now())

    assert links() == []


@pytest.mark.parametrize(
    ("email", "number"),
    [
        ("ada@example.com\nBcc: eve@example.com", "1A2B3C4D"),
        ("ada@example.com\r\nSubject: x", "1A2B3C4D"),
        ("ada", "1A2B3C4D"),
        ("", ""),
        (EMAIL, "1A2B3C4"),
        (EMAIL, "1A2B3C4D'--"),
        (EMAIL, "GGGGGGGG"),
        (EMAIL, "٣" * 8),
        (EMAIL, "1A2B\x003C4D"),
        ("a@" + "b" * 300 + ".example", "1A2B3C4D"),
    ],
)
def test_bad_input_gets_a_message_and_is_not_saved(db: None, email: str, number: str) -> None:
    status, page = find(email, number)

    assert status == 400 and "field__error" in page
    assert not OrderLookup.objects.exists()


def test_an_address_is_limited_whether_or_not_it_has_an_order(paid: Order) -> None:
    for email in (EMAIL, "eve@example.com"):
        statuses = [find(email, f"0000000{each}")[0] for each in range(lookup.PER_EMAIL + 1)]
        assert statuses == [200] * lookup.PER_EMAIL + [429]
    assert OrderLookup.objects.count() == 2 * lookup.PER_EMAIL


def test_numbers_cannot_be_tried_from_one_network(paid: Order, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    statuses = [
        find(f"a{each}@example.com", paid.number, address="192.0.2.1")[0]
        for each in range(lookup.PER_NETWORK + 1)
    ]

    assert statuses == [200] * lookup.PER_NETWORK + [429]
    assert find(EMAIL, paid.number, address="192.0.2.2")[0] == 200


def test_a_limit_says_when_to_try_again_and_ends_after_an_hour(
    paid: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "IN_ALL", 1)
    find("eve@example.com", "00000000")

    answer = Client().post(reverse("order_find"), {"email": EMAIL, "number": paid.number})
    assert (answer.status_code, answer["Retry-After"]) == (429, "3600")

    OrderLookup.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    assert find(EMAIL, paid.number)[0] == 200


def test_a_mailbox_gets_a_few_links_a_day_however_many_are_asked_for(paid: Order) -> None:
    for _time in range(lookup.MAILS_PER_ORDER + 3):
        lookup.look_up(EMAIL, paid.number, network="", now=timezone.now())
        OrderLookup.objects.update(created_at=timezone.now() - timedelta(minutes=61))
        lookup.answer_lookups(timezone.now())

    assert len(links()) == lookup.MAILS_PER_ORDER


def test_without_a_mail_server_the_page_promises_no_mail(paid: Order, settings: Settings) -> None:
    settings.CUSTOMER_MAILS_OFF = ["order_link"]

    page = Client().get(reverse("order_find")).content.decode()
    status, _page = find(EMAIL, paid.number)

    assert "send us the receipt" in page and "<form" not in page.split("<main")[1].split("</main")[0]
    assert status == 503 and not OrderLookup.objects.exists()
