"""Store Stripe events and handle them: lease, call the handlers, retry with backoff, open an issue on failure.

config.stripe_events lists the handlers by event type. A handler first reads what it needs from Stripe and then runs
one idempotent transaction, because an event may be handled again after a crash at any step.

Events are leased and finished many at a time, and those of TOGETHER are handled many at a time too: in a rush, most of
the time would go into statements for single rows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_noop as _

from config.coerce import as_datetime, as_mapping, as_text, loads_clean
from config.fault_points import fault_point
from config.logs import log_context
from config.stripe_client import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidRequest,
    NotConfigured,
    PermissionDenied,
    StripeCallError,
)
from config.stripe_events import EVENTS, TOGETHER
from inventory import gateway, issues
from inventory.db import insert_new
from inventory.leases import is_due, lease_free
from inventory.models import Issue, StripeEvent

logger = logging.getLogger(__name__)

Json = dict[str, Any]
LEASE = timedelta(seconds=60)
BATCH_SIZE = 100  # events per run, so that the worker can stop in between
INSERT_BATCH_SIZE = 200  # events per INSERT: databases limit the parameters of a statement, SQLite to 32,766
MAX_ATTEMPTS = 10
MAX_LEASES = 15  # of an event whose handling never finishes, for example because it kills the process
MAX_BACKOFF = timedelta(minutes=10)
MAX_LENGTH_ID = 255
KEY_ERRORS = (AuthenticationFailed, PermissionDenied, NotConfigured)
KEY_ERROR_NAMES = tuple(kind.__name__ for kind in KEY_ERRORS)  # as in StripeEvent.error
THIN_EVENT, THIN_TYPE_PREFIX = "v2.core.event", "v1."
KEY_ISSUE = (Issue.Kind.STRIPE_KEY, "events")


class NotAnEvent(ValueError):
    """The payload is not an event that can be stored."""


class EventOfOtherAccount(ValueError):
    """A Connect event: its product of the same id as ours is not ours."""


class NeedsStripeAccess(Exception):
    """Raised by a handler that must call Stripe where it may not; `process_remote` then handles the event."""


_may_call: ContextVar[bool] = ContextVar("may_call_stripe", default=False)


def stripe_calls_allowed() -> bool:
    """Whether handlers may call Stripe in this context; one that must call it raises NeedsStripeAccess otherwise."""
    return _may_call.get()


@contextmanager
def allow_stripe_calls() -> Iterator[None]:
    token = _may_call.set(True)
    try:
        yield
    finally:
        _may_call.reset(token)


# --- Storing ----------------------------------------------------------------------------------


def parse(body: bytes) -> Json:
    """Parse a signed body. Raises NotAnEvent unless it is a JSON object with an id, in the mode of our key.

    Raises EventOfOtherAccount for events of connected accounts.
    """
    try:
        event = loads_clean(body)
    except (ValueError, RecursionError) as exc:
        raise NotAnEvent(f"The body is not JSON: {exc}") from exc
    if not isinstance(event, dict):
        raise NotAnEvent("The body is not a JSON object.")
    event_id = event.get("id")
    if not isinstance(event_id, str) or not 0 < len(event_id) <= MAX_LENGTH_ID:
        raise NotAnEvent("The event has no id.")
    # A test event must not change what was sold with a live key, nor the other way round.
    live, key = bool(event.get("livemode")), settings.STRIPE_SECRET_KEY
    if live != ("_live_" in key):
        event_mode, key_mode = ("live", "a test key") if live else ("test", "a live key")
        raise NotAnEvent(
            f"The event is from {event_mode} mode, but STRIPE_SECRET_KEY is {key_mode if key else 'not set'}."
        )
    # https://docs.stripe.com/connect/webhooks; thin events name the account as their context.
    account = as_text(event.get("account"))
    if event.get("object") == THIN_EVENT:
        account = account or as_text(event.get("context"))
    if account:
        raise EventOfOtherAccount(
            f"The event {event_id} is of the connected account {account[:MAX_LENGTH_ID]}."
        )
    return event


def store_events(events: Iterable[Json]) -> list[str]:
    """Store events whose ids are not stored yet. Returns the new ids.

    `parse` and the gateways have already cleaned the JSON, so that every database can store it.
    """
    now, rows = timezone.now(), dict[str, StripeEvent]()
    for event in events:
        type = str(event.get("type") or "")[:MAX_LENGTH_ID]
        subject = as_mapping(as_mapping(event.get("data")).get("object"))
        if event.get("object") == THIN_EVENT:
            subject = as_mapping(event.get("related_object"))
        has_handlers = type.removeprefix(THIN_TYPE_PREFIX) in EVENTS
        rows[event["id"]] = StripeEvent(
            id=event["id"],
            type=type,
            created_at=as_datetime(event.get("created")) or now,
            livemode=bool(event.get("livemode")),
            object_id=str(subject.get("id") or "")[:MAX_LENGTH_ID],
            payload=event,
            next_attempt_at=now,
            # Nothing is done about an event without handlers.
            state=StripeEvent.State.WAITING if has_handlers else StripeEvent.State.HANDLED,
            handled_at=None if has_handlers else now,
        )
    # In the order of the ids, as everywhere: two transactions that insert the same events cannot deadlock.
    ordered, new = [rows[event_id] for event_id in sorted(rows)], list[StripeEvent]()
    for begin in range(0, len(ordered), INSERT_BATCH_SIZE):
        new += insert_new(ordered[begin : begin + INSERT_BATCH_SIZE], unique=("id",))
    return [row.id for row in new]


class EventBatcher:
    """Group commit, shared by the threads of a process: one of them inserts the events of all waiting deliveries.

    In a rush, events arrive faster than a database can commit them one by one, and SQLite allows one writer at a time.
    Deliveries that arrive during an insert wait, and the next thread inserts all of them. Each delivery is answered once
    its own event is committed, and an event that cannot be stored does not fail the others.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Json, Future[bool]]] = deque()
        self._inserting = threading.Lock()

    def store(self, event: Json) -> bool:
        """Store one event. False if it was stored before; raises the error of its own insert."""
        stored: Future[bool] = Future()
        self._waiting.append((event, stored))
        with self._inserting:
            if not stored.done():
                _store_deliveries([self._waiting.popleft() for _ in range(len(self._waiting))])
        # A timeout of 0 raises if the insert has no result for this event: never report it as stored then.
        return stored.result(timeout=0)


def _store_deliveries(deliveries: Sequence[tuple[Json, Future[bool]]]) -> None:
    try:
        new = set(store_events(event for event, _ in deliveries))
    except OperationalError as exc:
        # The database is unavailable or locked for too long, which affects all deliveries.
        for _, stored in deliveries:
            stored.set_exception(exc)
    except Exception as exc:
        if len(deliveries) == 1:
            deliveries[0][1].set_exception(exc)
        else:
            for delivery in deliveries:
                _store_deliveries([delivery])
    else:
        for event, stored in deliveries:
            stored.set_result(event["id"] in new)


# --- Handling ---------------------------------------------------------------------------------


def waiting_for_the_database() -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(state=StripeEvent.State.WAITING, needs_stripe=False)


def waiting_for_stripe() -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(state=StripeEvent.State.WAITING, needs_stripe=True)


def process_local(now: datetime) -> int:
    """Worker task: handle due events without calling Stripe. Returns the number of events taken."""
    return _process_due(StripeEvent.objects.filter(needs_stripe=False), now)[0]


def process_remote(now: datetime) -> int:
    """Worker task: handle due events that need a call to Stripe. Returns the number of events taken."""
    with allow_stripe_calls():
        return _process_due(StripeEvent.objects.filter(needs_stripe=True), now)[0]


def handle(event_id: str, now: datetime) -> bool:
    """Lease one event and handle it. False if it is leased by another worker, not due, or failed."""
    taken, error = _process_due(StripeEvent.objects.filter(pk=event_id), now)
    return bool(taken) and error is None


def _process_due(among: QuerySet[StripeEvent], now: datetime) -> tuple[int, Exception | None]:
    # Lease those of the events that are due, and handle them. Returns the number taken, and the last error.
    due = among.filter(lease_free(), is_due("next_attempt_at", now), state=StripeEvent.State.WAITING)
    due = due.order_by("next_attempt_at", "received_at")
    together, alone = list[str](), list[list[str]]()
    for event_id, attempts, needs_stripe in due.values_list("pk", "attempts", "needs_stripe")[:BATCH_SIZE]:
        # An event that ended its worker must not take fresh ones with it, nor must one that waits for Stripe.
        if attempts or needs_stripe:
            alone.append([event_id])
        else:
            together.append(event_id)
    taken, error = 0, None
    for event_ids in [together, *alone] if together else alone:
        with transaction.atomic():
            # Only one worker gets an event.
            events = list(due.filter(pk__in=event_ids).select_for_update(skip_locked=True))
            leased = StripeEvent.objects.filter(pk__in=[event.pk for event in events])
            leased.update(lease_until=Now() + LEASE, attempts=F("attempts") + 1)
        fault_point("handle.leased")
        for event in events:
            event.attempts += 1
            if event.attempts > MAX_LEASES:
                _mark_failed(event, event.error or "Handling never finished; it may crash the process.")
        events = [event for event in events if event.attempts <= MAX_LEASES]
        taken += len(events)
        error = _handle_leased(events, now)
        if isinstance(error, ConnectionFailed):
            break  # Stripe is unreachable; the other events would each wait for the same timeout.
    return taken, error


def _handle_leased(events: Sequence[StripeEvent], now: datetime) -> Exception | None:
    # Handle leased events, many together where a handler can. Returns the last error, which is stored with its event.
    settled: set[str] = set()
    for type, path in TOGETHER.items():
        group = [event for event in events if event.type == type]
        if group:
            try:
                settled |= import_string(path)(group)
            except Exception as exc:
                # One of them may be to blame: each is tried alone, and fails alone.
                logger.warning("%d events are handled one by one: %s", len(group), exc)
    fault_point("handle.settled")
    until, error, handled = time.monotonic() + LEASE.total_seconds() / 2, None, list[StripeEvent]()
    for position, event in enumerate(events):
        if time.monotonic() > until:
            # The lease may end before the rest is handled.
            rest = StripeEvent.objects.filter(pk__in=[event.pk for event in events[position:]])
            rest.update(lease_until=None, attempts=F("attempts") - 1)
            break
        failure = None if event.pk in settled else _attempt(event, now)
        if failure is None:
            handled.append(event)
        error = failure or error
    # One without a lease was queued again meanwhile, and is handled again.
    leased = StripeEvent.objects.filter(pk__in=[event.pk for event in handled]).exclude(lease_until=None)
    leased.update(lease_until=None, state=StripeEvent.State.HANDLED, handled_at=timezone.now(), error="")
    # If one had failed because of the key, the key works again. Other events may still wait because of it.
    if any(event.error.startswith(KEY_ERROR_NAMES) for event in handled):
        waiting = StripeEvent.objects.filter(state=StripeEvent.State.WAITING)
        if not waiting.filter(error__regex=f"^({'|'.join(KEY_ERROR_NAMES)}):").exists():
            issues.close(*KEY_ISSUE)
    fault_point("handle.finished")
    return error


def _attempt(event: StripeEvent, now: datetime) -> Exception | None:
    # Call the handlers of a leased event. An exception is stored with the event and returned.
    try:
        is_thin = event.payload.get("object") == THIN_EVENT
        if is_thin and event.type.removeprefix(THIN_TYPE_PREFIX) in EVENTS:
            # Its snapshot event (`product.updated` of `v1.product.updated`) is then handled like a delivered one.
            if not stripe_calls_allowed():
                raise NeedsStripeAccess
            store_events([gateway.snapshot_event_of(event.payload)])
        for path in EVENTS.get(event.type, []):
            handler: Callable[[StripeEvent], object] = import_string(path)
            with log_context(event=event.pk):
                handler(event)
            fault_point("handle.handler_done")
    except Exception as exc:
        if isinstance(exc, NeedsStripeAccess) and not stripe_calls_allowed():
            _release(event, needs_stripe=True, attempts=0)
        else:
            _record_failure(event, exc, now)
        return exc
    return None


def _release(event: StripeEvent, **changes: Any) -> None:
    StripeEvent.objects.filter(pk=event.pk).update(lease_until=None, **changes)


def _record_failure(event: StripeEvent, error: Exception, now: datetime) -> None:
    # Schedule a retry with backoff, or mark the event as failed after MAX_ATTEMPTS.
    # Failures of Stripe or the network are retried without limit. A request that Stripe rejects is not one of them:
    # it would be rejected again.
    text = f"{type(error).__name__}: {error}"
    logger.error("Event %s (%s) failed at attempt %d: %s", event.pk, event.type, event.attempts, text)
    if isinstance(error, KEY_ERRORS):
        issues.open_issue(*KEY_ISSUE, _("Events are not processed: %(error)s"), error=error)
    is_transient = isinstance(error, StripeCallError) and not isinstance(error, InvalidRequest)
    if not is_transient and event.attempts >= MAX_ATTEMPTS:
        logger.error("Traceback of event %s:", event.pk, exc_info=error)
        _mark_failed(event, text)
        return
    wait = min(timedelta(seconds=2 ** min(event.attempts - 1, 20)), MAX_BACKOFF)
    attempts = min(event.attempts, MAX_ATTEMPTS - 1) if is_transient else event.attempts
    _release(event, error=text, next_attempt_at=now + wait, attempts=attempts)


def _mark_failed(event: StripeEvent, text: str) -> None:
    logger.error("Event %s failed permanently; replay it when the cause is fixed", event.pk)
    _release(event, error=text, state=StripeEvent.State.FAILED)
    issues.open_issue(
        Issue.Kind.EVENT_FAILED,
        event.pk,
        _("%(type)s failed after %(attempts)d attempts: %(error)s"),
        type=event.type,
        attempts=event.attempts,
        error=text,
    )


def replay(event_ids: Iterable[str], now: datetime) -> int:
    """Queue events for handling again, in whatever state they are; handlers are idempotent. Returns the number."""
    chosen = StripeEvent.objects.filter(pk__in=list(event_ids))
    for event_id in chosen.filter(state=StripeEvent.State.FAILED).values_list("pk", flat=True):
        issues.close(Issue.Kind.EVENT_FAILED, event_id)
    return chosen.update(
        state=StripeEvent.State.WAITING,
        attempts=0,
        next_attempt_at=now,
        lease_until=None,
        error="",
        handled_at=None,
    )
