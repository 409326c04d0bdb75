"""Deletion of expired sessions and old events."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from inventory import cleanup
from inventory.events import inbox
from inventory.models import CatalogImport, StripeEvent
from inventory.tests.factories import Shirt
from inventory.worker import drain

pytestmark = pytest.mark.django_db


def long_ago() -> None:
    then = timezone.now() - timedelta(days=91)
    StripeEvent.objects.update(received_at=then, handled_at=then)


def test_expired_sessions_are_deleted_and_others_kept() -> None:
    for days in (-1, 1):
        session = SessionStore()
        session["cart"] = "3 shirts"
        session.set_expiry(timezone.now() + timedelta(days=days))
        session.save()

    cleanup.delete_expired(timezone.now())

    assert [row.expire_date > timezone.now() for row in Session.objects.all()] == [True]


def test_sessions_are_deleted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of visitors leaves many that expire in the same hour."""
    expired = timezone.now() - timedelta(days=1)
    Session.objects.bulk_create(Session(session_key=f"s{number}", expire_date=expired) for number in range(5))
    monkeypatch.setattr(cleanup, "BATCH_SIZE", 2)

    assert [cleanup.delete_expired(timezone.now()) for _round in range(4)] == [2, 2, 1, 0]


def test_records_of_logins_are_deleted_after_90_days() -> None:
    for model in cleanup.LOGIN_RECORDS:
        facts = {"failures_since_start": 1} if model is AccessAttempt else {}
        for days in (89, 91):
            row = model._default_manager.create(
                username="o", ip_address=f"192.0.2.{days}", **facts, user_agent="browser"
            )
            then = timezone.now() - timedelta(days=days)
            model._default_manager.filter(pk=row.pk).update(attempt_time=then)

    cleanup.delete_expired(timezone.now())

    for model in cleanup.LOGIN_RECORDS:
        assert list(model._default_manager.values_list("ip_address", flat=True)) == ["192.0.2.89"]


def test_catalog_imports_that_later_ones_are_compared_with_are_kept() -> None:
    def row(days: int, **facts: str) -> int:
        at = timezone.now() - timedelta(days=days)
        facts = {"feed": "product", "mode": "upsert", "status": "succeeded", **facts}
        return CatalogImport.objects.create(rows=1, started_at=at, finished_at=at, **facts).pk

    row(400, mode="replace")
    kept = [row(390, mode="replace")]
    row(380)
    kept.append(row(370))
    row(360, feed="inventory")
    kept.append(row(350, feed="inventory"))
    row(340, status="failed")
    kept.append(row(80, status="failed"))

    assert cleanup.delete_expired(timezone.now()) == 4

    assert list(CatalogImport.objects.order_by("pk").values_list("pk", flat=True)) == kept


def test_old_events_are_deleted_and_count_nothing_if_resent(
    shirt: Shirt,
) -> None:
    shirt.edit(M=20)
    shirt.settle()
    payloads = list(StripeEvent.objects.values_list("payload", flat=True))
    before = shirt.movements("M")

    assert cleanup.delete_expired(timezone.now() + timedelta(days=89)) == 0
    assert cleanup.delete_expired(timezone.now() + timedelta(days=91)) == len(payloads)
    inbox.store_events(payloads)
    shirt.settle()

    assert shirt.movements("M") == before and shirt.is_at_rest()


def test_waiting_and_failed_events_are_never_deleted(shirt: Shirt) -> None:
    shirt.edit(M=20)
    shirt.settle()
    first, second = StripeEvent.objects.all()[:2]
    StripeEvent.objects.exclude(pk__in=[first.pk, second.pk]).delete()
    StripeEvent.objects.filter(pk=first.pk).update(state=StripeEvent.State.FAILED)
    StripeEvent.objects.filter(pk=second.pk).update(state=StripeEvent.State.WAITING)

    cleanup.delete_expired(timezone.now() + timedelta(days=400))

    assert StripeEvent.objects.count() == 2


def test_events_are_deleted_in_batches(shirt: Shirt, monkeypatch: pytest.MonkeyPatch) -> None:
    shirt.edit(M=20)
    shirt.settle()
    long_ago()
    number = StripeEvent.objects.count()
    monkeypatch.setattr(cleanup, "BATCH_SIZE", 1)

    done = [cleanup.delete_expired(timezone.now()) for _round in range(number + 1)]

    assert done == [1] * number + [0]


def test_the_worker_deletes_old_events(shirt: Shirt) -> None:
    shirt.settle()
    long_ago()

    drain(hourly=True)

    assert not StripeEvent.objects.exists()
