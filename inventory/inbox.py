"""What becomes of an event that was remembered? It is claimed, handled, tried again, and at last a case.

Handlers are found by the event's type in config.stripe_events. Each reads what it needs from Stripe first and
is then one transaction that is harmless twice: an event may be handled again after a crash at any step.
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
from config.stripe_client import NoAnswer, NotAllowed, NotConfigured, Refused, StripeTrouble, WrongKey
from config.stripe_events import EVENTS
from config.texts import storable_json
from inventory import cases
from inventory.claims import due, free
from inventory.models import StripeEvent
from inventory.rows import insert_new

logger = logging.getLogger(__name__)

Json = dict[str, Any]
LEASE = timedelta(seconds=60)
A_ROUND = 50  # Events that one round of a worker takes at most, so that it can stop in between.
AT_ONCE = 200  # Events in one statement: a database takes so many values and no more, SQLite 32,766.
MOST_ATTEMPTS = 10
MOST_CLAIMS = 15  # Of an event whose handling never comes to an end, because the process dies of it.
LONGEST_WAIT = timedelta(minutes=10)
LONGEST_ID = 255
KEY_TROUBLE = (WrongKey, NotAllowed, NotConfigured)
KEY_CASE = (cases.KEY, "events")


class NotAnEvent(ValueError):
    """This is no event that can be remembered; the text says why."""


class NeedsStripe(Exception):
    """The handler must read from Stripe and may not just now: the event is handled by the duty that may."""


_may_call: ContextVar[bool] = ContextVar("may_call_stripe", default=False)


def may_call_stripe() -> bool:
    """May a handler read from Stripe here? If not, and it must, it raises NeedsStripe."""
    return _may_call.get()


@contextmanager
def stripe_allowed() -> Iterator[None]:
    token = _may_call.set(True)
    try:
        yield
    finally:
        _may_call.reset(token)


# --- Remembering ------------------------------------------------------------------------------


def parse(body: bytes) -> Json:
    """The event in a signed body. Raises NotAnEvent for what has no id to be remembered by."""
    try:
        event = storable_json(body)
    except (ValueError, RecursionError) as error:
        raise NotAnEvent(f"The body is no JSON: {error}") from error
    if not isinstance(event, dict):
        raise NotAnEvent("The body is no JSON object.")
    name = event.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        raise NotAnEvent("The event has no id.")
    return event


def check_mode(event: Json) -> None:
    """A test event at a live shop, or the other way round, is somebody's mistake. Raises NotAnEvent."""
    live, key = bool(event.get("livemode")), settings.STRIPE_SECRET_KEY
    if live != ("_live_" in key):
        theirs, ours = ("live", "a test key") if live else ("test", "a live key")
        raise NotAnEvent(
            f"The event is from {theirs} mode, but STRIPE_SECRET_KEY is {ours if key else 'not set'}."
        )


def remember(events: Iterable[Json]) -> list[str]:
    """Store events by their ids; what is known already stays as it is. Returns the ids that are new.

    Their texts are storable: `parse` and the gateways, by which events come in, made them so.
    """
    now = timezone.now()
    rows = sorted((_row(event, now) for event in events), key=lambda row: row.id)
    unique = list({row.id: row for row in rows}.values())
    parts = (unique[begin : begin + AT_ONCE] for begin in range(0, len(unique), AT_ONCE))
    return [row.id for part in parts for row in _insert(part)]


def _insert(rows: Sequence[StripeEvent]) -> list[StripeEvent]:
    return insert_new(rows, unique=("id",))


def _row(event: Json, now: datetime) -> StripeEvent:
    return StripeEvent(
        id=event["id"],
        type=str(event.get("type") or "")[:LONGEST_ID],
        created_at=_moment(event.get("created"), now),
        livemode=bool(event.get("livemode")),
        object_id=_object_id(event),
        payload=event,
        next_try_at=now,
    )


def _moment(seconds: object, now: datetime) -> datetime:
    """Stripe's seconds since 1970; `now` where an odd event has none that a calendar knows."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def _object_id(event: Json) -> str:
    try:
        return str(event["data"]["object"]["id"])[:LONGEST_ID]
    except (KeyError, TypeError):
        return ""


# --- Handling ---------------------------------------------------------------------------------


def handle_waiting(now: datetime) -> int:
    """Handle what is due and needs nothing from Stripe. Returns how many events were taken."""
    return _handle_due(now, needs_stripe=False)


def handle_with_stripe(now: datetime) -> int:
    """Handle what is due and must read from Stripe. Returns how many events were taken."""
    with stripe_allowed():
        return _handle_due(now, needs_stripe=True)


def _handle_due(now: datetime, *, needs_stripe: bool) -> int:
    """One round. It ends early where Stripe does not answer: the other events would wait as long for nothing."""
    waiting = _due(now).filter(needs_stripe=needs_stripe).order_by("next_try_at", "received_at")
    taken = 0
    for event_id in list(waiting.values_list("pk", flat=True)[:A_ROUND]):
        event = _claim(event_id, now)
        if event is not None:
            taken += 1
            if isinstance(_attempt(event, now), NoAnswer):
                break
    return taken


def _due(now: datetime) -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(free(), due("next_try_at", now), state=StripeEvent.State.WAITING)


def handle(event_id: str, now: datetime) -> bool:
    """Claim one event and handle it. False if somebody else has it, it is not due, or it failed."""
    event = _claim(event_id, now)
    return event is not None and _attempt(event, now) is None


def _claim(event_id: str, now: datetime) -> StripeEvent | None:
    """One conditional UPDATE decides which of several workers has the event."""
    claimed = _due(now).filter(pk=event_id).update(lease_until=Now() + LEASE, attempts=F("attempts") + 1)
    fault_point("handle.claimed")
    if not claimed:
        return None
    event = StripeEvent.objects.get(pk=event_id)
    if event.attempts > MOST_CLAIMS:
        _give_up(event, event.error or "Its handling never came to an end; perhaps the process dies of it.")
        return None
    return event


def _attempt(event: StripeEvent, now: datetime) -> Exception | None:
    """Call the handlers; what one of them raises stays with the event and is returned."""
    try:
        for handler in _handlers(event.type):
            handler(event)
            fault_point("handle.handler_done")
    except Exception as error:
        if isinstance(error, NeedsStripe) and not may_call_stripe():
            _finish(event, needs_stripe=True, attempts=0)
            return error
        _try_again(event, error, now)
        return error
    _finish(event, state=StripeEvent.State.HANDLED, handled_at=timezone.now(), error="")
    _close_key_case(event)
    fault_point("handle.finished")
    return None


def _handlers(event_type: str) -> list[Callable[[StripeEvent], object]]:
    return [import_string(path) for path in EVENTS.get(event_type, [])]


def _finish(event: StripeEvent, **changes: Any) -> None:
    StripeEvent.objects.filter(pk=event.pk).update(lease_until=None, **changes)


def _try_again(event: StripeEvent, error: Exception, now: datetime) -> None:
    """Back off; at last give up and tell the owner. A Stripe that is away is waited for, however long."""
    text = f"{type(error).__name__}: {error}"
    logger.error("Event %s (%s) failed at try %d: %s", event.pk, event.type, event.attempts, text)
    if isinstance(error, KEY_TROUBLE):
        sentence = _("Events wait, and what they tell is not counted: %(error)s")
        cases.open_case(*KEY_CASE, sentence, error=error)
    if _may_pass(error) or event.attempts < MOST_ATTEMPTS:
        wait = min(timedelta(seconds=2 ** min(event.attempts - 1, 20)), LONGEST_WAIT)
        attempts = min(event.attempts, MOST_ATTEMPTS - 1) if _may_pass(error) else event.attempts
        _finish(event, error=text, next_try_at=now + wait, attempts=attempts)
        return
    logger.error("Why event %s fails:", event.pk, exc_info=error)
    _give_up(event, text)


def _give_up(event: StripeEvent, text: str) -> None:
    logger.error("Event %s is given up; replay it when the reason is mended", event.pk)
    _finish(event, error=text, state=StripeEvent.State.FAILED)
    sentence = _("%(type)s, after %(tries)d tries: %(error)s")
    cases.open_case(cases.EVENT_FAILED, event.pk, sentence, type=event.type, tries=event.attempts, error=text)


def _close_key_case(passed: StripeEvent) -> None:
    """The key may do again what it might not; once nothing waits for it any more, nobody needs to be told."""
    names = "|".join(kind.__name__ for kind in KEY_TROUBLE)
    waiting = StripeEvent.objects.filter(state=StripeEvent.State.WAITING, error__regex=f"^({names}):")
    if passed.error.startswith(tuple(kind.__name__ for kind in KEY_TROUBLE)) and not waiting.exists():
        cases.close(*KEY_CASE)


def _may_pass(error: Exception) -> bool:
    """Is it Stripe, or the way to it, that fails? A refusal will stay one."""
    return isinstance(error, StripeTrouble) and not isinstance(error, Refused)


def replay(event_ids: Iterable[str], now: datetime) -> int:
    """Handle events again, whatever became of them: harmless, and the way out of a case. Returns how many."""
    chosen = StripeEvent.objects.filter(pk__in=list(event_ids))
    for event_id in chosen.filter(state=StripeEvent.State.FAILED).values_list("pk", flat=True):
        cases.close(cases.EVENT_FAILED, event_id)
    return chosen.update(
        state=StripeEvent.State.WAITING,
        attempts=0,
        next_try_at=now,
        lease_until=None,
        error="",
        handled_at=None,
    )
