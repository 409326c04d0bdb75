"""What does the worker do each round, and how often?

A duty is a function of the current time that returns how much it did; 0 lets the worker rest.
Duties that call Stripe run in a thread of their own, so that a hanging Stripe never delays events
that only need the database.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Duty:
    """`path`: the dotted path of `function(now) -> int`; `every`: seconds between two runs while idle."""

    path: str
    every: float
    calls_stripe: bool


DUTIES: list[Duty] = [
    Duty("inventory.inbox.handle_waiting", every=0.25, calls_stripe=False),
    Duty("inventory.inbox.handle_with_stripe", every=0.5, calls_stripe=True),
    Duty("inventory.publish.publish_waiting", every=0.25, calls_stripe=True),
    Duty("inventory.look.look_at_wanted", every=1, calls_stripe=True),
    Duty("inventory.catch_up.fetch_product_events", every=3600, calls_stripe=True),
    Duty("checkout.start.finish_unknown_sessions", every=5, calls_stripe=True),
    Duty("checkout.overdue.ask_about_overdue", every=30, calls_stripe=True),
]
