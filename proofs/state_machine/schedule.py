"""Play a schedule from a seed. The same seed and number of steps give the same rules and faults."""

from __future__ import annotations

from random import Random

from proofs.state_machine import database
from proofs.state_machine.actions import ACTIONS
from proofs.state_machine.trouble import Tally
from proofs.state_machine.world import World

_empty: database.Copy | None = None
NAMES, WEIGHTS = list(ACTIONS), [action.weight for action in ACTIONS.values()]


def empty_database() -> database.Copy:
    """A copy of the migrated, empty database. The database must be empty at the first call."""
    global _empty
    if _empty is None:
        _empty = database.take()
    return _empty


def draw_actions(dice: Random, number: int = 1) -> list[str]:
    """Names of `number` actions, each as often as its weight says."""
    return dice.choices(NAMES, WEIGHTS, k=number)


def run_schedule(seed: int, steps: int = 40) -> Tally:
    """Play `steps` rules drawn from `seed`, heal and judge. Raises BrokenPromise with the played rules in its notes."""
    dice = Random(seed)
    played: list[str] = []
    try:
        with World(dice, empty_database()) as world:
            for name in draw_actions(dice, steps):
                played.append(name)
                world.do(name, dice)
            world.heal_and_judge()
    except Exception as error:
        error.add_note(f"run_schedule({seed}, {steps}) after {len(played)} rules: {', '.join(played)}")
        raise
    return world.tally
