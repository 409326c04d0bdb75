"""Rate limits and object locks.

https://docs.stripe.com/rate-limits: 100 requests per second in live mode, 25 in a sandbox, 25 per endpoint.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from fake_stripe.clock import Clock
from fake_stripe.errors import StripeError

LIVE, SANDBOX, ENDPOINT = 100, 25, 25


class RateLimits:
    """Limits the calls per second. Off until `enforced` is set, to keep tests fast.

    Seconds are those of the account's clock. With a frozen clock the same calls get the same answers,
    however long the machine takes.
    """

    def __init__(self, clock: Clock, enforced: bool = False) -> None:
        self.enforced = enforced
        self._clock = clock
        self._seen: dict[object, deque[float]] = {}
        self._lock = threading.Lock()

    def check(self, livemode: bool, endpoint: str) -> None:
        """Count one call, or raise a 429. `endpoint` is a route pattern, not a path."""
        if not self.enforced:
            return
        with self._lock:
            now = self._clock.exact()
            if self._full(("all", livemode), LIVE if livemode else SANDBOX, now):
                raise rate_limited("global-rate")
            if self._full((endpoint, livemode), ENDPOINT, now):
                raise rate_limited("endpoint-rate")
            self._seen[("all", livemode)].append(now)
            self._seen[(endpoint, livemode)].append(now)

    def _full(self, name: object, limit: int, now: float) -> bool:
        seen = self._seen.setdefault(name, deque())
        while seen and seen[0] <= now - 1:
            seen.popleft()
        return len(seen) >= limit


def rate_limited(reason: str) -> StripeError:
    """The 429 for too many requests, without the header that makes the library retry."""
    return StripeError(
        "Too many requests made to the API too quickly: please slow down and retry with a backoff.",
        status=429,
        code="rate_limit",
        executed=False,
        headers={"Stripe-Rate-Limited-Reason": reason},
    )


def lock_timed_out() -> StripeError:
    """The 429 for an object that another call has locked. Nothing ran, so the library may retry."""
    return StripeError(
        "This object cannot be accessed right now because another request is using it. Try again.",
        status=429,
        code="lock_timeout",
        executed=False,
        headers={"Stripe-Should-Retry": "true"},
    )


class ObjectLocks:
    """One change of an object at a time. Waiting longer than `patience` seconds raises a lock timeout."""

    def __init__(self, patience: float = 2.0) -> None:
        self.patience = patience
        self._held: set[str] = set()
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, name: str | None) -> Iterator[None]:
        """Lock the object of this name; None locks nothing."""
        if name is None:
            yield
            return
        with self._freed:
            if not self._freed.wait_for(lambda: name not in self._held, self.patience):
                raise lock_timed_out()
            self._held.add(name)
        try:
            yield
        finally:
            with self._freed:
                self._held.discard(name)
                self._freed.notify_all()
