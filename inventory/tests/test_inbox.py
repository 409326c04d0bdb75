"""Handling of stored events: leases, retries, failures, replays."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.stripe_client import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidRequest,
    NotConfigured,
    PermissionDenied,
)
from config.stripe_events import EVENTS
from inventory.events import inbox
from inventory.models import Issue, StripeEvent

pytestmark = pytest.mark.django_db

Handler = Any


def stored(event_id: str = "evt_1", event_type: str = "test.happened") -> StripeEvent:
    inbox.store_events([{"id": event_id, "type": event_type, "created": 1, "data": {"object": {"id": "x"}}}])
    return StripeEvent.objects.get(pk=event_id)


@pytest.fixture(autouse=True)
def a_type_with_a_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENTS, "test.happened", ["the handler"])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Event ids passed to the handler of test.happened."""
    seen: list[str] = []
    handled_by(monkeypatch, lambda event: seen.append(event.pk))
    return seen


def handled_by(monkeypatch: pytest.MonkeyPatch, handler: Handler) -> None:
    monkeypatch.setattr(inbox, "import_string", {"the handler": handler}.__getitem__)


def test_a_waiting_event_is_handled_once(calls: list[str]) -> None:
    event, now = stored(), timezone.now()

    assert inbox.process_local(now) == 1
    assert inbox.process_local(now) == 0

    event.refresh_from_db()
    assert calls == ["evt_1"]
    assert event.state == "handled" and event.handled_at is not None


def test_a_long_list_is_stored_in_statements_that_every_database_takes() -> None:
    many = [
        {"id": f"evt_{number}", "type": "test.happened"} for number in range(2 * inbox.INSERT_BATCH_SIZE + 1)
    ]

    with CaptureQueriesContext(connection) as queries:
        assert len(inbox.store_events(many)) == len(many)

    assert len([query for query in queries if query["sql"].startswith("INSERT")]) == 3
    assert inbox.store_events(many) == []


def test_a_lease_from_before_the_clock_was_set_back_blocks_nothing(calls: list[str]) -> None:
    stored()
    StripeEvent.objects.update(lease_until=timezone.now() + timedelta(days=365))

    inbox.process_local(timezone.now())

    assert calls == ["evt_1"]


def test_an_event_without_a_handler_counts_as_handled() -> None:
    event = stored(event_type="invoice.paid")

    inbox.process_local(timezone.now())

    event.refresh_from_db()
    assert event.state == "handled"


def test_an_event_that_another_worker_has_leased_is_left_alone(calls: list[str]) -> None:
    stored()
    StripeEvent.objects.update(lease_until=timezone.now() + timedelta(seconds=30))

    assert inbox.process_local(timezone.now()) == 0
    assert calls == []


def test_an_event_whose_worker_died_is_taken_over_when_the_lease_expires(calls: list[str]) -> None:
    stored()
    StripeEvent.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert inbox.process_local(timezone.now()) == 1
    assert calls == ["evt_1"]


def test_a_failure_is_stored_with_its_event_and_retried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    event, now, broken = stored(), timezone.now(), [True]

    def handler(event: StripeEvent) -> None:
        if broken:
            raise ZeroDivisionError("no")

    handled_by(monkeypatch, handler)
    inbox.process_local(now)
    event.refresh_from_db()
    assert event.state == "waiting" and event.error == "ZeroDivisionError: no"
    assert event.next_attempt_at > now

    broken.clear()
    assert inbox.process_local(now) == 0
    inbox.process_local(event.next_attempt_at)
    event.refresh_from_db()
    assert event.state == "handled" and event.error == ""


def fail_many_times(monkeypatch: pytest.MonkeyPatch, error: Exception, attempts: int = 30) -> datetime:
    def handler(event: StripeEvent) -> None:
        raise error

    handled_by(monkeypatch, handler)
    now = timezone.now()
    for _attempt in range(attempts):
        now += timedelta(hours=1)
        inbox.process_local(now)
    return now


def test_an_event_that_fails_permanently_becomes_an_issue_and_can_be_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = stored()
    now = fail_many_times(monkeypatch, ZeroDivisionError("no"))
    event.refresh_from_db()
    assert event.state == "failed" and event.attempts == inbox.MAX_ATTEMPTS
    assert Issue.objects.get(closed_at=None).subject == "evt_1"

    handled_by(monkeypatch, lambda event: None)
    assert inbox.replay(["evt_1"], now) == 1
    inbox.process_local(now)

    event.refresh_from_db()
    assert event.state == "handled"
    assert not Issue.objects.filter(closed_at=None).exists()


def test_an_event_is_retried_as_long_as_stripe_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    event = stored()
    fail_many_times(monkeypatch, ConnectionFailed("away"))

    event.refresh_from_db()
    assert event.state == "waiting"
    assert not Issue.objects.exists()


def test_a_request_that_stripe_rejects_is_not_retried_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    event = stored()
    fail_many_times(monkeypatch, InvalidRequest("no such session"))

    event.refresh_from_db()
    assert event.state == "failed"


@pytest.mark.parametrize(
    "error", [AuthenticationFailed("no"), PermissionDenied("no sessions"), NotConfigured("none")]
)
def test_a_key_without_read_permission_is_reported_once_until_it_works(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stored("evt_1"), stored("evt_2")
    now = fail_many_times(monkeypatch, error)
    issue = Issue.objects.get()
    assert (issue.kind, issue.closed_at) == ("stripe_key", None) and str(error) in issue.text
    assert set(StripeEvent.objects.values_list("state", flat=True)) == {"waiting"}

    handled_by(monkeypatch, lambda event: None)
    inbox.handle("evt_1", now + timedelta(hours=1))
    assert Issue.objects.get().closed_at is None
    inbox.handle("evt_2", now + timedelta(hours=1))

    assert Issue.objects.get().closed_at is not None


def test_an_event_that_kills_its_worker_is_marked_as_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Death(BaseException):
        """Like SIGKILL: no cleanup runs."""

    attempts = []

    def handler(event: StripeEvent) -> None:
        attempts.append(event.pk)
        raise Death

    event, now = stored(), timezone.now()
    handled_by(monkeypatch, handler)
    for _life in range(30):
        with suppress(Death):
            inbox.process_local(now)
        StripeEvent.objects.update(lease_until=None)

    event.refresh_from_db()
    assert event.state == "failed" and len(attempts) == inbox.MAX_LEASES
    assert Issue.objects.get().subject == "evt_1"


def test_a_failing_event_does_not_delay_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stored("evt_bad")
    stored("evt_good")
    seen = []

    def handler(event: StripeEvent) -> None:
        if event.pk == "evt_bad":
            raise ZeroDivisionError
        seen.append(event.pk)

    handled_by(monkeypatch, handler)
    inbox.process_local(timezone.now())

    assert seen == ["evt_good"]


def test_a_handler_that_needs_stripe_is_called_by_the_task_that_may_call_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event, seen = stored(), []

    def handler(event: StripeEvent) -> None:
        if not inbox.stripe_calls_allowed():
            raise inbox.NeedsStripeAccess
        seen.append(event.pk)

    handled_by(monkeypatch, handler)
    now = timezone.now()
    inbox.process_local(now)
    assert seen == [] and inbox.process_local(now) == 0

    inbox.process_remote(now)

    event.refresh_from_db()
    assert seen == ["evt_1"] and event.state == "handled"


def test_a_run_that_finds_stripe_unreachable_ends_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(5):
        stored(f"evt_{number}")
    StripeEvent.objects.update(needs_stripe=True)
    attempted = []

    def handler(event: StripeEvent) -> None:
        attempted.append(event.pk)
        raise ConnectionFailed("away")

    handled_by(monkeypatch, handler)
    inbox.process_remote(timezone.now())

    assert len(attempted) == 1


def test_needs_stripe_raised_where_calls_are_allowed_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = stored()
    StripeEvent.objects.update(needs_stripe=True)

    def handler(event: StripeEvent) -> None:
        raise inbox.NeedsStripeAccess

    handled_by(monkeypatch, handler)
    now = timezone.now()
    inbox.process_remote(now)

    event.refresh_from_db()
    assert event.next_attempt_at > now and "NeedsStripe" in event.error


# --- Many at once -----------------------------------------------------------------------------


def test_events_are_leased_and_finished_together(calls: list[str]) -> None:
    def statements(names: list[str]) -> int:
        for name in names:
            stored(name)
        with CaptureQueriesContext(connection) as queries:
            inbox.process_local(timezone.now())
        return len(queries)

    assert statements(["evt_1", "evt_2"]) == statements([f"evt_{number}" for number in range(3, 30)])
    assert len(calls) == 29


def test_an_event_that_once_ended_its_worker_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def handler(event: StripeEvent) -> None:
        if event.pk == "evt_bad":
            raise Killed

    handled_by(monkeypatch, handler)
    for name in ("evt_1", "evt_bad", "evt_2"):
        stored(name)
    for _attempt in range(inbox.MAX_LEASES + 1):
        with suppress(Killed):
            inbox.process_local(timezone.now())
        StripeEvent.objects.update(lease_until=None)

    states = dict(StripeEvent.objects.values_list("pk", "state"))
    assert states == {"evt_1": "handled", "evt_2": "handled", "evt_bad": "failed"}


def test_the_rest_of_a_batch_is_given_back_when_its_lease_may_end(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("evt_1", "evt_2", "evt_3"):
        stored(name)
    # The clock when the batch begins, and before each event.
    clock = iter([0.0, 0.0, inbox.LEASE.total_seconds()])
    monkeypatch.setattr("inventory.events.inbox.time.monotonic", lambda: next(clock))

    inbox.process_local(timezone.now())

    assert len(calls) == 1
    rest = StripeEvent.objects.filter(state="waiting")
    assert list(rest.values_list("attempts", "lease_until")) == [(0, None)] * 2


def test_an_event_that_is_queued_again_while_it_is_handled_is_handled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def handler(event: StripeEvent) -> None:
        if not seen:
            inbox.replay([event.pk], timezone.now())
        seen.append(event.pk)

    handled_by(monkeypatch, handler)
    stored()

    assert inbox.process_local(timezone.now()) == 1
    assert inbox.process_local(timezone.now()) == 1
    assert seen == ["evt_1", "evt_1"]
