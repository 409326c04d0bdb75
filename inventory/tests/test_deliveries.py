"""The issue and the panel when no delivery of Stripe arrives."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import OperationalError
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from fake_stripe import FakeStripe
from inventory import admin_panels, deliveries, gateway
from inventory.models import DeliveryStatus, Issue
from inventory.stripe_sync import missed_events
from inventory.tests.factories import Shirt, raising
from inventory.tests.test_webhook import an_event, post

pytestmark = pytest.mark.django_db

BEGAN = datetime.fromisoformat("2026-11-28T08:00:00+00:00")


@pytest.fixture(autouse=True)
def written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each delivery is recorded, not one a minute."""
    monkeypatch.setattr(deliveries, "WRITE_INTERVAL", 0)


@pytest.fixture(autouse=True)
def confirmed_by_stripe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's list has an event that waits. What it says otherwise is in test_alarms.py."""
    monkeypatch.setattr(gateway, "has_undelivered_events", lambda types, *, since, until: True)


def deliver_at(*minutes: int, secret: str) -> None:
    for minute in minutes:
        with time_machine.travel(BEGAN + timedelta(minutes=minute), tick=False):
            post(an_event(f"evt_{minute}"), secret=secret)


def check_at(minute: int) -> str:
    """The text of the open issue after the check, or ""."""
    with time_machine.travel(BEGAN + timedelta(minutes=minute), tick=False):
        deliveries.check(timezone.now())
    return "".join(Issue.objects.filter(closed_at=None).values_list("text", flat=True))


def test_an_hour_of_refused_deliveries_is_an_issue_with_reason_and_remedy() -> None:
    deliver_at(0, 30, secret="whsec_wrong")
    assert check_at(59) == ""

    deliver_at(60, secret="whsec_wrong")
    text = check_at(61)

    assert "Since 2026-11-28 08:00:00 UTC every delivery" in text
    assert "matches no secret in STRIPE_WEBHOOK_SECRET" in text and "Compare the endpoint" in text
    panel = admin_panels.deliveries_panel(RequestFactory().get("/admin/"))
    assert panel is not None and panel["level"] == "error" and panel["text"] == text
    assert check_at(62) == text


def test_the_issue_closes_once_a_delivery_is_accepted() -> None:
    deliver_at(0, 60, secret="whsec_wrong")
    assert check_at(61)

    deliver_at(62, secret="whsec_test")

    assert check_at(63) == ""
    assert admin_panels.deliveries_panel(RequestFactory().get("/admin/")) is None
    deliver_at(64, 90, secret="whsec_wrong")
    assert check_at(91) == ""


def test_refused_deliveries_beside_accepted_ones_are_no_issue() -> None:
    """A stranger, or an endpoint of the other mode with the same address."""
    deliver_at(0, 30, 59, secret="whsec_wrong")
    deliver_at(60, secret="whsec_test")
    deliver_at(61, 90, secret="whsec_wrong")

    assert check_at(90) == ""


def test_a_post_without_a_signature_is_not_a_delivery() -> None:
    for minute in (0, 60):
        with time_machine.travel(BEGAN + timedelta(minutes=minute), tick=False):
            post(an_event(), signature="")

    assert check_at(61) == ""
    assert not DeliveryStatus.objects.exists()


def test_a_clock_that_is_off_is_named() -> None:
    for minute in (0, 60):
        with time_machine.travel(BEGAN + timedelta(minutes=minute), tick=False):
            post(an_event(), age=-400)

    assert "400 s in the future; check this machine's clock." in check_at(61)


def test_a_flood_of_refusals_writes_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: object
) -> None:
    monkeypatch.setattr(deliveries, "WRITE_INTERVAL", 60)
    monkeypatch.setitem(deliveries._written_at, "refused", float("-inf"))
    deliver_at(0, secret="whsec_wrong")

    with django_assert_num_queries(0):  # type: ignore[operator]
        deliver_at(1, 2, 3, secret="whsec_wrong")


def test_a_delivery_is_answered_even_if_its_outcome_cannot_be_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DeliveryStatus.objects, "update", raising(OperationalError("locked")))

    assert post(an_event()).status_code == 200
    assert post(an_event(), secret="whsec_wrong").status_code == 400


def test_edits_found_only_in_two_listings_are_an_issue_that_names_the_address(
    shirt: Shirt, fake: FakeStripe, settings: Settings
) -> None:
    """No delivery reaches the shop at all, for example because its address has changed."""
    fake.faults.add("drop", types=["*"], times=None)
    now = timezone.now()
    for hour in (1, 2):
        fake.dashboard.edit_product(shirt.product_id, metadata={"stock_M": str(20 + hour)})
        with time_machine.travel(now + timedelta(hours=hour), tick=False):
            missed_events.fetch_product_events(timezone.now())
            deliveries.check(timezone.now())
        assert Issue.objects.filter(kind=Issue.Kind.NO_DELIVERIES).count() == hour - 1

    text = Issue.objects.get(kind=Issue.Kind.NO_DELIVERIES).text
    assert f"no delivery arrives at {settings.SITE_URL}/stripe/webhook/" in text


def test_an_event_that_is_still_on_its_way_is_not_missed(shirt: Shirt, fake: FakeStripe) -> None:
    fake.dashboard.edit_product(shirt.product_id, metadata={"stock_M": "20"})

    missed_events.fetch_product_events(timezone.now())

    assert not DeliveryStatus.objects.exclude(missed_since=None).exists()
