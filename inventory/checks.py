"""System checks of the database that holds the ledger; the worker runs them too when it starts."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

RETURNING_SINCE = (3, 35, 0)
READ_COMMITTED = "read committed"


@register(Tags.database)
def check_database_supports_ledger(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Database check: runs with `migrate` and `check --database default` only."""
    problems: list[CheckMessage] = []
    for alias in databases or []:
        if connections[alias].vendor == "postgresql":
            with connections[alias].cursor() as cursor:
                cursor.execute("SHOW transaction_isolation")
                problems += isolation_problems(str(cursor.fetchone()[0]))
    return problems


@register
def check_sqlite_supports_ledger(**kwargs: Any) -> list[CheckMessage]:
    # Runs at every start: the version is known without opening the database.
    if connections["default"].vendor != "sqlite":
        return []
    return [problem for problem in sqlite_problems(sqlite3.sqlite_version_info) if isinstance(problem, Error)]


@register(deploy=True)
def check_sqlite_version(**kwargs: Any) -> list[CheckMessage]:
    # Deployment check only: for development any SQLite is good enough.
    if connections["default"].vendor != "sqlite":
        return []
    return [
        problem for problem in sqlite_problems(sqlite3.sqlite_version_info) if isinstance(problem, Warning)
    ]


def run_startup_checks() -> list[CheckMessage]:
    return [
        *check_database_supports_ledger(databases=["default"]),
        *check_sqlite_supports_ledger(),
        *check_sqlite_version(),
    ]


def isolation_problems(level: str) -> list[CheckMessage]:
    """Require READ COMMITTED, where a conditional UPDATE re-evaluates its condition on the row it waited for.

    Measured: 500 of 500 units sold. A check on the snapshot of REPEATABLE READ sold 515 of 500.
    """
    if level == READ_COMMITTED:
        return []
    return [
        Error(
            f"PostgreSQL's isolation level is {level.upper()}; the ledger requires READ COMMITTED.",
            hint="Remove default_transaction_isolation from the settings of the database or the role.",
            id="inventory.E001",
        )
    ]


def sqlite_problems(version: tuple[int, ...]) -> list[CheckMessage]:
    """Versions as tuples, such as (3, 40, 1)."""
    dotted = ".".join(map(str, version[:3]))
    if version < RETURNING_SINCE:
        text = f"SQLite {dotted} is too old: the ledger requires RETURNING, added in 3.35."
        return [Error(text, id="inventory.E002")]
    # https://sqlite.org/wal.html: 3.7.0 to 3.51.2 are affected; the fix was backported to 3.44 and 3.50.
    if version > (3, 51, 2) or (3, 44, 6) <= version < (3, 45) or (3, 50, 7) <= version < (3, 51):
        return []
    return [
        Warning(
            f"SQLite {dotted} can in rare cases corrupt a database with several writers (WAL reset bug).",
            hint="Fixed in 3.51.3, 3.50.7 and 3.44.6. In production, use one of these versions or PostgreSQL.",
            id="inventory.W001",
        )
    ]
