"""What runs all the time? The loop over config.duties, in threads where something outside is waited for, until told to stop.

Any number of workers on any number of hosts may run: everything they do is claimed in the database.
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

from config.duties import DUTIES, Duty
from config.stripe_client import StripeTrouble
from inventory import alerts, catch_up, checks, look, publish
from inventory.models import Heartbeat, StripeEvent

logger = logging.getLogger(__name__)

BEAT_EVERY = 10.0  # seconds
QUIET = timedelta(minutes=1)  # so long a worker may be silent before the admin warns
FORGET_BEATS = timedelta(days=1)
LONGEST_REST = 30.0  # seconds between tries of a duty that fails
LAST_WORDS = 20.0  # seconds for a request that is on its way to Stripe when the worker is told to stop
PATIENCE = timedelta(seconds=10)
MOST_ROUNDS = 10_000
# What a cron job that comes that often need not do anew: for so long the runs of “--once” are one worker.
AN_HOUR = timedelta(hours=1)


class WrongDatabase(Exception):
    """The database is not one that the ledger can be kept in; the text says why."""


def run(duty: Duty, now: datetime) -> int:
    """Do one duty once; returns how much it did. Stripe's troubles are logged, everything else is raised."""
    try:
        return _do(duty, now)
    except StripeTrouble as trouble:
        logger.warning("%s: %s", duty.path, trouble)
        return 0


def _do(duty: Duty, now: datetime) -> int:
    function: Callable[[datetime], int] = import_string(duty.path)
    return function(now)


def start() -> None:
    """What a worker does before anything else: nothing that happened while it was away is taken for granted.

    Raises WrongDatabase where the ledger could not decide rightly.
    """
    check_database()
    publish.resume()
    look.want_all()


def check_database() -> None:
    """Raises WrongDatabase; what is not so bad is logged."""
    for problem in checks.at_start():
        if problem.level >= ERROR:
            raise WrongDatabase(f"{problem.msg} {problem.hint or ''}".strip())
        logger.warning("%s %s", problem.msg, problem.hint)


def once() -> int:
    """Do what is due and end, for cron; returns how much was done. Stripe is read anew only if nobody did for an hour.

    Raises WrongDatabase.
    """
    check_database()
    now = timezone.now()
    if not Heartbeat.objects.filter(beat_at__gt=now - AN_HOUR, beat_at__lte=now).exists():
        look.want_all()
    publish.resume(stopped_before=now - AN_HOUR)
    _beat(f"{socket.gethostname()[:90]}:once", now, patience=AN_HOUR)
    done = drain(now, hourly=not catch_up.was_listed_since(now - AN_HOUR))
    return done + alerts.tell_the_owner(now)


class Worker:
    """Runs until `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Duties that stand alone in a thread each, the others here, in turn. `start` goes before it."""
        beat = Duty("inventory.worker.beat", every=BEAT_EVERY, alone=False)
        alone = [duty for duty in DUTIES if duty.alone]
        threads = [
            threading.Thread(target=self._repeat, args=([duty],), name=duty.path, daemon=True)
            for duty in alone
        ]
        for thread in threads:
            thread.start()
        logger.info("Worker %s is at work", name())
        self._repeat([beat, *(duty for duty in DUTIES if not duty.alone)])
        for thread in threads:
            thread.join(LAST_WORDS)
        logger.info("Worker %s has stopped", name())

    def _repeat(self, duties: Sequence[Duty]) -> None:
        """Each duty when its time has come, at once again while it finds work; with a connection of this thread's own."""
        rounds = [_Round(duty) for duty in duties]
        try:
            while not self.stop.is_set():
                for each in rounds:
                    if not self.stop.is_set() and each.is_due():
                        each.go()
                self.stop.wait(min(each.rest() for each in rounds))
        finally:
            connections.close_all()


class _Round:
    """One duty's own rhythm. Times are seconds of a clock that never jumps."""

    def __init__(self, duty: Duty) -> None:
        self.duty, self.due_at, self.failures = duty, 0.0, 0

    def is_due(self) -> bool:
        return self.rest() <= 0

    def rest(self) -> float:
        return max(0.0, self.due_at - time.monotonic())

    def go(self) -> None:
        try:
            close_old_connections()
            busy = _do(self.duty, timezone.now()) > 0
            self.failures = 0
        except Exception as error:
            busy = False
            self.failures += 1
            self._log(error)
        self.due_at = time.monotonic() + (0 if busy else self._pause())

    def _log(self, error: Exception) -> None:
        if isinstance(error, StripeTrouble):
            logger.warning("%s is tried again in %d s: %s", self.duty.path, self._pause(), error)
        else:
            logger.error("%s failed; it is tried again", self.duty.path, exc_info=error)

    def _pause(self) -> float:
        """As often as the duty says; after a failure soon, and then with growing gaps, be the duty a rare one or not."""
        if not self.failures:
            return self.duty.every
        growing: float = min(self.duty.every, 1.0) * 2 ** min(self.failures, 12)
        return min(growing, max(LONGEST_REST, self.duty.every))


def name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def beat(now: datetime) -> int:
    """Say that this process is alive; the admin warns when nobody has for a minute."""
    _beat(name(), now, patience=QUIET)
    Heartbeat.objects.filter(Q(beat_at__lt=now - FORGET_BEATS) | Q(beat_at__gt=now + FORGET_BEATS)).delete()
    return 0


def _beat(who: str, now: datetime, *, patience: timedelta) -> None:
    """`patience`: how much silence of this one is no alarm."""
    Heartbeat.objects.update_or_create(
        name=who, defaults={"beat_at": now, "patience": int(patience.total_seconds())}
    )


def work() -> None:
    """Run a worker until SIGTERM or SIGINT; what is in hand is finished first."""
    stop = threading.Event()

    def be_asked(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, be_asked)
    Worker(stop).run()


def drain(now: datetime | None = None, *, hourly: bool = False) -> int:
    """Do all duties in turn until nothing is left to do; returns how much was done. Never sleeps.

    What waits for its time (a write that gathers movements, a second try) is waited for by reading the clock
    up to ten seconds ahead. `hourly`: the rare duties too.
    """
    duties = [duty for duty in DUTIES if hourly or duty.every < 60]
    now = now or timezone.now()
    done, patience = 0, now + PATIENCE
    for _round in range(MOST_ROUNDS):
        did = sum(run(duty, now) for duty in duties)
        done += did
        if not did:
            next_due = _next_due(now)
            if next_due is None or next_due > patience:
                return done
            now = next_due
        duties = [duty for duty in duties if duty.every < 60]
    raise RuntimeError(f"The duties found no rest in {MOST_ROUNDS} rounds.")


def _next_due(now: datetime) -> datetime | None:
    """The next moment at which something that waits for its time may be done."""
    events = StripeEvent.objects.filter(state=StripeEvent.State.WAITING, next_try_at__gt=now)
    products = publish.waiting().filter(not_before__gt=now)
    looks = look.wished().filter(not_looked_before__gt=now)
    moments = [
        events.aggregate(at=Min("next_try_at"))["at"],
        products.aggregate(at=Min("not_before"))["at"],
        looks.aggregate(at=Min("not_looked_before"))["at"],
    ]
    return min((moment for moment in moments if moment is not None), default=None)
