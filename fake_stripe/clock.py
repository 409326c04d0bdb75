"""The account's clock: seconds since 1970, which tests can move forward."""

import threading
import time
from collections.abc import Callable

MAX_OFFSET = 10**9  # seconds, about thirty years: an unlimited offset reaches dates past the year 9999


class Clock:
    """Follows the machine's clock, or is frozen at `start` if one is given; `forward` moves either.

    Everything that happens later (session expiry, delivery retries, the end of an idempotency key) is
    measured on this clock.
    """

    def __init__(self, start: float | None = None, offset: float = 0.0) -> None:
        self._start = start
        self._offset = offset
        self._lock = threading.Lock()
        self.when_pushed: list[Callable[[], None]] = []

    @property
    def offset(self) -> float:
        """The total seconds this clock was moved forward."""
        return self._offset

    @property
    def runs(self) -> bool:
        """Whether the clock follows the machine's, rather than being frozen."""
        return self._start is None

    def exact(self) -> float:
        """The current time in fractional seconds."""
        return (time.time() if self._start is None else self._start) + self._offset

    def now(self) -> int:
        """The current time in whole seconds, as in Stripe's `created`."""
        return int(self.exact())

    def forward(self, seconds: float) -> int:
        """Move forward by `seconds` and run everything that becomes due; returns the new time.

        Raises ValueError for negative or NaN seconds, and if the total would exceed MAX_OFFSET.
        """
        with self._lock:
            # Written so that NaN is refused too.
            if not 0 <= seconds <= MAX_OFFSET - self._offset:
                raise ValueError(
                    f"the clock only moves forward, by at most {MAX_OFFSET} s in total, not by {seconds}"
                )
            self._offset += seconds
        for act in self.when_pushed:
            act()
        return self.now()
