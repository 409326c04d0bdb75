"""The faults of a schedule (of the fake Stripe, of the key, late requests) and the tally of what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest import mock

from django.conf import settings

from fake_stripe import Exchange, FakeStripe

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("error_429", {}),
    ("lock_timeout", {}),
    ("error_500", {"when": "before"}),
    ("error_500", {"when": "after"}),
    ("error_500", {"when": "before", "stored": False}),
    ("cut", {"when": "before"}),
    ("cut", {"when": "after"}),
]
DELIVERIES: list[tuple[str, dict[str, Any]]] = [
    ("duplicate", {"copies": 3}),
    ("twin", {}),
    ("delay", {"seconds": 40.0}),
    ("delay", {"seconds": 4000.0}),
    ("reorder", {"window": 8}),
    ("drop", {}),
]


@dataclass
class Tally:
    """How often each rule was played, each fault fired, and each outcome occurred, summed over schedules."""

    schedules: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    def note(self, text: str) -> None:
        self.notes[text] += 1

    def add(self, other: Tally) -> None:
        self.schedules += other.schedules
        self.calls += other.calls
        for name in ("rules", "faults", "notes"):
            getattr(self, name).update(getattr(other, name))

    def __str__(self) -> str:
        def lines(counts: Counter[str]) -> str:
            return "\n".join(f"  {times:8}  {name}" for name, times in sorted(counts.items()))

        head = f"{self.schedules} schedules, {sum(self.rules.values())} rules, {sum(self.faults.values())} faults fired, {self.calls} requests"
        return f"{head}\nrules played\n{lines(self.rules)}\nfaults fired\n{lines(self.faults)}\nnotes\n{lines(self.notes)}"


class Trouble:
    """The active faults of one schedule. `off` ends them all. The tally counts those that fired."""

    def __init__(self, fake: FakeStripe, tally: Tally) -> None:
        self.fake, self.tally = fake, tally
        self.may_be_late = 0
        self.late: list[tuple[float, Callable[[], object]]] = []
        self._outage: list[str] = []
        self._key: Any = None
        fake.observers.append(self._count_refusals)

    def call_fails(self, dice: Random) -> bool:
        """Make the next one or few requests fail in one way."""
        kind, options = dice.choice(CALLS)
        method = dice.choice(["*", "POST", "POST", "GET"])
        self.fake.faults.add(kind, times=dice.choice([1, 1, 2, 4]), method=method, **options)
        return True

    def deliveries_go_wrong(self, dice: Random) -> bool:
        kind, options = dice.choice(DELIVERIES)
        types = dice.choice([("*",), ("product.*",), ("checkout.*",)])
        self.fake.faults.add(kind, times=dice.choice([1, 2, 3]), types=types, **options)
        return True

    def request_will_be_late(self, dice: Random) -> bool:
        self.may_be_late += 1
        return True

    def outage_begins(self, dice: Random) -> bool:
        if self._outage:
            return False
        self._outage = [self.fake.faults.add("cut", times=None)]
        return True

    def outage_ends(self, dice: Random) -> bool:
        if not self._outage:
            return False
        self._collect(lambda rule: rule.id in self._outage)
        self._outage = []
        return True

    def key_is_refused(self) -> bool:
        """Roll the key at Stripe: 401 until the shop has the new one."""
        if self._key is not None:
            return False
        self._key = mock.patch.object(settings, "STRIPE_SECRET_KEY", "sk_test_rolled")
        self._key.start()
        return True

    def key_works_again(self) -> bool:
        if self._key is None:
            return False
        self._key.stop()
        self._key = None
        return True

    def _count_refusals(self, call: Exchange) -> None:
        self.tally.faults["401"] += call.status == 401

    def arrives_late(self, send: Callable[[], object]) -> bool:
        """Whether this request reaches Stripe only after its sender has timed out."""
        if not self.may_be_late:
            return False
        self.may_be_late -= 1
        self.tally.faults["request arrived late"] += 1
        self.late.append((self.fake.clock.exact() + 20, send))
        return True

    def land(self, *, all_of_them: bool = False) -> None:
        """Deliver due late requests to Stripe. Their answers are dropped."""
        due = [send for at, send in self.late if all_of_them or at <= self.fake.clock.exact()]
        self.late = (
            [] if all_of_them else [(at, send) for at, send in self.late if at > self.fake.clock.exact()]
        )
        for send in due:
            try:
                send()
            except Exception as exc:
                self.tally.note(f"late request: {type(exc).__name__}")

    def off(self) -> None:
        self.key_works_again()
        self.may_be_late, self._outage = 0, []
        self._collect(lambda rule: True)

    def _collect(self, chosen: Callable[[Any], bool]) -> None:
        for rule in list(self.fake.faults.rules):
            if chosen(rule):
                when = f" {rule.when}" if rule.kind in ("error_500", "cut") else ""
                self.tally.faults[f"{rule.kind}{when}"] += rule.used
                self.fake.faults.remove(rule.id)
