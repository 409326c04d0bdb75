"""One clock for Stripe, the shop and its database, which moves only when a schedule moves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from django.db.models.functions import Now
from django.utils import timezone

from fake_stripe import FakeStripe

INSTANT = 0.001  # seconds that pass whenever the clock is read


class WorldClock:
    """The fake's clock, used everywhere. `skew`: seconds by which the shop's machine is ahead of Stripe."""

    def __init__(self, fake: FakeStripe, skew: float = 0.0) -> None:
        self.fake, self.skew = fake, skew

    def now(self) -> datetime:
        # Reading the time takes an instant, so that no two readings are equal.
        self.fake.clock.forward(INSTANT)
        return datetime.fromtimestamp(self.fake.clock.exact() + self.skew, UTC)

    def let_pass(self, seconds: float) -> None:
        """Move the clock a little. What becomes due happens at the next call."""
        self.fake.clock.forward(seconds)

    @contextmanager
    def patched_everywhere(self) -> Iterator[None]:
        """Patch Django's `timezone.now` and the database's own clock, which leases use."""

        def database_now(expression: Any, compiler: Any, connection: Any, **rest: Any) -> Any:
            cast = "%s::timestamptz" if connection.vendor == "postgresql" else "%s"
            return cast, [connection.ops.adapt_datetimefield_value(self.now())]

        with (
            mock.patch.object(timezone, "now", self.now),
            mock.patch.object(Now, "as_sqlite", database_now),
            mock.patch.object(Now, "as_postgresql", database_now),
        ):
            yield
