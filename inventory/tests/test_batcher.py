"""Group commit of concurrent deliveries, each with its own result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DataError, OperationalError

from inventory.events import inbox
from inventory.events.inbox import EventBatcher
from inventory.models import StripeEvent


def event(name: str) -> inbox.Json:
    return {"id": name, "type": "test.happened", "created": 1, "data": {"object": {"id": "x"}}}


class Crowd:
    """Deliveries that arrive during an insert, with `store_events` replaced by a recorder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batcher, self.statements = EventBatcher(), list[list[str]]()
        self.errors: dict[str, Exception] = {}
        monkeypatch.setattr(inbox, "store_events", self.store_events)

    def store_events(self, events: Iterable[inbox.Json]) -> list[str]:
        names = [each["id"] for each in events]
        self.statements.append(names)
        for name in names:
            if name in self.errors:
                raise self.errors[name]
        return [name for name in names if name != "known"]

    def deliver(self, *names: str) -> dict[str, Future[bool]]:
        with ThreadPoolExecutor(len(names)) as threads:
            with self.batcher._inserting:
                answers = {name: threads.submit(self.batcher.store, event(name)) for name in names}
                while len(self.batcher._waiting) < len(names):
                    pass
            return answers


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    return Crowd(monkeypatch)


@pytest.mark.django_db
def test_an_event_is_stored_once_and_the_second_time_reported_as_stored_before() -> None:
    events = EventBatcher()

    assert events.store(event("evt_1"))
    assert not events.store(event("evt_1"))
    assert StripeEvent.objects.count() == 1


@pytest.mark.django_db
def test_several_are_stored_by_one_query(django_assert_num_queries: Callable[..., Any]) -> None:
    waiting: list[tuple[inbox.Json, Future[bool]]] = [
        (event(f"evt_{number}"), Future()) for number in (3, 1, 2, 1)
    ]

    with django_assert_num_queries(1):
        inbox._store_deliveries(waiting)

    assert all(stored.result(timeout=0) for _, stored in waiting)
    assert StripeEvent.objects.count() == 3


def test_deliveries_that_arrive_during_an_insert_are_inserted_together(crowd: Crowd) -> None:
    answers = crowd.deliver("a", "b", "known", "c")

    assert sorted(crowd.statements[0]) == ["a", "b", "c", "known"]
    assert len(crowd.statements) == 1
    assert {name: answer.result() for name, answer in answers.items()} == {
        "a": True,
        "b": True,
        "known": False,
        "c": True,
    }


def test_only_the_event_that_cannot_be_stored_is_refused(crowd: Crowd) -> None:
    crowd.errors["bad"] = DataError("too long")

    answers = crowd.deliver("a", "bad", "b")

    assert answers["a"].result() and answers["b"].result()
    assert isinstance(answers["bad"].exception(), DataError)


def test_an_error_never_reports_an_event_as_stored(crowd: Crowd) -> None:
    """An internal error is answered with 500, and Stripe retries."""
    crowd.errors["odd"] = ZeroDivisionError()

    answers = crowd.deliver("a", "odd")

    assert answers["a"].result()
    assert isinstance(answers["odd"].exception(), ZeroDivisionError)


def test_an_unavailable_database_is_tried_once_for_all_deliveries(crowd: Crowd) -> None:
    crowd.errors["a"] = crowd.errors["b"] = OperationalError("database is locked")

    answers = crowd.deliver("a", "b", "c")

    assert len(crowd.statements) == 1
    assert all(isinstance(answer.exception(), OperationalError) for answer in answers.values())
