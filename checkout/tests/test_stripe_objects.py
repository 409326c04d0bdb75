"""Sessions with odd or missing fields in a signed event: the event is stored, and the sale is never counted wrongly."""

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

from checkout import gateway
from checkout.models import Order
from checkout.stripe_objects import line_from
from checkout.tests.conftest import only_order
from checkout.tests.test_external_orders import a_line, open_externally, sales
from fake_stripe import FakeStripe
from inventory import worker
from inventory.events import inbox
from inventory.models import Issue, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db

COMPLETED = "checkout.session.completed"
TOO_LONG = "x" * 300  # Ids are stored in columns of 255. SQLite does not check the length, PostgreSQL does.


@pytest.fixture
def event(fake: FakeStripe, shirt: Product) -> dict[str, Any]:
    """The event of two Medium shirts sold by a payment link, not delivered yet."""
    fake.pay(open_externally(fake, [a_line(shirt, 2, "M")]))
    (completed,) = [event for event in fake.events.values() if event["type"] == COMPLETED]
    return copy.deepcopy(completed)


def handle(event: dict[str, Any], **changes: Any) -> StripeEvent:
    """Deliver the event with other fields in its session (`...`: missing) and handle it."""
    session = event["data"]["object"] | changes
    event["data"]["object"] = {name: value for name, value in session.items() if value is not ...}
    inbox.store_events([event])
    worker.drain()
    return StripeEvent.objects.get(pk=event["id"])


def test_a_session_in_setup_mode_sells_nothing(
    event: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        stored = handle(event, mode="setup", payment_intent=None)

    assert stored.state == "handled"
    assert "is of mode setup" in caplog.text
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
        {"payment_intent": TOO_LONG},
        {"payment_intent": {"id": TOO_LONG}},
        {"client_reference_id": {"a": 1}},
    ],
    ids=lambda odd: str(odd)[:60],
)
def test_odd_fields_that_do_not_matter_do_not_prevent_a_sale_from_being_counted(
    event: dict[str, Any], odd: dict[str, Any]
) -> None:
    stored = handle(event, **odd)

    assert (stored.state, stored.error) == ("handled", "")
    assert sales() == [("prod_balm", "M", 2)]
    assert_shown_in_the_admin(only_order())


def test_an_id_that_is_too_long_reads_as_empty(event: dict[str, Any]) -> None:
    handle(event, payment_intent=TOO_LONG)

    assert only_order().payment_intent_id == ""


@pytest.mark.parametrize(
    "odd",
    [
        {"price": {"id": TOO_LONG, "unit_amount": 10**30}},
        {"price": {"unit_amount": "2500", "product": TOO_LONG}},
        {"price": None, "description": "x" * 6000},
    ],
    ids=lambda odd: str(odd)[:60],
)
def test_an_odd_line_does_not_prevent_another_line_from_being_counted(
    event: dict[str, Any], odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    session_lines, odd_line = gateway.session_lines, line_from({"quantity": 1, **odd})
    monkeypatch.setattr(gateway, "session_lines", lambda session_id: [*session_lines(session_id), odd_line])

    stored = handle(event)

    assert (stored.state, stored.error) == ("handled", "")
    assert sales() == [("prod_balm", "M", 2)]
    line = only_order().lines.get(position=1)
    assert (line.unit_amount, line.price_id) == (None, "") and len(line.name) in {0, 5000}
    assert_shown_in_the_admin(only_order())


def test_a_session_whose_own_id_is_too_long_opens_an_issue(event: dict[str, Any]) -> None:
    """Cut to the same id, two of them would become one order."""
    event["data"]["object"]["id"] = TOO_LONG
    inbox.store_events([event])

    for hour in range(1, 12):
        inbox.process_local(timezone.now() + timedelta(hours=hour))

    assert "255" in Issue.objects.get(kind="event_failed").text
    assert sales() == [] and not Order.objects.exists()


def assert_shown_in_the_admin(order: Order) -> None:
    owner = Client()
    owner.force_login(User.objects.create_superuser("owner"))
    for address in (
        reverse("admin:checkout_order_changelist"),
        reverse("admin:checkout_order_change", args=[order.pk]),
    ):
        assert owner.get(address).status_code == 200


@pytest.mark.parametrize("missing", ["status", "payment_status"])
def test_an_event_without_the_outcome_of_its_session_is_completed_from_stripe(
    event: dict[str, Any], missing: str
) -> None:
    """Events of the oldest API versions have no status."""
    assert handle(event, **{missing: ...}).state == "handled"

    assert sales() == [("prod_balm", "M", 2)]
    assert only_order().state == "paid"


def test_a_session_without_lines_sold_nothing(
    event: dict[str, Any], fake: FakeStripe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fake_stripe.resources.line_items.lines_of", lambda call, session: [])

    with caplog.at_level(logging.INFO):
        stored = handle(event)

    assert stored.state == "handled" and "sold nothing that is counted here" in caplog.text
    assert sales() == []


@pytest.mark.parametrize(
    "data", [{}, {"object": None}, {"object": {"object": "checkout.session"}}, "x", None]
)
def test_an_event_without_its_session_is_stored_and_opens_an_issue(event: dict[str, Any], data: Any) -> None:
    event["data"] = data
    inbox.store_events([event])

    for hour in range(1, 12):
        inbox.process_local(timezone.now() + timedelta(hours=hour))

    assert StripeEvent.objects.get(pk=event["id"]).state == "failed"
    assert Issue.objects.get().subject == event["id"]
    assert sales() == []
