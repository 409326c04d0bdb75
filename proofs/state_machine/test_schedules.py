"""Schedules drawn by Hypothesis and from fixed seeds keep every invariant.

In the suite both are bounded and deterministic. `python -m proofs.state_machine 1000 500` plays others.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from random import Random

import pytest
from django.db import connections
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from proofs.state_machine.actions import ACTIONS
from proofs.state_machine.broken import BrokenPromise
from proofs.state_machine.cast import FORGOTTEN
from proofs.state_machine.processes import Processes
from proofs.state_machine.schedule import draw_actions, empty_database, run_schedule
from proofs.state_machine.trouble import CALLS, DELIVERIES, Tally
from proofs.state_machine.world import World

# Schedules are played until every rule was played and every fault met, and at least so many of them.
SEEDS, AT_LEAST = range(72), 36 if os.environ.get("ALL_PROOFS") == "1" else 1
EXAMPLES = 32  # With fewer, the runs met too few kinds of faults.
# Hypothesis mixes its numbers with those that it finds in the source of imported modules, so what it draws depends on the
# tests that ran before. Booleans do not.
SEED = st.tuples(*[st.booleans()] * 16).map(lambda bits: sum(2**n for n, bit in enumerate(bits) if bit))
STEPS = st.tuples(*[st.lists(SEED, max_size=10)] * 6)  # 30 steps on average; a list has 5.
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


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_order_of_events_breaks_an_invariant() -> None:
    """Hypothesis searches for an order that does, and shrinks it to the shortest one."""
    tally = Tally()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(opening=SEED, steps=STEPS)
    def play(opening: int, steps: tuple[list[int], ...]) -> None:
        world = World(Random(opening), empty_database())
        try:
            with world:
                for dice in map(Random, chain(*steps)):
                    [name] = draw_actions(dice)
                    note(name)
                    world.do(name, dice)
                world.dice = Random(0)
                world.heal_and_judge()
        finally:
            tally.add(world.tally)

    play()

    print(f"\n{tally}")
    assert tally.schedules >= EXAMPLES
    # Its choice of rules is free. The fixed seeds show that each rule and fault is met.
    assert len(+tally.rules) > len(ACTIONS) / 2 and len(+tally.faults) > len(FAULTS) / 2
    assert tally.faults.total() >= tally.schedules


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


def test_a_process_uses_the_connection_of_its_schedule_where_an_event_loop_runs() -> None:
    """Playwright's loop runs in the thread of the tests, where a new context has no connection."""

    async def use_connection() -> bool:
        processes = Processes(lambda _where: None, lambda _point: None)
        return processes.run("worker", lambda: connections["default"]) is connections["default"]

    with ThreadPoolExecutor(1) as thread:  # This thread may have a loop already.
        assert thread.submit(asyncio.run, use_connection()).result()


@pytest.mark.django_db(transaction=True)
def test_the_judge_detects_a_lost_unit() -> None:
    """Guards against a judge that accepts any count."""
    with World(Random(3), empty_database()) as world:
        world.books.edits[world.keys[0]] += 1  # An edit that never reaches the shop.

        with pytest.raises(BrokenPromise, match="2: the count at Stripe is wrong"):
            world.heal_and_judge()
