"""What did Stripe tell that never arrived? Its list of events, and its list of sessions that were completed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from checkout import gateway
from checkout.fulfilment import settle
from checkout.models import Order
from config.stripe_events import EVENTS
from inventory import inbox

BATCH = 100


def remember_events(*, since: datetime) -> int:
    """Put every event since then into the inbox, where those that are there already stay as they are.

    Returns how many were new; the worker handles them. Stripe keeps events for 30 days. Raises StripeTrouble.
    """
    events = gateway.each_event(since=since, types=list(EVENTS))
    return sum(len(inbox.remember(batch)) for batch in _batches(events))


def settle_completed(*, since: datetime, now: datetime) -> list[Order]:
    """Settle every session completed since then; returns the orders that this changed. Raises StripeTrouble.

    Stronger than events: sessions are kept, and each says itself how it ended.
    """
    changed = []
    with inbox.stripe_allowed():
        for session in gateway.each_session(since=since, status="complete"):
            before = Order.objects.filter(session_id=session.id).values_list("state", flat=True).first()
            order = settle(session, now=now)
            if order is not None and order.state != before:
                changed.append(order)
    return changed


def _batches(events: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    listed = iter(events)
    while batch := list(islice(listed, BATCH)):
        yield batch
