"""Group commit: one thread inserts the events of all waiting deliveries in one statement.

In a rush, events arrive faster than a database can commit them one by one, and SQLite allows one writer at a time.
Deliveries that arrive during an insert wait, and the next thread inserts all of them. Each delivery is answered once
its own event is committed, and an event that cannot be stored does not fail the others.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from django.db import OperationalError

from inventory.events import inbox

Delivery = tuple[inbox.Json, Future[bool]]


class EventBatcher:
    """Shared by the threads of a process."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._inserting = threading.Lock()

    def store(self, event: inbox.Json) -> bool:
        """Store one event. False if it was stored before; raises the error of its own insert."""
        stored: Future[bool] = Future()
        self._waiting.append((event, stored))
        with self._inserting:
            if not stored.done():
                _store([self._waiting.popleft() for _ in range(len(self._waiting))])
        # A timeout of 0 raises if the insert has no result for this event: never report it as stored then.
        return stored.result(timeout=0)


def _store(deliveries: Sequence[Delivery]) -> None:
    try:
        new = set(inbox.store_events(event for event, _ in deliveries))
    except OperationalError as exc:
        # The database is unavailable or locked for too long, which affects all deliveries.
        for _, stored in deliveries:
            stored.set_exception(exc)
    except Exception as exc:
        if len(deliveries) == 1:
            deliveries[0][1].set_exception(exc)
        else:
            for delivery in deliveries:
                _store([delivery])
    else:
        for event, stored in deliveries:
            stored.set_result(event["id"] in new)
