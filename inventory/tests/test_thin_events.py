"""Thin events of API v2, the payload style that Stripe recommends for new endpoints, and events of connected accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from config import stripe_client
from fake_stripe import FakeStripe
from inventory import gateway, issues
from inventory.events import inbox
from inventory.models import Issue, StripeEvent
from inventory.tests.factories import Shirt, raising
from inventory.tests.test_webhook import an_event, post
from inventory.worker import drain

pytestmark = pytest.mark.django_db


@pytest.fixture
def thin(fake: FakeStripe) -> FakeStripe:
    """The account's only endpoint has the payload style “thin”."""
    for endpoint in fake.webhook_endpoints:
        fake.call("DELETE", f"/v1/webhook_endpoints/{endpoint}")
    fake.add_webhook_endpoint("http://testserver/stripe/webhook/", secret="whsec_test", thin=True)
    return fake


def a_thin_event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_65thin",
        "object": "v2.core.event",
        "type": "v1.product.updated",
        "created": "2026-10-28T10:00:00.000Z",
        "livemode": False,
        "context": None,
        "related_object": {"id": "prod_a", "type": "product", "url": "/v1/products/prod_a"},
        **changes,
    }


def test_an_edit_reported_by_a_thin_event_is_counted_once(
    thin: FakeStripe, new_shirt: Callable[..., Shirt]
) -> None:
    shirt = new_shirt(M=15)
    shirt.sync()
    shirt.settle()

    shirt.edit(M=25)
    shirt.settle()

    assert shirt.movements("M", "edited") == [10]
    assert shirt.is_at_rest()
    delivered = StripeEvent.objects.filter(type="v1.product.updated").values_list("state", "object_id")
    assert set(delivered) == {("handled", "prod_shirt")}
    assert not Issue.objects.exists()


def test_a_thin_event_beside_its_snapshot_event_changes_nothing(
    fake: FakeStripe, new_shirt: Callable[..., Shirt]
) -> None:
    """Stripe's guide for the migration runs both destinations for a while."""
    fake.add_webhook_endpoint("http://testserver/stripe/webhook/", secret="whsec_test", thin=True)
    shirt = new_shirt(M=15)
    shirt.sync()
    shirt.settle()

    shirt.edit(M=25)
    shirt.settle()

    assert shirt.movements("M", "edited") == [10]


def test_a_delivery_that_names_its_snapshot_event_takes_one_request(shirt: Shirt, fake: FakeStripe) -> None:
    shirt.edit(M=25)
    snapshot = list(fake.events)[-1]
    post(a_thin_event(snapshot_event=snapshot))
    fake.forget_calls()

    with inbox.allow_stripe_calls():
        assert inbox.handle("evt_65thin", timezone.now())

    assert [call.path for call in fake.calls] == [f"/v1/events/{snapshot}"]
    assert StripeEvent.objects.get(pk=snapshot).state == "waiting"


def test_a_thin_event_is_stored_with_its_object_and_time() -> None:
    assert post(a_thin_event()).status_code == 200

    stored = StripeEvent.objects.get()
    assert (stored.object_id, stored.created_at.isoformat()) == ("prod_a", "2026-10-28T10:00:00+00:00")


@pytest.mark.parametrize("type", ["v1.customer.created", "v2.core.event_destination.ping", ""])
def test_a_thin_event_of_another_kind_needs_no_call(fake: FakeStripe, type: str) -> None:
    post(a_thin_event(type=type))

    inbox.process_local(timezone.now())

    assert StripeEvent.objects.get().state == "handled"
    assert not fake.calls


def test_a_thin_event_without_a_snapshot_becomes_an_issue_that_names_the_remedy(
    fake: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_ATTEMPTS", 1)
    monkeypatch.setattr(gateway, "snapshot_event_of", raising(gateway.NoSnapshotEvent("Choose “snapshot”.")))
    post(a_thin_event())

    drain()

    assert StripeEvent.objects.get().state == "failed"
    assert "Choose “snapshot”." in Issue.objects.get(kind=Issue.Kind.EVENT_FAILED).text


def test_a_thin_event_waits_while_the_key_may_not_read_events(
    fake: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(a_thin_event())
    denied = stripe_client.PermissionDenied("may not read events")
    monkeypatch.setattr(gateway, "snapshot_event_of", raising(denied))

    drain()

    assert StripeEvent.objects.get().state == "waiting"
    assert issues.is_open(*inbox.KEY_ISSUE)


@pytest.mark.parametrize(
    "event",
    [an_event(account="acct_other"), a_thin_event(context="acct_other")],
    ids=["snapshot", "thin"],
)
def test_an_event_of_a_connected_account_is_ignored_and_logged(
    event: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    answer = post(event)

    assert answer.status_code == 200
    assert answer.content.startswith(b"Ignored") and b"acct_other" in answer.content
    assert not StripeEvent.objects.exists()
    assert "acct_other" in caplog.text


def test_a_connected_account_cannot_edit_a_product_of_ours_with_the_same_id(shirt: Shirt) -> None:
    shirt.edit(M=99)
    copied = max(
        (event for event in shirt.fake.events.values() if event["type"] == "product.updated"),
        key=lambda event: event["created"],
    )
    post({**copied, "id": "evt_of_another_account", "account": "acct_other"})
    inbox.process_local(timezone.now())

    assert shirt.movements("M", "edited") == []
