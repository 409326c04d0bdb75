"""Schedules drawn by Hypothesis and from fixed seeds keep every invariant.

In the suite both are bounded and deterministic. `python -m proofs.state_machine 1000 500` plays others.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from proofs.state_machine.actions import ACTIONS
from proofs.state_machine.broken import BrokenPromise
from proofs.state_machine.cast import FORGOTTEN
from proofs.state_machine.schedule import empty_database, run_schedule
from proofs.state_machine.trouble import CALLS, DELIVERIES, Tally
from proofs.state_machine.world import World

# Schedules are played until every rule was played and every fault met, and at least so many of them.
SEEDS, AT_LEAST = range(72), 36 if os.environ.get("ALL_PROOFS") == "1" else 1
EXAMPLES = 32  # With fewer, the runs met too few kinds of faults.
DICE = st.randoms(use_true_random=False)
FAULTS = {
    *(f"{kind} {options['when']}" if "when" in options else kind for kind, options in [*CALLS, *DELIVERIES]),
    "401",
    "process killed",
    "process interrupted",
    "request arrived late",
    "database restored",
    "clock jumped 61 s",
    "clock jumped 90000 s",
}


class Machine(RuleBasedStateMachine):
    """One rule per entry of ACTIONS. The safety invariants are checked after each rule, all invariants at the end."""

    tally = Tally()

    @initialize(dice=DICE)
    def open_the_shop(self, dice: Random) -> None:
        self.world = World(dice, empty_database())
        self.world.__enter__()
        self.dice = dice

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.dice = Random(0)
            self.world.heal_and_judge()
        finally:
            self.world.__exit__()
            Machine.tally.add(self.world.tally)


def _rule_for(name: str):  # type: ignore[no-untyped-def]
    @rule(dice=DICE)
    def play(self: Machine, dice: Random) -> None:
        self.world.do(name, dice)

    return play


for _name in ACTIONS:
    setattr(Machine, f"rule_{_name.replace(' ', '_')}", _rule_for(_name))


@pytest.mark.django_db(transaction=True)
def test_no_order_of_events_breaks_an_invariant() -> None:
    """Hypothesis searches for an order that does, and shrinks it to the shortest one."""
    Machine.tally = Tally()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"\n{Machine.tally}")
    assert Machine.tally.schedules >= EXAMPLES
    # Its choice of rules is free. The fixed seeds show that each rule and fault is met.
    assert len(+Machine.tally.rules) > len(ACTIONS) / 2 and len(+Machine.tally.faults) > len(FAULTS) / 2
    assert Machine.tally.faults.total() >= Machine.tally.schedules


@pytest.mark.django_db(transaction=True)
def test_schedules_of_fixed_seeds_keep_every_invariant_and_meet_every_rule_and_fault() -> None:
    """A rule that is never played, or a fault that never fires, proves nothing."""
    tally = Tally()

    def missing() -> list[str]:
        rules = [name for name in ACTIONS if not tally.rules[name]]
        return rules + [name for name in sorted(FAULTS) if not tally.faults[name]]

    for seed in SEEDS:
        tally.add(run_schedule(seed))
        # Which seeds meet what changes with the shop.
        if seed + 1 >= AT_LEAST and not missing():
            break

    print(f"\n{tally}")
    assert missing() == []


@pytest.mark.django_db(transaction=True)
def test_the_same_seed_plays_the_same_schedule() -> None:
    first, second = run_schedule(7, steps=15), run_schedule(7, steps=15)

    assert (first.rules, first.faults, first.calls) == (second.rules, second.faults, second.calls)


@pytest.mark.django_db(transaction=True)
def test_a_season_deletes_rows_of_every_kind_and_keeps_every_invariant() -> None:
    with World(Random(3), empty_database()) as world:
        for _edit in range(2):
            world.people.edit_by_some(Random(5))
            world.deliver()
            world.work_all()
            world.clock.let_pass(61)
        world.season_passes()
        world.forget()
        world.heal_and_judge()

        assert all(world.tally.notes[f"deleted: {model.__name__}"] for model in FORGOTTEN), world.tally


@pytest.mark.django_db(transaction=True)
def test_the_judge_detects_a_lost_unit() -> None:
    """Guards against a judge that accepts any count."""
    with World(Random(3), empty_database()) as world:
        world.books.edits[world.keys[0]] += 1  # An edit that never reaches the shop.

        with pytest.raises(BrokenPromise, match="2: the count at Stripe is wrong"):
            world.heal_and_judge()
