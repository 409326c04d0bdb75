"""How do several processes do something at the same moment? Forked children that meet at a barrier, round after round."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from proofs.children import House, start

PATIENCE = 30.0  # seconds that a child waits for the others
GAP = 0.4  # seconds that a look waits for the others' looks before it leaps, where the guard was taken out

# What one process does in one round. It is handed a function that waits until the others are there too.
Act = Callable[[int, Callable[[], None]], Any]


def race(
    house: House, acts: Sequence[Act], *, rounds: int = 1, patches: Callable[[], None] | None = None
) -> list[list[Any]]:
    """Do all acts at once, `rounds` times. Returns, for each round, what each act returned or the name of what it raised.

    `patches` is called first thing in every child: a control takes a guard out there.
    """
    fork = multiprocessing.get_context("fork")
    gate, inner = fork.Barrier(len(acts)), fork.Barrier(len(acts))

    def meet() -> None:
        try:
            inner.wait(GAP)
        except threading.BrokenBarrierError:
            inner.reset()  # The others are not coming: somebody else's guard stopped them.

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

    children = [start(house, child(act)) for act in acts]
    told = [json.loads(each.wait().said) for each in children]
    return [list(outcomes) for outcomes in zip(*told, strict=True)]


def _outcome(act: Act, number: int, meet: Callable[[], None]) -> Any:
    try:
        return act(number, meet)
    except Exception as error:
        if connection.in_atomic_block:
            raise
        return type(error).__name__


def alone(house: House, act: Callable[[], Any]) -> Any:
    """One child by itself: to prepare a race, or to look what became of it. Returns what `act` did, as JSON."""
    return json.loads(start(house, lambda say: say(json.dumps(act()))).wait().said)
