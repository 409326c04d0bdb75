"""Simulate the shop's processes as calls in one thread, which can be killed or interrupted at any step.

A step is a fault point, an SQL statement, or a request to Stripe before and after it takes effect. A killed process
runs no further statement, not even in its `finally` blocks: its transaction is rolled back, and its leases stay. An
interrupted process sleeps while others work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest import mock

from django.db import connection, connections

from config import fault_points

Result = TypeVar("Result")
DEEPEST = 3


class Killed(BaseException):
    """Ends a process. A BaseException, so that no handler in the shop catches it."""


@dataclass
class Process:
    """`steps_left`: None if the process is not killed."""

    name: str
    steps_left: int | None = None
    dead: bool = False


class Processes:
    """The running processes, innermost last. `interrupt(where)` may run others in between."""

    def __init__(self, interrupt: Callable[[str], None], at_point: Callable[[str], None]) -> None:
        self.running: list[Process] = []
        self.deaths: list[str] = []
        self._interrupt, self._at_point = interrupt, at_point
        self._aside = False

    def run(self, name: str, act: Callable[[], Result], *, steps: int | None = None) -> Result | None:
        """Run `act` as a process. Returns None if it was killed. `steps`: the step at which it is killed."""
        self.running.append(Process(name, steps))
        try:
            return _in_a_context_of_its_own(act)
        except Killed as death:
            self.deaths.append(f"{name} at {death}")
            _forget_the_transaction()
            return None
        finally:
            self.running.pop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Access the database as an observer: statements inside are no steps of a process."""
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
        # Never inside a transaction, since other processes share the connection and would run in it.
        if not self._aside and 0 < len(self.running) < DEEPEST and not connection.in_atomic_block:
            self._interrupt(where)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Turn fault points and SQL statements into steps."""

        def visit(name: str) -> None:
            self._at_point(name)
            self.step(name)
            self.pause(name)

        def statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            self.step(sql[:60])
            return execute(sql, params, many, context)

        with mock.patch.object(fault_points, "visit", visit), connection.execute_wrapper(statement):
            yield


def _in_a_context_of_its_own(act: Callable[[], Result]) -> Result:
    """Run `act` without the caller's context variables, as another process would, but on this connection.

    Once a test has used a browser, Playwright's event loop runs in the thread of all later tests. There Django keeps its
    connections in a context variable, so that a new context would open another connection, whose statements are no steps.
    """
    shared = connections["default"]

    def on_this_connection() -> Result:
        connections["default"] = shared
        return act()

    return Context().run(on_this_connection)


def _forget_the_transaction() -> None:
    # As the database does when a connection is lost.
    connection.savepoint_ids.clear()
    connection.run_on_commit.clear()
    connection.needs_rollback = False
    if connection.in_atomic_block or not connection.get_autocommit():
        connection.in_atomic_block = False
        connection.closed_in_transaction = False
        connection.rollback()
        connection.set_autocommit(True)
    connection.atomic_blocks.clear()
