"""What time is it at the fake? Seconds since 1970, on a clock that tests may push forward."""

import threading
import time
from collections.abc import Callable

MAX_OFFSET = 10**9  # seconds, some thirty years: beyond it lie dates that nobody can write


class Clock:
    """Runs with the machine's clock, or stands still from `start` on when one is given.

    Either way `forward` moves it and never anything else: what the fake does later than now (expiry of a
    session, the next try of a delivery, the end of an idempotency key's memory) is measured on this clock.
    """

    def __init__(self, start: float | None = None, offset: float = 0.0) -> None:
        self._start = start
        self._offset = offset
        self._lock = threading.Lock()
        self.when_pushed: list[Callable[[], None]] = []

    @property
    def offset(self) -> float:
        """How many seconds this clock was pushed forward in all."""
        return self._offset

    @property
    def runs(self) -> bool:
        """Whether time passes by itself."""
        return self._start is None

    def exact(self) -> float:
        """Now, in seconds with fractions."""
        return (time.time() if self._start is None else self._start) + self._offset

    def now(self) -> int:
        """Now, in whole seconds, as every `created` of Stripe has it."""
        return int(self.exact())

    def forward(self, seconds: float) -> int:
        """Let `seconds` pass at once, and what that makes due happen; returns the new time.

        Raises ValueError for less than nothing, for time does not run backwards, and beyond FURTHEST in all.
        """
        with self._lock:
            # Written so that what is not a number is refused too.
            if not 0 <= seconds <= MAX_OFFSET - self._offset:
                raise ValueError(f"time runs forward, by {MAX_OFFSET} s in all, and not by {seconds}")
            self._offset += seconds
        for act in self.when_pushed:
            act()
        return self.now()
