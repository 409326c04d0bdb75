"""Who writes down what many deliveries tell at the same moment? One of them, in one statement for all that wait.

A rush brings events more quickly than a database commits them one by one, and SQLite lets one writer in at a time.
So whoever comes while another writes waits; the next one to write takes along the events of all who wait. Each is
answered when its own event is committed, and what is wrong with one event is no other's trouble.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from django.db import OperationalError

from inventory import inbox

Delivery = tuple[inbox.Json, Future[bool]]


class Intake:
    """One for a process; its threads meet here."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._writing = threading.Lock()

    def remember(self, event: inbox.Json) -> bool:
        """Store one event. False if it was known already; raises what its writing raised."""
        written: Future[bool] = Future()
        self._waiting.append((event, written))
        with self._writing:
            if not written.done():
                _write([self._waiting.popleft() for _ in range(len(self._waiting))])
        # Whatever became of the others: without an answer of its own it is not called stored.
        return written.result(timeout=0)


def _write(deliveries: Sequence[Delivery]) -> None:
    try:
        new = set(inbox.remember(event for event, _ in deliveries))
    except OperationalError as trouble:
        # The database is away, or locked for too long: so it is for all of them.
        for _, written in deliveries:
            written.set_exception(trouble)
    except Exception as trouble:
        if len(deliveries) == 1:
            deliveries[0][1].set_exception(trouble)
        else:
            for each in deliveries:
                _write([each])
    else:
        for event, written in deliveries:
            written.set_result(event["id"] in new)
