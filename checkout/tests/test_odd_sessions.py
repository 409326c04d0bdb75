"""What if a signed event of a session says odd things, or too little? It is remembered and explained, and never counted wrongly."""

from __future__ import annotations

import copy
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from checkout.models import Order
from checkout.tests.conftest import only_order
from checkout.tests.test_elsewhere import a_line, open_elsewhere, sales
from fake_stripe import FakeStripe
from inventory import inbox, worker
from inventory.models import Case, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db

COMPLETED = "checkout.session.completed"


@pytest.fixture
def event(fake: FakeStripe, shirt: Product) -> dict[str, Any]:
    """What Stripe tells of two Medium shirts that were sold by a payment link; nobody has heard it yet."""
    fake.pay(open_elsewhere(fake, [a_line(shirt, 2, "M")]))
    (told,) = [each for each in fake.events.values() if each["type"] == COMPLETED]
    return copy.deepcopy(told)


def heard(event: dict[str, Any], **changes: Any) -> StripeEvent:
    """The event with other fields in its session (`...`: not there at all), once it was worked on."""
    session = event["data"]["object"] | changes
    event["data"]["object"] = {name: value for name, value in session.items() if value is not ...}
    inbox.remember([event])
    worker.drain()
    return StripeEvent.objects.get(pk=event["id"])


@pytest.mark.parametrize("mode", ["subscription", "setup"])
def test_a_session_of_another_mode_takes_nothing_from_the_shelf(
    event: dict[str, Any], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A subscription to a product is no parcel of it."""
    with caplog.at_level(logging.INFO):
        remembered = heard(event, mode=mode, payment_intent=None)

    assert remembered.state == "handled"
    assert f"is of mode {mode}" in caplog.text
    assert sales() == [] and not Order.objects.exists()


@pytest.mark.parametrize(
    "odd",
    [
        {"mode": ...},
        {"currency": None},
        {"currency": "zzz"},
        {"currency": "tooLong"},
        {"currency": 7},
        {"amount_total": 10**30},
        {"amount_total": "12"},
        {"amount_total": 1.5},
        {"metadata": None},
        {"metadata": "x"},
        {"metadata": {"order": 5}},
        {"custom_fields": "x"},
        {"custom_fields": [5, {"type": ["text"]}]},
        {"customer_details": "x"},
        {"customer_details": {"email": "x" * 300, "address": "y"}},
        {"collected_information": 3},
        {"total_details": ["x"]},
        {"created": "x"},
        {"expires_at": 10**20},
        {"payment_intent": {"id": "pi_1", "latest_charge": {"created": "x"}}},
        {"client_reference_id": {"a": 1}},
    ],
    ids=str,
)
def test_what_is_odd_and_does_not_matter_keeps_no_sale_from_being_counted(
    event: dict[str, Any], odd: dict[str, Any]
) -> None:
    remembered = heard(event, **odd)

    assert (remembered.state, remembered.error) == ("handled", "")
    assert sales() == [("prod_balm", "M", 2)]
    _the_owner_can_see_it(only_order())


def _the_owner_can_see_it(order: Order) -> None:
    owner = Client()
    owner.force_login(User.objects.create_superuser("owner"))
    for address in (
        reverse("admin:checkout_order_changelist"),
        reverse("admin:checkout_order_change", args=[order.pk]),
    ):
        assert owner.get(address).status_code == 200


@pytest.mark.parametrize("silent", ["status", "payment_status"])
def test_an_event_that_does_not_say_how_its_session_ended_is_answered_by_stripe(
    event: dict[str, Any], silent: str
) -> None:
    """Events of the oldest API versions have no status."""
    assert heard(event, **{silent: ...}).state == "handled"

    assert sales() == [("prod_balm", "M", 2)]
    assert only_order().state == "paid"


def test_a_session_without_lines_sold_nothing(
    event: dict[str, Any], fake: FakeStripe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fake_stripe.resources.line_items.lines_of", lambda call, session: [])

    with caplog.at_level(logging.INFO):
        remembered = heard(event)

    assert remembered.state == "handled" and "sold nothing that is counted here" in caplog.text
    assert sales() == []


@pytest.mark.parametrize(
    "data", [{}, {"object": None}, {"object": {"object": "checkout.session"}}, "x", None]
)
def test_an_event_without_its_session_is_remembered_and_becomes_a_case(
    event: dict[str, Any], data: Any
) -> None:
    event["data"] = data
    inbox.remember([event])

    for hour in range(1, 12):
        inbox.handle_waiting(timezone.now() + timedelta(hours=hour))

    assert StripeEvent.objects.get(pk=event["id"]).state == "failed"
    assert Case.objects.get().subject == event["id"]
    assert sales() == []
