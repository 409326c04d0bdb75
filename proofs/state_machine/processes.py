"""Who is at work, and who dies where? Processes of the shop as calls in one thread, killed or interrupted at any step.

A step is a fault point, an SQL statement, or a request to Stripe before and after it took effect. A process that
is killed runs no further statement, not even in its `finally` blocks: its transaction is rolled back and whatever
it had claimed stays claimed. One that is interrupted sleeps on while others work, as a zombie does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest import mock

from django.db import connection

from config import fault_points

Result = TypeVar("Result")
DEEPEST = 3


class Killed(BaseException):
    """The process ends here. Nothing in the shop may catch it."""


@dataclass
class Process:
    """`steps_left`: None lives for ever."""

    name: str
    steps_left: int | None = None
    dead: bool = False


class Processes:
    """The processes that are under way, the innermost last. `interrupt(where)` may let others work meanwhile."""

    def __init__(self, interrupt: Callable[[str], None], at_point: Callable[[str], None]) -> None:
        self.running: list[Process] = []
        self.deaths: list[str] = []
        self._interrupt, self._at_point = interrupt, at_point
        self._aside = False

    def run(self, name: str, act: Callable[[], Result], *, steps: int | None = None) -> Result | None:
        """Do `act` as a process of its own; None if it was killed. `steps`: after how many it dies."""
        self.running.append(Process(name, steps))
        try:
            return Context().run(act)
        except Killed as death:
            self.deaths.append(f"{name} at {death}")
            _forget_the_transaction()
            return None
        finally:
            self.running.pop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The world itself looks into the database: that is nobody's step."""
        before, self._aside = self._aside, True
        try:
            yield
        finally:
            self._aside = before

    def step(self, where: str) -> None:
        if self._aside or not self.running:
            return
        process = self.running[-1]
        if process.steps_left is not None:
            process.steps_left -= 1
            process.dead = process.dead or process.steps_left <= 0
        if process.dead:
            raise Killed(where)

    def pause(self, where: str) -> None:
        """A place where others may come in between: never inside a transaction, for it would be theirs too."""
        if not self._aside and 0 < len(self.running) < DEEPEST and not connection.in_atomic_block:
            self._interrupt(where)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Fault points and SQL statements become steps."""

        def visit(name: str) -> None:
            self._at_point(name)
            self.step(name)
            self.pause(name)

        def statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            self.step(sql[:60])
            return execute(sql, params, many, context)

        with mock.patch.object(fault_points, "visit", visit), connection.execute_wrapper(statement):
            yield


def _forget_the_transaction() -> None:
    """What the database does when a connection breaks off."""
    connection.savepoint_ids.clear()
    connection.run_on_commit.clear()
    connection.needs_rollback = False
    if connection.in_atomic_block or not connection.get_autocommit():
        connection.in_atomic_block = False
        connection.closed_in_transaction = False
        connection.rollback()
        connection.set_autocommit(True)
    connection.atomic_blocks.clear()
