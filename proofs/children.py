"""Run parts of a test in forked child processes, on a database with real commits.

The database is an SQLite file, or the PostgreSQL that the tests run on, so a killed child leaves it as a killed
process would. A child ends by `os._exit`, which skips the cleanup of the test it was forked from.
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

GOOD, FAILED, DIED = 0, 1, 77
LONGEST = 60  # seconds; a child that takes longer is taken to hang


@dataclass(frozen=True)
class Ending:
    """A child's exit code and its output."""

    code: int
    said: str


@dataclass(frozen=True)
class ChildDatabase:
    """The database shared by the children of one test. `file`: None if the tests run on PostgreSQL."""

    file: Path | None

    def connect(self) -> None:
        """Connect a child to the shared database. Must be called before anything else in the child."""
        connection = connections["default"]
        # The inherited connection is dropped without closing, which would end it for the parent too.
        connection.connection = None
        if self.file is not None:
            connection.settings_dict["NAME"] = str(self.file)
            # What a killed process has written is safe with the operating system. Only a power failure would need a sync.
            options = connection.settings_dict["OPTIONS"]
            options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
        connection.ensure_connection()


def new_child_database(folder: Path) -> ChildDatabase:
    """Give the database of the test to children, on SQLite as a file in `folder`. The test needs transaction=True."""
    connection = connections["default"]
    connection.ensure_connection()
    if connection.vendor != "sqlite":
        connections.close_all()
        return ChildDatabase(None)
    file = folder / "shop.sqlite3"
    with sqlite3.connect(file) as written:
        connection.connection.backup(written)
    written.close()
    return ChildDatabase(file)


@dataclass
class Child:
    pid: int
    _pipe: int

    def wait(self) -> Ending:
        # Read the output before waiting, or a child with a full pipe would never end.
        with os.fdopen(self._pipe, "rb") as pipe:
            said = pipe.read().decode()
        _pid, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == FAILED:
            raise AssertionError(f"A child failed:\n{said}")
        return Ending(code, said)


def start(child_db: ChildDatabase, act: Callable[[Callable[[str], None]], object]) -> Child:
    """Fork a child that runs `act(say)`. `Child.wait` returns the texts passed to `say`."""
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
        child_db.connect()
        act(lambda text: _write(writing, text))
        code = GOOD
    except BaseException:
        _write(writing, traceback.format_exc())
    finally:
        os._exit(code)


def _write(pipe: int, text: str) -> None:
    os.write(pipe, text.encode()[:60_000])
