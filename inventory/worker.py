"""The worker: runs the tasks of config.worker_tasks until stopped, those that wait for other services in threads.

Any number of workers on any number of hosts may run: they take work through leases in the database.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import chain, cycle, islice
from types import FrameType
from typing import Any

from django.core.checks import ERROR
from django.db import close_old_connections, connections
from django.db.models import Min, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from config.kept_queries import any_rows
from config.stripe_client import StripeCallError
from config.worker_tasks import RUSH, WORKER_TASKS, WorkerTask
from inventory import alerts, checks, heartbeat
from inventory.events import inbox
from inventory.models import Heartbeat
from inventory.setup import doctor
from inventory.stripe_sync import missed_events, publisher, refresh

logger = logging.getLogger(__name__)

BEAT = WorkerTask("inventory.heartbeat.beat", every=heartbeat.INTERVAL, own_thread=False)
# Not in the table: --once and tests have no running shop to examine, and no time in which Stripe is silent.
EXAMINE = [
    WorkerTask("inventory.setup.doctor.examine_hourly", every=3600, own_thread=True),
    WorkerTask("inventory.setup.alarms.check", every=60, own_thread=True),
]
MAX_REST = 30.0  # seconds between attempts of a failing task
SHUTDOWN_GRACE = 20.0  # seconds for threads to finish their requests to Stripe when the worker is stopped
DRAIN_AHEAD = timedelta(seconds=10)  # tasks due within this time are run early by `drain`
MAX_ROUNDS = 10_000
# Work that waits for a time, and the column of that time.
WAITING: list[tuple[Callable[[], QuerySet[Any]], str]] = [
    (inbox.waiting_for_the_database, "next_attempt_at"),
    (inbox.waiting_for_stripe, "next_attempt_at"),
    (refresh.pending_refreshes, "next_refresh_at"),
    (publisher.pending_products, "next_attempt_at"),
]
# Runs of “--once” within this time count as one worker: they skip the full refresh and the hourly tasks.
HOUR = timedelta(hours=1)


class WrongDatabase(Exception):
    """The database is not suitable for the ledger."""


# --- Starting and stopping --------------------------------------------------------------------


def start() -> None:
    """Check the database, resume stock updates and request a refresh of the products.

    Stripe may have changed while no worker was running. Raises WrongDatabase.
    """
    check_database()
    publisher.resume()
    refresh.request_refresh_of_all(new_before=timezone.now() - refresh.FRESH)


def check_database() -> None:
    for problem in checks.run_startup_checks():
        if problem.level >= ERROR:
            raise WrongDatabase(f"{problem.msg} {problem.hint or ''}".strip())
        logger.warning("%s %s", problem.msg, problem.hint)
    if doctor.is_read_only():
        raise WrongDatabase(" ".join(doctor.READ_ONLY))


def run() -> None:
    """Run a worker until SIGTERM or SIGINT; running tasks are finished first. Call `start` before."""
    stop = threading.Event()

    def request_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, request_stop)
    Worker(stop).run()


def run_once() -> int:
    """Do what is due and return how much was done, for cron. Raises WrongDatabase.

    All products are refreshed only if no worker has run for an hour.
    """
    check_database()
    now = timezone.now()
    if not Heartbeat.objects.filter(beat_at__gt=now - HOUR, beat_at__lte=now).exists():
        refresh.request_refresh_of_all()
    publisher.resume(stopped_before=now - HOUR)
    heartbeat.record(f"{socket.gethostname()[:90]}:once", now, timeout=HOUR)
    done = drain(now, hourly=not missed_events.listed_since(now - HOUR))
    return done + alerts.notify_owner(now)


# --- The loop ---------------------------------------------------------------------------------


class Worker:
    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Run the tasks until `stop` is set: those with an `own_thread` in a thread each, the others here in turn."""
        threads = [
            threading.Thread(target=self._repeat, args=([task],), name=task.path, daemon=True)
            for task in [*WORKER_TASKS, *EXAMINE]
            if task.own_thread
            for _thread in range(task.threads)
        ]
        for thread in threads:
            thread.start()
        logger.info("Worker %s started", heartbeat.worker_name())
        self._repeat([BEAT, *(task for task in WORKER_TASKS if not task.own_thread)])
        for thread in threads:
            thread.join(SHUTDOWN_GRACE)
        logger.info("Worker %s stopped", heartbeat.worker_name())

    def _repeat(self, tasks: Sequence[WorkerTask]) -> None:
        scheduled = [ScheduledTask(task) for task in tasks]
        try:
            while not self.stop.is_set():
                for each in scheduled:
                    if not self.stop.is_set() and each.rest() <= 0:
                        each.run()
                self.stop.wait(min(each.rest() for each in scheduled))
        finally:
            connections.close_all()  # Connections belong to the thread.


class ScheduledTask:
    """Schedule of one task: again at once while it finds work. Times are seconds of the monotonic clock."""

    def __init__(self, task: WorkerTask) -> None:
        self.task, self.due_at, self.failures = task, 0.0, 0
        self.found_work_at: float | None = None

    def rest(self) -> float:
        return max(0.0, self.due_at - time.monotonic())

    def run(self) -> None:
        try:
            close_old_connections()
            if _call(self.task, timezone.now()):
                pause, self.found_work_at = 0.0, time.monotonic()
            else:
                # While it keeps finding work, a task with `in_a_rush` rests more briefly.
                found = self.found_work_at
                is_rush = found is not None and time.monotonic() - found < RUSH
                pause = (is_rush and self.task.in_a_rush) or self.task.every
            self.failures = 0
        except Exception as exc:
            # Exponential backoff. It starts at a second or less, so that hourly tasks are retried soon too.
            self.failures += 1
            backoff = min(self.task.every, 1.0) * 2 ** min(self.failures, 12)
            pause = min(backoff, max(MAX_REST, self.task.every))
            if isinstance(exc, StripeCallError):
                logger.warning("%s will be retried in %d s: %s", self.task.path, pause, exc)
            else:
                logger.error("%s failed and will be retried", self.task.path, exc_info=exc)
        self.due_at = time.monotonic() + pause


# --- Without a loop ---------------------------------------------------------------------------


def drain(now: datetime | None = None, *, hourly: bool = False) -> int:
    """Run the tasks in turn until nothing is left to do; returns how much was done. Never sleeps.

    Work that is due within DRAIN_AHEAD (a stock update that collects movements, a retry) is done early, by passing
    a later `now`. `hourly`: include tasks that run once a minute or less often, once.
    """
    often = [task for task in WORKER_TASKS if task.every < 60]
    first = WORKER_TASKS if hourly else often
    now = now or timezone.now()
    done, latest = 0, now + DRAIN_AHEAD
    idle = 0  # tasks since the last one that found work
    for number, task in enumerate(chain(first, islice(cycle(often), MAX_ROUNDS * len(often))), 1):
        did = run_task(task, now)
        done += did
        idle = 0 if did else idle + (task.every < 60)
        if number < len(first) or idle < len(often):
            continue
        next_due = _next_due(now)
        if next_due is None or next_due > latest:
            return done
        now, idle = next_due, 0
    raise RuntimeError(f"Tasks still found work after {MAX_ROUNDS} rounds.")


def _next_due(now: datetime) -> datetime | None:
    due = [
        query().filter(**{f"{column}__gt": now}).aggregate(at=Min(column))["at"]
        for query, column in WAITING
        if any_rows(query)
    ]
    return min((at for at in due if at is not None), default=None)


def run_task(task: WorkerTask, now: datetime) -> int:
    """Run a task once; returns how much it did. Errors of Stripe are logged, all others are raised."""
    try:
        return _call(task, now)
    except StripeCallError as exc:
        logger.warning("%s: %s", task.path, exc)
        return 0


def _call(task: WorkerTask, now: datetime) -> int:
    if task.only_if and not any(any_rows(import_string(query)) for query in task.only_if):
        return 0
    function: Callable[[datetime], int] = import_string(task.path)
    return function(now)
