"""Fetch events that never arrived, and apply completed sessions whose events are lost for good."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from checkout import gateway
from checkout.models import Order
from checkout.orders.fulfillment import apply_session
from config.stripe_client import InvalidRequest, StripeCallError
from config.stripe_events import EVENTS
from inventory.events import inbox
from inventory.stripe_sync import backoff

logger = logging.getLogger(__name__)

BATCH_SIZE = 100


@dataclass
class BackfillResult:
    """`orders`: those that have changed. `failed`: session id to the reason why it could not be applied."""

    orders: list[Order] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def store_events(*, since: datetime) -> int:
    """Store the events since then that have not arrived, for the worker to handle. Returns how many were new.

    Stripe keeps events for 30 days. Raises StripeCallError.
    """
    events = gateway.iter_events(since=since, types=list(EVENTS))
    new = 0
    while batch := list(islice(events, BATCH_SIZE)):
        new += len(inbox.store_events(batch))
    return new


def apply_completed(*, since: datetime, now: datetime) -> BackfillResult:
    """Apply every session completed since then. One that fails does not prevent the others. Raises StripeCallError.

    Finds more than events do: Stripe keeps sessions longer, and each has its outcome.
    """
    result = BackfillResult()
    with inbox.allow_stripe_calls():
        for session in gateway.iter_sessions(since=since, status="complete"):
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
