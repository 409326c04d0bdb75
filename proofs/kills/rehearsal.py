"""One run of the scenario without a kill, act by act: which act visits which fault points, and the state before each act.

A test of a kill starts in the act that visits its fault point. The acts before it are the same for all tests.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from django.db import connections
from django.urls import reverse

from config import fault_points
from proofs.children import ChildDatabase, new_child_database, start
from proofs.kills.scenario import ACTS, begin, tell
from proofs.state_machine import database
from shop.money import format_money

Say = Callable[[str], None]


@dataclass(frozen=True)
class Visit:
    """The `number`-th visit to a fault point within an act."""

    act: int
    number: int


@dataclass(frozen=True)
class Checkpoint:
    """The state before an act: the files of Stripe, of the notes and, on SQLite, of the shop. Else `rows` is the shop's."""

    files: Path
    rows: database.Copy | None

    def restore(self, folder: Path) -> ChildDatabase:
        shutil.copytree(self.files, folder, dirs_exist_ok=True)
        if self.rows is None:
            return ChildDatabase(folder / "shop.sqlite3")
        database.put_back(self.rows)
        return new_child_database(folder)


class Rehearsal:
    """Runs the scenario in `folder` when it is made. The test needs transaction=True and an empty database."""

    def __init__(self, folder: Path) -> None:
        self.checkpoints: list[Checkpoint] = []
        self.visits: list[Counter[str]] = []
        stage = folder / "stage"
        stage.mkdir()
        begin(stage)
        child_db = new_child_database(stage)
        for act in range(len(ACTS)):
            self.checkpoints.append(_save(stage, folder / str(act), child_db))
            visits, modules = json.loads(start(child_db, _play_one_act(stage)).wait().said)
            self.visits.append(Counter(visits))
            _import_once(modules)

    def first(self, point: str) -> Visit:
        return Visit(self._acts_with(point)[0], 1)

    def last(self, point: str) -> Visit:
        act = self._acts_with(point)[-1]
        return Visit(act, self.visits[act][point])

    def _acts_with(self, point: str) -> list[int]:
        acts = [act for act, visits in enumerate(self.visits) if visits[point]]
        if not acts:
            raise ValueError(f"The scenario does not visit {point}.")
        return acts


def _save(stage: Path, target: Path, child_db: ChildDatabase) -> Checkpoint:
    # No process has the files open. One that ended by os._exit leaves a write-ahead log beside each.
    shutil.copytree(stage, target)
    if child_db.file is not None:
        return Checkpoint(target, None)
    rows = database.take()
    connections.close_all()
    return Checkpoint(target, rows)


def _play_one_act(folder: Path) -> Callable[[Say], None]:
    def act(say: Say) -> None:
        seen: Counter[str] = Counter()
        inherited = set(sys.modules)
        fault_points.visit = lambda name: seen.update([name])
        tell(folder, only_one_act=True)
        say(json.dumps([seen, sorted(set(sys.modules) - inherited)]))

    return act


def _import_once(modules: list[str]) -> None:
    """Import here what a child has imported, and build what every process builds once. Children inherit both.

    Each of hundreds of children would otherwise take longer for this than for its part of the scenario.
    """
    for name in modules:
        import_module(name)
    reverse("order_page", args=["token"])
    format_money(100, "usd")
