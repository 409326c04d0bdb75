"""What did Stripe tell that never arrived? Its list of events, and its list of sessions that were completed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from checkout import gateway
from checkout.models import Order
from checkout.orders.fulfillment import apply_session
from config.stripe_client import InvalidRequest, StripeCallError
from config.stripe_events import EVENTS
from inventory.events import inbox
from inventory.stripe_sync import backoff

logger = logging.getLogger(__name__)

BATCH = 100


@dataclass
class BackfillResult:
    """`orders`: those that changed; `failed`: by the session's id, why one could not be settled."""

    orders: list[Order] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def store_events(*, since: datetime) -> int:
    """Put every event since then into the inbox, where those that are there already stay as they are.

    Returns how many were new; the worker handles them. Stripe keeps events for 30 days. Raises StripeCallError.
    """
    events = gateway.iter_events(since=since, types=list(EVENTS))
    return sum(len(inbox.store_events(batch)) for batch in _batches(events))


def apply_completed(*, since: datetime, now: datetime) -> BackfillResult:
    """Settle every session completed since then. One that fails keeps no other from it. Raises StripeCallError.

    Stronger than events: sessions are kept, and each says itself how it ended.
    """
    settled = BackfillResult()
    with inbox.allow_stripe_calls():
        for session in gateway.iter_sessions(since=since, status="complete"):
            _apply(session, settled, now=now)
    return settled


def _apply(session: gateway.CheckoutSession, settled: BackfillResult, *, now: datetime) -> None:
    before = Order.objects.filter(session_id=session.id).values_list("state", flat=True).first()
    try:
        order = apply_session(session, now=now)
    except Exception as error:
        if isinstance(error, StripeCallError) and not isinstance(error, InvalidRequest):
            raise  # No other session would fare better.
        logger.exception("Session %s cannot be settled", session.id)
        settled.failed[session.id] = backoff.one_line(error)
    else:
        if order is not None and order.state != before:
            settled.orders.append(order)


def _batches(events: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    listed = iter(events)
    while batch := list(islice(listed, BATCH)):
        yield batch
