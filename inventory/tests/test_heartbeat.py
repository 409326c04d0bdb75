"""Heartbeats of workers, and the warnings when none is recent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import RequestFactory
from django.utils import timezone

from inventory import admin_panels, deliveries, heartbeat
from inventory.models import Heartbeat
from inventory.tests.factories import Shirt


@pytest.mark.django_db
def test_a_worker_without_a_beat_for_a_minute_causes_a_banner_and_a_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heartbeat.beat(timezone.now() - timedelta(seconds=61))

    panel = admin_panels.worker_panel(RequestFactory().get("/admin/"))

    assert panel is not None and panel["level"] == "error"
    assert "manage.py run_worker" in panel["text"] and "61 seconds" in panel["text"]
    heartbeat.warn_if_no_worker(timezone.now())
    assert "No worker is running" in caplog.text


@pytest.mark.django_db
def test_deliveries_check_for_a_worker_at_most_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(deliveries._written_at, "accepted", float("-inf"))

    for _delivery in range(3):
        deliveries.record_accepted(timezone.now())

    assert caplog.text.count("No worker is running") == 1


@pytest.mark.django_db
def test_a_beating_worker_causes_no_warning() -> None:
    heartbeat.beat(timezone.now())

    assert admin_panels.worker_panel(RequestFactory().get("/admin/")) is None


@pytest.mark.django_db
def test_a_shop_that_never_had_a_worker_says_so() -> None:
    panel = admin_panels.worker_panel(RequestFactory().get("/admin/"))

    assert panel is not None and "none has ever run" in panel["text"]


@pytest.mark.django_db
def test_a_beat_from_before_the_clock_was_set_back_is_ignored() -> None:
    now = timezone.now()
    heartbeat.beat(now + timedelta(days=30))

    assert heartbeat.worker_silence(now) is not None
    heartbeat.beat(now - timedelta(minutes=5))
    assert Heartbeat.objects.get().beat_at < now


@pytest.mark.django_db
def test_old_heartbeats_are_deleted() -> None:
    Heartbeat.objects.create(name="old", beat_at=timezone.now() - timedelta(days=2))

    heartbeat.beat(timezone.now())

    assert Heartbeat.objects.count() == 1


def test_a_stopped_worker_is_missed_after_a_minute_even_after_a_cron_job(shirt: Shirt) -> None:
    call_command("run_worker", "--once")
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    heartbeat.beat(timezone.now() - timedelta(seconds=61))

    assert heartbeat.worker_silence(timezone.now()) is not None
