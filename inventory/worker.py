"""The worker: runs the tasks of config.worker_tasks until stopped, those that wait for other services in threads.

Any number of workers on any number of hosts may run: work is claimed through leases in the database.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import FrameType

from django.core.checks import ERROR
from django.db import close_old_connections, connections
from django.db.models import Min, Q
from django.utils import timezone
from django.utils.module_loading import import_string

from config.stripe_client import StripeCallError
from config.worker_tasks import WORKER_TASKS, WorkerTask
from inventory import alerts, checks
from inventory.models import Heartbeat, StripeEvent
from inventory.stripe_sync import missed_events, publisher, refresh

logger = logging.getLogger(__name__)

HEARTBEAT_INTERVAL = 10.0  # seconds
HEARTBEAT_TIMEOUT = timedelta(minutes=1)  # without a heartbeat until the admin warns
HEARTBEAT_RETENTION = timedelta(days=1)
MAX_REST = 30.0  # seconds between attempts of a failing task
SHUTDOWN_GRACE = 20.0  # seconds for threads to finish their requests to Stripe when the worker is stopped
STARTUP_TIMEOUT = timedelta(seconds=10)
MAX_ROUNDS = 10_000
# Runs of “--once” within this time count as one worker: they skip the full refresh and the hourly tasks.
HOUR = timedelta(hours=1)


class WrongDatabase(Exception):
    """The database is not suitable for the ledger."""


def run_task(duty: WorkerTask, now: datetime) -> int:
    """Run a task once; returns how much it did. Errors of Stripe are logged, all others are raised."""
    try:
        return _call(duty, now)
    except StripeCallError as exc:
        logger.warning("%s: %s", duty.path, exc)
        return 0


def _call(duty: WorkerTask, now: datetime) -> int:
    function: Callable[[datetime], int] = import_string(duty.path)
    return function(now)


def start() -> None:
    """Check the database, resume stock updates and request a refresh of every product.

    Stripe may have changed while no worker was running. Raises WrongDatabase.
    """
    check_database()
    publisher.resume()
    refresh.request_refresh_of_all()


def check_database() -> None:
    """Raise WrongDatabase for errors of the system checks; log their warnings."""
    for problem in checks.run_startup_checks():
        if problem.level >= ERROR:
            raise WrongDatabase(f"{problem.msg} {problem.hint or ''}".strip())
        logger.warning("%s %s", problem.msg, problem.hint)


def run_once() -> int:
    """Do what is due and return how much was done, for cron. Raises WrongDatabase.

    All products are refreshed only if no worker has run for an hour.
    """
    check_database()
    now = timezone.now()
    if not Heartbeat.objects.filter(beat_at__gt=now - HOUR, beat_at__lte=now).exists():
        refresh.request_refresh_of_all()
    publisher.resume(stopped_before=now - HOUR)
    _beat(f"{socket.gethostname()[:90]}:once", now, timeout=HOUR)
    done = drain(now, hourly=not missed_events.listed_since(now - HOUR))
    return done + alerts.notify_owner(now)


class Worker:
    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Run until `stop` is set: tasks marked `alone` in a thread each, the others here in turn. Call `start` first."""
        beat = WorkerTask("inventory.worker.beat", every=HEARTBEAT_INTERVAL, own_thread=False)
        alone = [duty for duty in WORKER_TASKS if duty.own_thread]
        threads = [
            threading.Thread(target=self._repeat, args=([duty],), name=duty.path, daemon=True)
            for duty in alone
        ]
        for thread in threads:
            thread.start()
        logger.info("Worker %s started", name())
        self._repeat([beat, *(duty for duty in WORKER_TASKS if not duty.own_thread)])
        for thread in threads:
            thread.join(SHUTDOWN_GRACE)
        logger.info("Worker %s stopped", name())

    def _repeat(self, duties: Sequence[WorkerTask]) -> None:
        rounds = [_ScheduledTask(duty) for duty in duties]
        try:
            while not self.stop.is_set():
                for each in rounds:
                    if not self.stop.is_set() and each.is_due():
                        each.run()
                self.stop.wait(min(each.rest() for each in rounds))
        finally:
            connections.close_all()  # Connections belong to the thread.


class _ScheduledTask:
    """Schedule of one task: again at once while it finds work. Times are seconds of the monotonic clock."""

    def __init__(self, duty: WorkerTask) -> None:
        self.duty, self.due_at, self.failures = duty, 0.0, 0

    def is_due(self) -> bool:
        return self.rest() <= 0

    def rest(self) -> float:
        return max(0.0, self.due_at - time.monotonic())

    def run(self) -> None:
        try:
            close_old_connections()
            busy = _call(self.duty, timezone.now()) > 0
            self.failures = 0
        except Exception as error:
            busy = False
            self.failures += 1
            self._log(error)
        self.due_at = time.monotonic() + (0 if busy else self._pause())

    def _log(self, error: Exception) -> None:
        if isinstance(error, StripeCallError):
            logger.warning("%s will be retried in %d s: %s", self.duty.path, self._pause(), error)
        else:
            logger.error("%s failed and will be retried", self.duty.path, exc_info=error)

    def _pause(self) -> float:
        # Exponential backoff after failures. It starts at a second or less, so that hourly tasks are retried soon too.
        if not self.failures:
            return self.duty.every
        growing: float = min(self.duty.every, 1.0) * 2 ** min(self.failures, 12)
        return min(growing, max(MAX_REST, self.duty.every))


def name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def beat(now: datetime) -> int:
    _beat(name(), now, timeout=HEARTBEAT_TIMEOUT)
    Heartbeat.objects.filter(
        Q(beat_at__lt=now - HEARTBEAT_RETENTION) | Q(beat_at__gt=now + HEARTBEAT_RETENTION)
    ).delete()
    return 0


def _beat(who: str, now: datetime, *, timeout: timedelta) -> None:
    """`timeout`: time without a beat before this worker counts as stopped."""
    Heartbeat.objects.update_or_create(
        name=who, defaults={"beat_at": now, "timeout": int(timeout.total_seconds())}
    )


def work() -> None:
    """Run a worker until SIGTERM or SIGINT; running tasks are finished first."""
    stop = threading.Event()

    def be_asked(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, be_asked)
    Worker(stop).run()


def drain(now: datetime | None = None, *, hourly: bool = False) -> int:
    """Run the tasks in turn until nothing is left to do; returns how much was done. Never sleeps.

    Work that is due within PATIENCE (a stock update that collects movements, a retry) is done early, by passing
    a later `now`. `hourly`: include tasks that run once a minute or less often.
    """
    duties = [duty for duty in WORKER_TASKS if hourly or duty.every < 60]
    now = now or timezone.now()
    done, timeout = 0, now + STARTUP_TIMEOUT
    for _round in range(MAX_ROUNDS):
        did = sum(run_task(duty, now) for duty in duties)
        done += did
        if not did:
            next_due = _next_due(now)
            if next_due is None or next_due > timeout:
                return done
            now = next_due
        duties = [duty for duty in duties if duty.every < 60]
    raise RuntimeError(f"Tasks still found work after {MAX_ROUNDS} rounds.")


def _next_due(now: datetime) -> datetime | None:
    events = StripeEvent.objects.filter(state=StripeEvent.State.WAITING, next_attempt_at__gt=now)
    products = publisher.pending_products().filter(next_attempt_at__gt=now)
    looks = refresh.pending_refreshes().filter(next_refresh_at__gt=now)
    moments = [
        events.aggregate(at=Min("next_attempt_at"))["at"],
        products.aggregate(at=Min("next_attempt_at"))["at"],
        looks.aggregate(at=Min("next_refresh_at"))["at"],
    ]
    return min((moment for moment in moments if moment is not None), default=None)
