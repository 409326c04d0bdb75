"""Periodic worker tasks and their intervals.

A task takes the current time and returns how much it did; while all return 0 the worker rests.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Duty:
    """A worker task.

    `path`: dotted path of `function(now) -> int`; `every`: seconds between two runs while idle.
    `alone`: run in its own thread. For tasks that call Stripe or a mail server or run long: a hanging Stripe must
    not delay events that need only the database.
    """

    path: str
    every: float
    alone: bool


DUTIES: list[Duty] = [
    Duty("inventory.events.inbox.handle_waiting", every=0.25, alone=False),
    Duty("inventory.events.inbox.handle_with_stripe", every=0.5, alone=True),
    Duty("inventory.stripe_sync.publisher.publish_waiting", every=0.5, alone=True),
    Duty("inventory.stripe_sync.refresh.look_at_wanted", every=1, alone=True),
    Duty("inventory.stripe_sync.missed_events.fetch_product_events", every=3600, alone=True),
    Duty("checkout.recovery.unknown_sessions.finish_unknown_sessions", every=5, alone=True),
    Duty("checkout.recovery.session_recovery.ask_about_overdue", every=30, alone=True),
    Duty("inventory.alerts.tell_the_owner", every=60, alone=True),
    Duty("inventory.cleanup.throw_away_old", every=24 * 3600, alone=True),
]
