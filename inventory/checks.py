"""Is the database one that the protocol was proven on? Django's system checks, and a look at the start of a worker."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

RETURNING_SINCE = (3, 35, 0)
READ_COMMITTED = "read committed"


@register(Tags.database)
def database_can_carry_the_ledger(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs where Django is asked for checks of the database (migrate, check --database default)."""
    found: list[CheckMessage] = []
    for alias in databases or []:
        vendor = connections[alias].vendor
        if vendor == "postgresql":
            found += isolation_problems(_isolation(alias))
    return found


@register
def sqlite_can_carry_the_ledger(**kwargs: Any) -> list[CheckMessage]:
    """Runs at every start; the version is known without opening the database."""
    if connections["default"].vendor != "sqlite":
        return []
    return [problem for problem in sqlite_problems(sqlite3.sqlite_version_info) if isinstance(problem, Error)]


@register(deploy=True)
def sqlite_is_sound(**kwargs: Any) -> list[CheckMessage]:
    """Runs with “check --deploy”: to try the shop, any SQLite will do."""
    if connections["default"].vendor != "sqlite":
        return []
    return [
        problem for problem in sqlite_problems(sqlite3.sqlite_version_info) if isinstance(problem, Warning)
    ]


def at_start() -> list[CheckMessage]:
    """All of them, for a worker that begins."""
    return [
        *database_can_carry_the_ledger(databases=["default"]),
        *sqlite_can_carry_the_ledger(),
        *sqlite_is_sound(),
    ]


def _isolation(alias: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        return str(cursor.fetchone()[0])


def isolation_problems(level: str) -> list[CheckMessage]:
    """At READ COMMITTED a conditional UPDATE decides anew on the row it waited for; measured: 500 of 500 sold.

    Under REPEATABLE READ, looking and deciding on one snapshot sold 515 of 500.
    """
    if level == READ_COMMITTED:
        return []
    return [
        Error(
            f"PostgreSQL's transactions are {level.upper()}; the ledger needs READ COMMITTED.",
            hint="Take default_transaction_isolation out of the database's or the role's settings.",
            id="inventory.E001",
        )
    ]


def sqlite_problems(version: tuple[int, ...]) -> list[CheckMessage]:
    """Versions as tuples, such as (3, 40, 1)."""
    if version < RETURNING_SINCE:
        text = f"SQLite {_dotted(version)} is too old: the ledger needs RETURNING, which came with 3.35."
        return [Error(text, id="inventory.E002")]
    if not _has_wal_reset_bug(version):
        return []
    return [
        Warning(
            f"SQLite {_dotted(version)} can, very rarely, damage a database that several processes write (WAL reset).",
            hint="Fixed in 3.51.3, 3.50.7 and 3.44.6. For a shop that earns money, use one of those, or PostgreSQL.",
            id="inventory.W001",
        )
    ]


def _has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """https://sqlite.org/wal.html says which: 3.7.0 to 3.51.2, but for two lines that had the fix brought back."""
    mended = (version[:2] == (3, 44) and version >= (3, 44, 6)) or (
        version[:2] == (3, 50) and version >= (3, 50, 7)
    )
    return (3, 7, 0) <= version <= (3, 51, 2) and not mended


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version[:3]))
