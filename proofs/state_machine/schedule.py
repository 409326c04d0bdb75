"""How is one schedule played, or ten thousand? By a seed: the same seed and steps give the same rules and faults."""

from __future__ import annotations

from random import Random

from proofs.state_machine import database
from proofs.state_machine.actions import ACTIONS
from proofs.state_machine.trouble import Tally
from proofs.state_machine.world import World

_empty: database.Copy | None = None
NAMES, WEIGHTS = list(ACTIONS), [action.weight for action in ACTIONS.values()]


def empty_database() -> database.Copy:
    """The migrated database before anything happened; the first caller's must be so."""
    global _empty
    if _empty is None:
        _empty = database.take()
    return _empty


def run_schedule(seed: int, steps: int = 40) -> Tally:
    """Play `steps` rules drawn from `seed`, heal, judge. Raises BrokenPromise, with the rules played in its notes."""
    dice = Random(seed)
    played: list[str] = []
    try:
        with World(dice, empty_database()) as world:
            for name in dice.choices(NAMES, WEIGHTS, k=steps):
                played.append(name)
                world.do(name, dice)
            world.heal_and_judge()
    except Exception as error:
        error.add_note(f"run_schedule({seed}, {steps}) after {len(played)} rules: {', '.join(played)}")
        raise
    return world.tally
