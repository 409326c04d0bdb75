"""The worker: loop, threads, start, shutdown, and runs of cron."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.checks import Error
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from config.stripe_client import AuthenticationFailed, ConnectionFailed, StripeCallError
from config.worker_tasks import WORKER_TASKS, WorkerTask
from inventory import admin_panels, checks, gateway, worker
from inventory.events import inbox
from inventory.models import EventCursor, Heartbeat, Issue, StripeEvent
from inventory.tests.factories import Shirt

ROOT = Path(__file__).resolve().parents[2]


# --- Draining ---------------------------------------------------------------------------------


def tasks(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> None:
    monkeypatch.setattr(
        worker, "WORKER_TASKS", [WorkerTask(name, every=1, own_thread=False) for name in functions]
    )
    monkeypatch.setattr(worker, "import_string", functions.__getitem__)


@pytest.mark.django_db
def test_draining_goes_on_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [3, 2, 1]
    tasks(monkeypatch, a=lambda now: left.pop() if left else 0)

    assert worker.drain() == 6


@pytest.mark.django_db
def test_a_task_with_a_query_runs_only_while_that_has_rows(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    asked, queries = (
        list[datetime](),
        {"query": inbox.waiting_for_stripe, "other": inbox.waiting_for_the_database},
    )

    def ask(now: datetime) -> int:
        asked.append(now)
        return 1

    task = WorkerTask("task", every=1, own_thread=False, only_if=("query", "other"))
    monkeypatch.setattr(worker, "import_string", {"task": ask, **queries}.__getitem__)
    now = timezone.now()

    with django_assert_num_queries(2):
        assert worker.run_task(task, now) == 0

    times = {"created_at": now, "next_attempt_at": now}
    StripeEvent.objects.create(
        id="evt_1", type="product.updated", livemode=False, payload={}, needs_stripe=True, **times
    )
    assert worker.run_task(task, now) == 1 and asked == [now]


@pytest.mark.django_db
def test_an_idle_worker_asks_small_questions_for_a_task(django_assert_max_num_queries: Any) -> None:
    idle = [task for task in WORKER_TASKS if task.only_if]
    questions = sum(len(task.only_if) for task in idle)
    assert len(idle) >= 12

    with django_assert_max_num_queries(questions):
        assert [worker.run_task(task, timezone.now()) for task in idle] == [0] * len(idle)


@pytest.mark.django_db
def test_draining_survives_an_unavailable_stripe(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(now: datetime) -> int:
        raise ConnectionFailed("away")

    tasks(monkeypatch, a=away)

    assert worker.drain() == 0


@pytest.mark.django_db
def test_draining_does_not_hide_our_own_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(now: datetime) -> int:
        raise ZeroDivisionError

    tasks(monkeypatch, a=broken)

    with pytest.raises(ZeroDivisionError):
        worker.drain()


@pytest.mark.django_db
def test_draining_ends_once_every_task_was_idle_since_the_last_work(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(name: str) -> int:
        ran.append(name)
        return ran.count("b") == 1 and name == "b"

    tasks(monkeypatch, **{name: lambda now, name=name: run(name) for name in "abc"})

    assert worker.drain() == 1
    assert ran == ["a", "b", "c", "a", "b"]


@pytest.mark.django_db
def test_every_hourly_task_runs_once_though_all_others_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(name: str) -> int:
        ran.append(name)
        return 0

    table = [
        WorkerTask(name, every=every, own_thread=False)
        for name, every in [("a", 1), ("hourly", 3600), ("daily", 86400)]
    ]
    monkeypatch.setattr(worker, "WORKER_TASKS", table)
    monkeypatch.setattr(worker, "import_string", lambda name: lambda now: run(name))

    assert worker.drain(hourly=True) == 0
    assert ran == ["a", "hourly", "daily"]


@pytest.mark.django_db
def test_tasks_that_never_finish_raise_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks(monkeypatch, a=lambda now: 1)
    monkeypatch.setattr(worker, "MAX_ROUNDS", 5)

    with pytest.raises(RuntimeError, match="Tasks still found work"):
        worker.drain()


# --- The loop ---------------------------------------------------------------------------------


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a worker without a database that runs the given tasks; it is stopped afterwards."""
    stop = threading.Event()
    running: list[threading.Thread] = []

    def start(**functions: Any) -> threading.Event:
        functions["inventory.heartbeat.beat"] = lambda now: 0
        table = [
            WorkerTask(
                name,
                every=0.001,
                own_thread=name.startswith("stripe"),
                threads=2 if name.endswith("pair") else 1,
            )
            for name in functions
            if not name.startswith("inventory")
        ]
        monkeypatch.setattr(worker, "WORKER_TASKS", table)
        monkeypatch.setattr(worker, "import_string", functions.__getitem__)
        thread = threading.Thread(target=worker.Worker(stop).run, daemon=True)
        running.append(thread)
        thread.start()
        return stop

    yield start
    stop.set()
    for thread in running:
        thread.join(5)
        assert not thread.is_alive()


def wait_for(event: threading.Event) -> None:
    assert event.wait(5)


@pytest.mark.django_db
def test_a_hanging_stripe_never_delays_what_needs_only_the_database(loop: Any) -> None:
    hangs, went_on, let_go = threading.Event(), threading.Event(), threading.Event()

    def stripe_hangs(now: datetime) -> int:
        hangs.set()
        let_go.wait(5)
        return 0

    def quick(now: datetime) -> int:
        if hangs.is_set():
            went_on.set()
        return 0

    loop(stripe_hangs=stripe_hangs, quick=quick)

    wait_for(hangs)
    wait_for(went_on)
    let_go.set()


@pytest.mark.django_db
def test_a_task_may_run_in_several_threads_at_once(loop: Any) -> None:
    both, met = threading.Barrier(2), threading.Event()

    def pair(now: datetime) -> int:
        both.wait(5)
        met.set()
        return 0

    loop(stripe_pair=pair)

    wait_for(met)
    both.abort()


@pytest.mark.django_db
def test_a_failing_task_is_retried_and_does_not_block_others(loop: Any) -> None:
    failed, tried_again, other = threading.Event(), threading.Event(), threading.Event()

    def broken(now: datetime) -> int:
        if failed.is_set():
            tried_again.set()
        failed.set()
        raise ZeroDivisionError

    def quick(now: datetime) -> int:
        other.set()
        return 0

    loop(broken=broken, quick=quick)

    for event in (failed, tried_again, other):
        wait_for(event)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("every", "pauses"),
    [
        (0.25, [0.5, 1, 2, 4, 8, 16, 30, 30]),
        (1, [2, 4, 8, 16, 30, 30, 30, 30]),
        (3600, [2, 4, 8, 16, 32, 64, 128, 256]),
    ],
)
def test_a_failing_task_backs_off_and_runs_normally_after_a_success(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, every: float, pauses: list[float]
) -> None:
    errors: list[StripeCallError] = [ConnectionFailed("away"), AuthenticationFailed("no such key")] * 4

    def away(now: datetime) -> int:
        if errors:
            raise errors.pop()
        return 0

    monkeypatch.setattr(worker, "import_string", lambda path: away)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    task = worker.ScheduledTask(WorkerTask("publish", every=every, own_thread=True))

    rests = []
    for _attempt in range(8):
        task.run()
        rests.append(task.rest())
    task.run()

    assert rests == pauses and task.rest() == every
    assert len(caplog.records) == 8 and "Traceback" not in caplog.text


@pytest.mark.django_db
def test_a_task_looks_again_sooner_in_a_rush(monkeypatch: pytest.MonkeyPatch) -> None:
    work, clock = [1], [1000.0]
    monkeypatch.setattr(worker, "_call", lambda task, now: work.pop() if work else 0)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    task = worker.ScheduledTask(WorkerTask("events", every=0.25, own_thread=False, in_a_rush=0.05))
    rests = []

    for moment in (1000.0, 1000.0, 1004.0, 1006.0):
        clock[0] = moment
        task.run()
        rests.append(round(task.rest(), 3))

    assert rests == [0, 0.05, 0.05, 0.25]


def test_a_connection_that_cannot_be_closed_ends_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("The database is gone.")

    monkeypatch.setattr(worker, "close_old_connections", fail)
    task = worker.ScheduledTask(WorkerTask("publish", every=5, own_thread=True))

    task.run()

    assert task.failures == 1 and task.rest() > 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads share no SQLite database in memory")
def test_each_thread_closes_its_own_connection(loop: Any) -> None:
    used = threading.Event()

    def use_the_database(now: datetime) -> int:
        Heartbeat.objects.count()
        used.set()
        return 0

    before, others = _connections(), set(threading.enumerate())
    stop = loop(stripe_a=use_the_database, quick=use_the_database)
    wait_for(used)
    stop.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(5)

    deadline = time.monotonic() + 5
    while _connections() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _connections() <= before


def _connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


# --- Start, shutdown, cron --------------------------------------------------------------------


def test_a_starting_worker_requests_a_refresh_of_every_product(shirt: Shirt) -> None:
    before = shirt.stock.refreshes_requested

    worker.start()

    assert shirt.stock.refreshes_requested == before + 1


@pytest.mark.django_db
def test_a_worker_refuses_an_unsuitable_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "run_startup_checks", lambda: [Error("REPEATABLE READ.", hint="Change it.")])

    with pytest.raises(CommandError, match=r"REPEATABLE READ\. Change it\."):
        call_command("run_worker", "--once")


def url_for_another_process(folder: Path) -> str:
    """The DATABASE_URL of the tests' database; on SQLite, where it is in memory, of a copy in the folder."""
    if connection.vendor == "sqlite":
        with sqlite3.connect(folder / "shop.sqlite3") as copy:
            connection.connection.backup(copy)
        copy.close()
        return f"sqlite:///{folder / 'shop.sqlite3'}"
    name = connection.settings_dict["NAME"]
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


@pytest.mark.django_db(transaction=True)
def test_a_real_worker_beats_and_exits_cleanly_on_sigterm(tmp_path: Path) -> None:
    """A separate process, stopped with SIGTERM as by a service manager."""
    connection.ensure_connection()
    environment = {
        **os.environ,
        "DATABASE_URL": url_for_another_process(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.test_settings",
    }
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "run_worker"],
        env=environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    output = []
    for line in process.stderr:
        output.append(line)
        if " started" in line:
            break
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()

    assert process.wait(30) == 0, "".join(output) + rest
    assert " stopped" in rest and "Traceback" not in rest
    if connection.vendor == "postgresql":
        assert Heartbeat.objects.exists()


def test_work_once_publishes_and_exits(shirt: Shirt, capsys: pytest.CaptureFixture[str]) -> None:
    shirt.sell("M", 2)

    call_command("run_worker", "--once")

    assert shirt.at_stripe("M") == "13"
    assert "done." in capsys.readouterr().out


def test_a_cron_job_refreshes_an_idle_catalog_once_and_then_makes_no_calls(shirt: Shirt) -> None:
    shirt.fake.forget_calls()
    call_command("run_worker", "--once")
    first = len(shirt.fake.calls)
    shirt.fake.forget_calls()

    call_command("run_worker", "--once")

    assert first > 0 and shirt.fake.calls == []


def test_a_cron_job_after_an_hour_refreshes_and_lists_again(shirt: Shirt) -> None:
    call_command("run_worker", "--once")
    long_ago = timezone.now() - timedelta(minutes=61)
    Heartbeat.objects.update(beat_at=long_ago)
    EventCursor.objects.update(listed_at=long_ago)
    shirt.fake.forget_calls()

    call_command("run_worker", "--once")

    assert {call.path for call in shirt.fake.calls} >= {"/v1/products/prod_shirt", "/v1/events"}


def test_a_cron_job_counts_as_running_for_an_hour_in_one_row(shirt: Shirt) -> None:
    for _run in range(2):
        call_command("run_worker", "--once")
    request = RequestFactory().get("/admin/")

    assert Heartbeat.objects.count() == 1
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=59))
    assert admin_panels.worker_panel(request) is None
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=61))
    assert admin_panels.worker_panel(request) is not None


def test_a_cron_job_with_a_bad_key_tries_it_once_an_hour_and_opens_one_issue(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: Any, **options: Any) -> None:
        raise AuthenticationFailed("no such key")

    call_command("run_worker", "--once")
    shirt.sell("M", 2)
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "update_metadata", refused)
        for _run in range(3):
            call_command("run_worker", "--once")
    assert Issue.objects.count() == 1

    call_command("run_worker", "--once")
    assert shirt.at_stripe("M") == "15"
    Issue.objects.update(opened_at=timezone.now() - timedelta(minutes=61))
    call_command("run_worker", "--once")

    assert shirt.at_stripe("M") == "13" and not Issue.objects.filter(closed_at=None).exists()
