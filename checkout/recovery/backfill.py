"""Fetch events that never arrived, and apply completed sessions whose events are lost for good."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from checkout import gateway
from checkout.models import Order
from checkout.orders.fulfillment import apply_session
from checkout.stripe_objects import CheckoutSession
from config.stripe_client import InvalidRequest, StripeCallError, is_configured
from config.stripe_events import EVENTS
from inventory import deliveries
from inventory.events import inbox
from inventory.models import StripeEvent
from inventory.stripe_sync import backoff

logger = logging.getLogger(__name__)

BATCH_SIZE = 100
RECENT = timedelta(hours=26)  # A session is open for at most 24.
COMPLETED = "checkout.session.completed"


@dataclass
class BackfillResult:
    """`orders`: those that have changed. `failed`: session id to the reason why it could not be applied."""

    orders: list[Order] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def store_events(*, since: datetime, types: Sequence[str] = tuple(EVENTS)) -> int:
    """Store the events since then that have not arrived, for the worker to handle. Returns how many were new.

    Stripe keeps events for 30 days. Raises StripeCallError.
    """
    events = gateway.iter_events(since=since, types=list(types))
    new = 0
    while batch := list(islice(events, BATCH_SIZE)):
        new += len(inbox.store_events(batch))
    return new


def apply_undelivered(now: datetime) -> int:
    """Worker task: apply recent completed sessions whose events have not arrived. Returns how many orders have changed.

    Without deliveries, sales of payment links would otherwise stay unknown until `reconcile`.
    """
    if not is_configured():
        return 0
    result = apply_completed(since=now - RECENT, now=now, undelivered_only=True)
    if any(order.paid_at and order.paid_at < now - deliveries.IN_TRANSIT for order in result.orders):
        deliveries.record_missed(now)
    return len(result.orders)


def apply_completed(*, since: datetime, now: datetime, undelivered_only: bool = False) -> BackfillResult:
    """Apply every session completed since then. One that fails does not prevent the others. Raises StripeCallError.

    Finds more than events do: Stripe keeps sessions longer, and each has its outcome.
    `undelivered_only`: leave out sessions whose completion an event has reported.
    """
    result = BackfillResult()
    sessions = gateway.iter_sessions(since=since, status="complete")
    with inbox.allow_stripe_calls():
        for session in _undelivered(sessions) if undelivered_only else sessions:
            before = Order.objects.filter(session_id=session.id).values_list("state", flat=True).first()
            try:
                order = apply_session(session, now=now)
            except Exception as exc:
                if isinstance(exc, StripeCallError) and not isinstance(exc, InvalidRequest):
                    raise  # Other sessions would fail as well.
                logger.exception("Session %s could not be applied", session.id)
                result.failed[session.id] = backoff.one_line(exc)
            else:
                if order is not None and order.state != before:
                    result.orders.append(order)
    return result


def _undelivered(sessions: Iterator[CheckoutSession]) -> Iterator[CheckoutSession]:
    while batch := list(islice(sessions, BATCH_SIZE)):
        reported = StripeEvent.objects.filter(type=COMPLETED, object_id__in=[session.id for session in batch])
        delivered = set(reported.values_list("object_id", flat=True))
        yield from (session for session in batch if session.id not in delivered)
