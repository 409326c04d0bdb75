"""Run acts in several forked processes at the same moment: they meet at a barrier in every round."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from proofs.children import ChildDatabase, start

PATIENCE = 30.0  # seconds that a child waits for the others
GAP = 0.4  # seconds between check and act in a control, in which the other processes check too

# What one process does in one round, given its number and a function that waits for the other processes.
Act = Callable[[int, Callable[[], None]], Any]


def race(
    child_db: ChildDatabase,
    acts: Sequence[Act],
    *,
    rounds: int = 1,
    patches: Callable[[], None] | None = None,
) -> list[list[Any]]:
    """Run all acts at once, `rounds` times. Returns per round what each act returned, or the name of its exception.

    `patches` is called first in every child. Controls use it to remove a guard.
    """
    fork = multiprocessing.get_context("fork")
    gate, inner = fork.Barrier(len(acts)), fork.Barrier(len(acts))

    def meet() -> None:
        try:
            inner.wait(GAP)
        except threading.BrokenBarrierError:
            inner.reset()  # The other processes were stopped by another guard.

    def child(act: Act) -> Callable[[Callable[[str], None]], None]:
        def run(say: Callable[[str], None]) -> None:
            if patches is not None:
                patches()
            said = []
            for number in range(rounds):
                gate.wait(PATIENCE)
                said.append(_outcome(act, number, meet))
            say(json.dumps(said))

        return run

    children = [start(child_db, child(act)) for act in acts]
    results = [json.loads(each.wait().said) for each in children]
    return [list(outcomes) for outcomes in zip(*results, strict=True)]


def _outcome(act: Act, number: int, meet: Callable[[], None]) -> Any:
    try:
        return act(number, meet)
    except Exception as error:
        if connection.in_atomic_block:
            raise
        return type(error).__name__


def alone(child_db: ChildDatabase, act: Callable[[], Any]) -> Any:
    """Run `act` in a single child, to prepare or inspect a race. Returns its result, passed as JSON."""
    return json.loads(start(child_db, lambda say: say(json.dumps(act()))).wait().said)
