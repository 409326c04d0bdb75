"""At most half of a process's threads may wait for Stripe, so that pages stay fast while it hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SLOTS = 4  # of the 8 threads of script/server
PATIENCE = 1.0  # seconds to wait for a slot while Stripe answers
HANGING = 1.5  # seconds after which a call counts as hanging: then nobody waits for a slot

_condition = threading.Condition()
_since: dict[object, float] = {}  # slot to the time since which it is taken


@contextmanager
def stripe_slot() -> Iterator[bool]:
    """Take a slot for the block; yields False if Stripe keeps all of them waiting."""
    slot = object()
    with _condition:
        # Where a call hangs already, the others would only wait for their turn to hang.
        is_hanging = not _is_free() and time.monotonic() - min(_since.values()) > HANGING
        is_free = _condition.wait_for(_is_free, timeout=0 if is_hanging else PATIENCE)
        if is_free:
            _since[slot] = time.monotonic()
    try:
        yield is_free
    finally:
        with _condition:
            if is_free:
                del _since[slot]
                _condition.notify()


def _is_free() -> bool:
    return len(_since) < SLOTS
