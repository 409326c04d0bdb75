"""The judge finds the control's faults in schedules with the customers and faults of proofs/state_machine.

Deliveries arrive twice, at once, late, out of order or never, calls fail before or after their effect, and
people edit. Between the control's read and its write other actions may happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.judge import Verdict, must_have_eyes
from benchmarks.tests.stand import PRODUCT, M, S, Stand
from fake_stripe import Exchange
from proofs.state_machine.books import Books
from proofs.state_machine.customers import Customers
from proofs.state_machine.people import People
from proofs.state_machine.trouble import Tally, Trouble

SEEDS, STEPS = range(20), 40
PLENTY = 60
IN_BETWEEN = ["pay", "edit by some", "write a note", "deliver", "deliver"]


class Schedule:
    """The state machine's customers and people around the control instead of the shop."""

    def __init__(self, seed: int, count: int) -> None:
        self.dice = Random(seed)
        self.stand = Stand(count)
        self.tally = Tally(schedules=1)
        self.trouble = Trouble(self.stand.fake, self.tally)
        world: Any = SimpleNamespace(
            fake=self.stand.fake,
            books=Books(dict(self.stand.opened)),
            dice=self.dice,
            keys=[S, M],
            keys_of=lambda product: [S, M],
            products=[PRODUCT],
            trouble=self.trouble,
        )
        customers, people = Customers(world), People(world)
        self.rules: dict[str, Callable[[Random], object]] = {
            "buy": self._buy,
            "pay": customers.pay,
            "walk away": customers.walk_away,
            "edit by some": people.edit_by_some,
            "edit to a number": people.edit_to_a_number,
            "write a note": people.write_a_note,
            "deliver": lambda dice: self.stand.fake.deliver_due(),
            "a minute passes": lambda dice: self.stand.fake.forward(61),
        }
        self.interruptions = 0

    def _buy(self, dice: Random) -> None:
        wants = {"S": dice.choice([1, 1, 2])} if dice.random() < 0.7 else {"S": 1, "M": dice.choice([1, 2])}
        self.stand.open(**wants)

    def play(self, steps: int, *, trouble: bool) -> Verdict:
        """Play `steps` rules chosen by the seed; then stop the faults, pay and deliver everything, and judge."""
        rules = dict(self.rules)
        if trouble:
            rules |= {"calls fail": self._calls_fail, "deliveries go wrong": self.trouble.deliveries_go_wrong}
            self.stand.fake.observers.append(self._come_in_between)
        else:
            del rules["edit to a number"]  # It may set a count to 0, and the control would oversell.
        for name in self.dice.choices(list(rules), k=steps):
            self.interruptions = self.dice.choice([0, 1, 2]) if name == "deliver" else 0
            rules[name](self.dice)
            self.tally.rules[name] += 1
        self.interruptions = 0
        self.trouble.off()
        while self.rules["pay"](self.dice):
            pass
        for _try in range(6):
            self.stand.fake.deliver_due()
            self.stand.fake.forward(4000)
        return self.stand.verdict()

    def _calls_fail(self, dice: Random) -> None:
        """Make calls of the control fail. Deliveries happen here, so that no other caller is affected."""
        self.stand.fake.deliver_due()
        self.stand.sell(S=1)
        self.trouble.call_fails(dice)
        self.stand.fake.deliver_due()
        self.trouble.off()

    def _come_in_between(self, call: Exchange) -> None:
        if not self.interruptions or call.method != "GET":
            return
        self.interruptions -= 1
        name = self.dice.choice(IN_BETWEEN)
        self.rules[name](self.dice)
        self.tally.rules[f"{name} (in between)"] += 1


def summed(verdicts: list[Verdict]) -> Verdict:
    total: Counter[str] = Counter()
    for verdict in verdicts:
        total.update(verdict.as_dict())
    return Verdict(**{name: total[name] for name in Verdict.__dataclass_fields__})


def test_in_schedules_with_faults_the_control_loses_doubles_and_oversells() -> None:
    schedules = [Schedule(seed, count=12) for seed in SEEDS]
    found = summed([schedule.play(STEPS, trouble=True) for schedule in schedules])
    tally = Tally()
    for schedule in schedules:
        tally.add(schedule.tally)

    print(f"\n{tally}\n{found}")
    must_have_eyes(found)
    assert {"calls fail", "deliveries go wrong", "deliver (in between)"} <= set(+tally.rules)
    assert {"duplicate", "twin", "drop", "cut after", "error_500 before"} <= set(+tally.faults)


@pytest.mark.parametrize("seed", SEEDS[:5])
def test_without_faults_the_same_customers_are_counted_right(seed: int) -> None:
    """So the faults that the judge finds above have no other cause."""
    assert not Schedule(seed, PLENTY).play(STEPS, trouble=False).guilty
