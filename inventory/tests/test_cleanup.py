"""Deletion of expired sessions and old events."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from inventory import cleanup
from inventory.events import inbox
from inventory.models import StripeEvent
from inventory.tests.factories import Shirt
from inventory.worker import drain

pytestmark = pytest.mark.django_db


def test_expired_sessions_are_deleted_and_others_kept() -> None:
    for days in (-1, 1):
        session = SessionStore()
        session["cart"] = "3 shirts"
        session.set_expiry(timezone.now() + timedelta(days=days))
        session.save()

    cleanup.delete_expired(timezone.now())

    assert [row.expire_date > timezone.now() for row in Session.objects.all()] == [True]


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
    StripeEvent.objects.update(handled_at=timezone.now() - timedelta(days=91))
    number = StripeEvent.objects.count()
    monkeypatch.setattr(cleanup, "BATCH_SIZE", 1)

    done = [cleanup.delete_expired(timezone.now()) for _round in range(number + 1)]

    assert done == [1] * number + [0]


def test_the_worker_deletes_old_events(shirt: Shirt) -> None:
    shirt.settle()
    StripeEvent.objects.update(handled_at=timezone.now() - timedelta(days=91))

    drain(hourly=True)

    assert not StripeEvent.objects.exists()
