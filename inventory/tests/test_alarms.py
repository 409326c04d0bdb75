"""Alarms: each is raised once, mailed once with its remedy, and closes when its cause is gone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.core.mail import EmailMessage
from django.utils import timezone
from pytest_django import Settings

from fake_stripe import FakeStripe
from inventory import alerts, deliveries, heartbeat, web_watch
from inventory.models import Heartbeat, Issue
from inventory.setup import alarms, doctor
from inventory.tests.factories import Shirt, raising
from inventory.tests.test_webhook import an_event, post

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def a_new_process(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OWNER_EMAIL = "owner@shop.test"
    settings.OWNER_EMAILS = ["owner@shop.test"]
    monkeypatch.setattr(alarms, "_away_since", None)
    monkeypatch.setattr(deliveries, "WRITE_INTERVAL", 0)


def work_for(minutes: int, check: Callable[[datetime], int], *, step: int = 1) -> None:
    """Run the check and the worker's mails every minute from now on."""
    began = timezone.now()
    for minute in range(0, minutes + 1, step):
        now = began + minute * MINUTE
        with time_machine.travel(now, tick=False):
            check(now)
            alerts.notify_owner(now)


def only_issue() -> Issue:
    return Issue.objects.get(closed_at=None)


def assert_mailed_once(mails: list[EmailMessage], remedy: str) -> None:
    [mail] = mails
    assert remedy in re.sub(r"\s+", " ", str(mail.body))


def test_stripe_away(fake: FakeStripe, mailoutbox: list[EmailMessage]) -> None:
    fake.faults.add("cut", times=None)

    work_for(9, alarms.check)
    assert not Issue.objects.exists()
    work_for(60, alarms.check)

    assert only_issue().subject == "stripe"
    assert_mailed_once(mailoutbox, "See https://status.stripe.com")
    fake.faults.clear()
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=False):
        alarms.check(timezone.now())
        alerts.notify_owner(timezone.now())
    assert not Issue.objects.filter(kind="setup", subject="stripe", closed_at=None).exists()
    assert not any("stripe" in mail.subject for mail in mailoutbox[1:])


def test_a_short_silence_of_stripe_is_no_alarm(fake: FakeStripe) -> None:
    for _time in range(3):
        fake.faults.add("cut", times=None)
        work_for(8, alarms.check)
        fake.faults.clear()
        work_for(0, alarms.check)

    assert not Issue.objects.exists()


def test_stripe_away_is_no_issue_of_the_hourly_examination_too(fake: FakeStripe) -> None:
    fake.faults.add("cut", times=None)
    work_for(20, alarms.check)
    before = only_issue().text

    doctor.examine_hourly(timezone.now())

    assert [issue.subject for issue in Issue.objects.filter(text__contains="not answer")] == ["stripe"]
    assert Issue.objects.get(subject="stripe").text == before


def test_a_clock_that_is_off(fake: FakeStripe, mailoutbox: list[EmailMessage]) -> None:
    fake.forward(200)

    for _minute in range(3):
        alarms.check(timezone.now())
        alerts.notify_owner(timezone.now())

    assert only_issue().subject == "clock"
    assert_mailed_once(mailoutbox, "timedatectl set-ntp true")
    alarms.check(timezone.now() + timedelta(seconds=200))
    assert not Issue.objects.filter(closed_at=None).exists()


def test_counts_that_wait(shirt: Shirt, mailoutbox: list[EmailMessage]) -> None:
    shirt.sell("M", 2)
    later = timezone.now() + 16 * MINUTE

    for now in (later, later + MINUTE, later + 5 * MINUTE):
        alarms._check_counts(now)
        alerts.notify_owner(now)

    assert only_issue().subject == "counts"
    assert_mailed_once(mailoutbox, "See the worker’s log, and restart it.")
    shirt.settle()
    alarms._check_counts(later + 6 * MINUTE)
    assert not Issue.objects.filter(closed_at=None).exists()


def test_counts_that_wait_because_stripe_is_away_are_one_alarm(shirt: Shirt, fake: FakeStripe) -> None:
    shirt.sell("M", 2)
    fake.faults.add("cut", times=None)

    work_for(30, alarms.check, step=5)

    assert only_issue().subject == "stripe"


def test_a_worker_that_died_is_mailed_by_the_web_process(mailoutbox: list[EmailMessage]) -> None:
    now = timezone.now()
    heartbeat.beat(now)

    for minutes in (4, 6, 7, 60):
        with time_machine.travel(now + minutes * MINUTE, tick=False):
            web_watch.check(watching_for=timedelta(hours=2))

    assert only_issue().subject == "worker"
    assert_mailed_once(mailoutbox, "Start “manage.py run_worker”, or restart script/server.")
    with time_machine.travel(now + 61 * MINUTE, tick=False):
        heartbeat.beat(timezone.now())
        web_watch.check(watching_for=timedelta(hours=2))
    assert not Issue.objects.filter(closed_at=None).exists()
    assert len(mailoutbox) == 1


def test_a_worker_that_runs_again_closes_the_alarm(fake: FakeStripe) -> None:
    web_watch.check(watching_for=timedelta(hours=1))
    assert only_issue().subject == "worker"

    alarms.check(timezone.now())

    assert not Issue.objects.filter(closed_at=None).exists()


def test_a_worker_that_starts_with_the_web_process_has_time_to_begin() -> None:
    assert not Heartbeat.objects.exists()

    web_watch.check(watching_for=4 * MINUTE)

    assert not Issue.objects.exists()


def test_the_watch_outlives_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alarms, "check_worker", raising(RuntimeError("a bug")))

    web_watch.check(watching_for=MINUTE)

    assert "The worker cannot be watched" in caplog.text


# --- Deliveries that a stranger forges


def forge_for_an_hour() -> None:
    began = timezone.now()
    for minute in range(0, 71, 10):
        with time_machine.travel(began + minute * MINUTE, tick=False):
            post(an_event(f"evt_forged_{minute}"), secret="whsec_of_a_stranger")
            deliveries.check(timezone.now())


def test_forged_deliveries_raise_no_alarm(fake: FakeStripe, mailoutbox: list[EmailMessage]) -> None:
    forge_for_an_hour()

    assert not Issue.objects.exists()
    findings = {finding.check: finding.level for finding in doctor._delivery_findings()}
    assert findings["deliveries"] == doctor.WARNING


def test_forged_deliveries_do_not_hide_that_real_ones_are_refused(
    fake: FakeStripe, mailoutbox: list[EmailMessage]
) -> None:
    fake.add_product(id="prod_x", name="X", metadata={"stock": "1"}, emit=True)
    forge_for_an_hour()
    alerts.notify_owner(timezone.now())

    assert only_issue().kind == Issue.Kind.NO_DELIVERIES
    assert_mailed_once(mailoutbox, "Compare the endpoint")


def test_refusals_are_not_judged_while_stripe_is_away(fake: FakeStripe) -> None:
    began = timezone.now()
    for minute in (0, 60):
        with time_machine.travel(began + minute * MINUTE, tick=False):
            post(an_event(f"evt_{minute}"), secret="whsec_of_a_stranger")
    fake.faults.add("cut", times=None)

    with pytest.raises(Exception, match="did not answer"):
        deliveries.check(began + 61 * MINUTE)

    assert not Issue.objects.exists()
