"""What time is it? One clock for Stripe, for the shop and for its database, that moves only when the world says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from django.db.models.functions import Now
from django.utils import timezone

from fake_stripe import FakeStripe

INSTANT = 0.001  # seconds that pass whenever somebody reads the clock


class WorldClock:
    """The fake's clock, read by everybody. `skew`: how far the shop's machine is ahead of Stripe, in seconds."""

    def __init__(self, fake: FakeStripe, skew: float = 0.0) -> None:
        self.fake, self.skew = fake, skew

    def now(self) -> datetime:
        """The shop's time. Reading it takes an instant, so that no two readings are alike."""
        self.fake.clock.forward(INSTANT)
        return datetime.fromtimestamp(self.fake.clock.exact() + self.skew, UTC)

    def let_pass(self, seconds: float) -> None:
        """A little time; what it makes due happens at the next call."""
        self.fake.clock.forward(seconds)

    @contextmanager
    def told_to_everybody(self) -> Iterator[None]:
        """Django's `timezone.now`, and the database's own clock, by which leases are measured."""

        def database_now(expression: Any, compiler: Any, connection: Any, **rest: Any) -> Any:
            cast = "%s::timestamptz" if connection.vendor == "postgresql" else "%s"
            return cast, [connection.ops.adapt_datetimefield_value(self.now())]

        with (
            mock.patch.object(timezone, "now", self.now),
            mock.patch.object(Now, "as_sqlite", database_now),
            mock.patch.object(Now, "as_postgresql", database_now),
        ):
            yield
