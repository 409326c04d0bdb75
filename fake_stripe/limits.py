"""How often may one ask, and who holds this object? Rate limits and lock time-outs.

https://docs.stripe.com/rate-limits: 100 requests a second live, 25 in a sandbox, 25 for one endpoint.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from fake_stripe.clock import Clock
from fake_stripe.errors import StripeError

LIVE, SANDBOX, ENDPOINT = 100, 25, 25


class RateLimits:
    """Counts the calls of the last second. Off until `enforced` is set: tests want to be quick.

    A second of the account's clock: where it stands still, the same calls give the same answers, however
    long the machine took over them.
    """

    def __init__(self, clock: Clock, enforced: bool = False) -> None:
        self.enforced = enforced
        self._clock = clock
        self._seen: dict[object, deque[float]] = {}
        self._lock = threading.Lock()

    def check(self, livemode: bool, endpoint: str) -> None:
        """Count one call, or raise the 429 of a call too many. `endpoint` is a route, not an address."""
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
    """The 429 of too many requests. It does not invite the library to retry."""
    return StripeError(
        "Too many requests made to the API too quickly: wait a moment, then send fewer at a time.",
        status=429,
        code="rate_limit",
        executed=False,
        headers={"Stripe-Rate-Limited-Reason": reason},
    )


def lock_timed_out() -> StripeError:
    """The 429 of an object that another call holds. Nothing ran, so the library may send it again."""
    return StripeError(
        "This object cannot be accessed right now because another request is using it. Try again.",
        status=429,
        code="lock_timeout",
        executed=False,
        headers={"Stripe-Should-Retry": "true"},
    )


class ObjectLocks:
    """One change of an object at a time; who waits longer than `patience` seconds gets a lock time-out."""

    def __init__(self, patience: float = 2.0) -> None:
        self.patience = patience
        self._held: set[str] = set()
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, name: str | None) -> Iterator[None]:
        """Hold the object of this name; None holds nothing."""
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
