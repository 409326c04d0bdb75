"""How does a test run something in a process of its own, on a database with real commits? It forks, which is quick.

The child speaks to a database that a dying process leaves behind as a real one would: a file of SQLite's, or the
PostgreSQL that the tests run on. It ends by `os._exit`, so nothing of the test's own is cleaned up in it.
"""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import connections

from proofs.state_machine import database

GOOD, FAILED, DIED = 0, 1, 77
LONGEST = 60  # seconds; a child that takes longer hangs


@dataclass(frozen=True)
class Ending:
    """How a child ended: its exit code, and what it said."""

    code: int
    said: str


@dataclass(frozen=True)
class House:
    """The database that the children of one test share. `file`: None where the tests run on PostgreSQL."""

    empty: database.Copy
    file: Path | None

    def move_in(self) -> None:
        """Called first thing in a child: connect anew, to the shared database."""
        connection = connections["default"]
        # The parent's connection is left as it is: closing it here would end it for the parent too.
        connection.connection = None
        if self.file is not None:
            connection.settings_dict["NAME"] = str(self.file)
        connection.ensure_connection()


def new_house(folder: Path, *, empty: database.Copy | None = None) -> House:
    """A migrated, empty database for children; call it in a test with transaction=True.

    `empty`: the copy of an earlier house; on PostgreSQL what happened there is wiped out by it.
    """
    copy = empty or database.take()
    if empty is not None and not isinstance(empty, sqlite3.Connection):
        database.put_back(empty)
    if not isinstance(copy, sqlite3.Connection):
        connections.close_all()
        return House(copy, None)
    file = folder / "shop.sqlite3"
    with sqlite3.connect(file) as written:
        copy.backup(written)
    written.close()
    return House(copy, file)


@dataclass
class Child:
    pid: int
    _pipe: int

    def wait(self) -> Ending:
        """Until it ends; what it said is read first, so that it never waits for us."""
        with os.fdopen(self._pipe, "rb") as pipe:
            said = pipe.read().decode()
        _pid, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == FAILED:
            raise AssertionError(f"A child failed:\n{said}")
        return Ending(code, said)


def start(house: House, act: Callable[[Callable[[str], None]], object]) -> Child:
    """Fork a child that does `act(say)`; what it says reaches the parent when it has ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading)
    os.close(reading)
    code = FAILED
    try:
        signal.alarm(LONGEST)
        logging.disable(logging.CRITICAL)
        house.move_in()
        act(lambda text: _write(writing, text))
        code = GOOD
    except BaseException:
        _write(writing, traceback.format_exc())
    finally:
        os._exit(code)


def _write(pipe: int, text: str) -> None:
    os.write(pipe, text.encode()[:60_000])
