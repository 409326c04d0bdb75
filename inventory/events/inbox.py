"""Store Stripe events and handle them: lease, call the handlers, retry with backoff, open an issue on failure.

config.stripe_events lists the handlers by event type. A handler first reads what it needs from Stripe and then runs
one idempotent transaction, because an event may be handled again after a crash at any step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from config.json_cleaning import loads_clean
from config.stripe_client import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidRequest,
    NotConfigured,
    PermissionDenied,
    StripeCallError,
)
from config.stripe_events import EVENTS
from inventory import issues
from inventory.db import insert_new
from inventory.leases import is_due, lease_free
from inventory.models import Issue, StripeEvent

logger = logging.getLogger(__name__)

Json = dict[str, Any]
LEASE = timedelta(seconds=60)
BATCH_SIZE = 50  # events per run, so that the worker can stop in between
INSERT_BATCH_SIZE = 200  # events per INSERT: databases limit the parameters of a statement, SQLite to 32,766
MAX_ATTEMPTS = 10
MAX_LEASES = 15  # of an event whose handling never finishes, for example because it kills the process
MAX_BACKOFF = timedelta(minutes=10)
MAX_LENGTH_ID = 255
KEY_ERRORS = (AuthenticationFailed, PermissionDenied, NotConfigured)
KEY_ISSUE = (Issue.Kind.STRIPE_KEY, "events")


class NotAnEvent(ValueError):
    """The payload is not an event that can be stored."""


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
    """Parse a signed body. Raises NotAnEvent if it is not a JSON object with an id."""
    try:
        event = loads_clean(body)
    except (ValueError, RecursionError) as error:
        raise NotAnEvent(f"The body is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise NotAnEvent("The body is not a JSON object.")
    name = event.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_LENGTH_ID:
        raise NotAnEvent("The event has no id.")
    return event


def check_mode(event: Json) -> None:
    """Raise NotAnEvent for a test event with a live key, or a live event with a test key."""
    live, key = bool(event.get("livemode")), settings.STRIPE_SECRET_KEY
    if live != ("_live_" in key):
        event_mode, key_mode = ("live", "a test key") if live else ("test", "a live key")
        raise NotAnEvent(
            f"The event is from {event_mode} mode, but STRIPE_SECRET_KEY is {key_mode if key else 'not set'}."
        )


def store_events(events: Iterable[Json]) -> list[str]:
    """Store events whose ids are not stored yet. Returns the new ids.

    `parse` and the gateways have already cleaned the JSON, so that every database can store it.
    """
    now = timezone.now()
    rows = sorted((_row(event, now) for event in events), key=lambda row: row.id)
    unique = list({row.id: row for row in rows}.values())
    parts = (unique[begin : begin + INSERT_BATCH_SIZE] for begin in range(0, len(unique), INSERT_BATCH_SIZE))
    return [row.id for part in parts for row in _insert(part)]


def _insert(rows: Sequence[StripeEvent]) -> list[StripeEvent]:
    return insert_new(rows, unique=("id",))


def _row(event: Json, now: datetime) -> StripeEvent:
    return StripeEvent(
        id=event["id"],
        type=str(event.get("type") or "")[:MAX_LENGTH_ID],
        created_at=_datetime(event.get("created"), now),
        livemode=bool(event.get("livemode")),
        object_id=_object_id(event),
        payload=event,
        next_attempt_at=now,
    )


def _datetime(seconds: object, now: datetime) -> datetime:
    """Convert Unix seconds; fall back to `now` if they are missing or out of range."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def _object_id(event: Json) -> str:
    try:
        return str(event["data"]["object"]["id"])[:MAX_LENGTH_ID]
    except (KeyError, TypeError):
        return ""


# --- Handling ---------------------------------------------------------------------------------


def process_local(now: datetime) -> int:
    """Worker task: handle due events without calling Stripe. Returns the number of events taken."""
    return _process_due(now, needs_stripe=False)


def process_remote(now: datetime) -> int:
    """Worker task: handle due events that need a call to Stripe. Returns the number of events taken."""
    with allow_stripe_calls():
        return _process_due(now, needs_stripe=True)


def _process_due(now: datetime, *, needs_stripe: bool) -> int:
    waiting = _due(now).filter(needs_stripe=needs_stripe).order_by("next_attempt_at", "received_at")
    taken = 0
    for event_id in list(waiting.values_list("pk", flat=True)[:BATCH_SIZE]):
        event = _claim(event_id, now)
        if event is not None:
            taken += 1
            if isinstance(_attempt(event, now), ConnectionFailed):
                break  # Stripe is unreachable; the other events would each wait for the same timeout.
    return taken


def _due(now: datetime) -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(
        lease_free(), is_due("next_attempt_at", now), state=StripeEvent.State.WAITING
    )


def handle(event_id: str, now: datetime) -> bool:
    """Lease one event and handle it. False if it is leased by another worker, not due, or failed."""
    event = _claim(event_id, now)
    return event is not None and _attempt(event, now) is None


def _claim(event_id: str, now: datetime) -> StripeEvent | None:
    # The conditional UPDATE is atomic: only one worker gets the event.
    claimed = _due(now).filter(pk=event_id).update(lease_until=Now() + LEASE, attempts=F("attempts") + 1)
    fault_point("handle.claimed")
    if not claimed:
        return None
    event = StripeEvent.objects.get(pk=event_id)
    if event.attempts > MAX_LEASES:
        _mark_failed(event, event.error or "Handling never finished; it may crash the process.")
        return None
    return event


def _attempt(event: StripeEvent, now: datetime) -> Exception | None:
    """Call the handlers. An exception is stored with the event and returned."""
    try:
        for handler in _handlers(event.type):
            handler(event)
            fault_point("handle.handler_done")
    except Exception as error:
        if isinstance(error, NeedsStripeAccess) and not stripe_calls_allowed():
            _finish(event, needs_stripe=True, attempts=0)
            return error
        _retry_later(event, error, now)
        return error
    _finish(event, state=StripeEvent.State.HANDLED, handled_at=timezone.now(), error="")
    _close_key_issue(event)
    fault_point("handle.finished")
    return None


def _handlers(event_type: str) -> list[Callable[[StripeEvent], object]]:
    return [import_string(path) for path in EVENTS.get(event_type, [])]


def _finish(event: StripeEvent, **changes: Any) -> None:
    StripeEvent.objects.filter(pk=event.pk).update(lease_until=None, **changes)


def _retry_later(event: StripeEvent, error: Exception, now: datetime) -> None:
    """Retry with backoff; after MAX_ATTEMPTS mark as failed. Transient errors of Stripe are retried without limit."""
    text = f"{type(error).__name__}: {error}"
    logger.error("Event %s (%s) failed at attempt %d: %s", event.pk, event.type, event.attempts, text)
    if isinstance(error, KEY_ERRORS):
        sentence = _("Events are not processed: %(error)s")
        issues.open_issue(*KEY_ISSUE, sentence, error=error)
    if _is_transient(error) or event.attempts < MAX_ATTEMPTS:
        wait = min(timedelta(seconds=2 ** min(event.attempts - 1, 20)), MAX_BACKOFF)
        attempts = min(event.attempts, MAX_ATTEMPTS - 1) if _is_transient(error) else event.attempts
        _finish(event, error=text, next_attempt_at=now + wait, attempts=attempts)
        return
    logger.error("Traceback of event %s:", event.pk, exc_info=error)
    _mark_failed(event, text)


def _mark_failed(event: StripeEvent, text: str) -> None:
    logger.error("Event %s failed permanently; replay it when the cause is fixed", event.pk)
    _finish(event, error=text, state=StripeEvent.State.FAILED)
    sentence = _("%(type)s failed after %(tries)d attempts: %(error)s")
    issues.open_issue(
        Issue.Kind.EVENT_FAILED, event.pk, sentence, type=event.type, tries=event.attempts, error=text
    )


def _close_key_issue(passed: StripeEvent) -> None:
    # The key works again. Keep the issue open while other events still wait because of the key.
    names = "|".join(kind.__name__ for kind in KEY_ERRORS)
    waiting = StripeEvent.objects.filter(state=StripeEvent.State.WAITING, error__regex=f"^({names}):")
    if passed.error.startswith(tuple(kind.__name__ for kind in KEY_ERRORS)) and not waiting.exists():
        issues.close(*KEY_ISSUE)


def _is_transient(error: Exception) -> bool:
    # Stripe, or the network, failed. A request that Stripe rejects would be rejected again.
    return isinstance(error, StripeCallError) and not isinstance(error, InvalidRequest)


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
