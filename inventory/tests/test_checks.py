"""System checks of the database."""

from __future__ import annotations

import pytest
from django.db import connection

from inventory import checks


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ((3, 34, 1), "inventory.E002"),
        ((3, 40, 1), "inventory.W001"),
        ((3, 44, 5), "inventory.W001"),
        ((3, 44, 6), None),
        ((3, 45, 0), "inventory.W001"),
        ((3, 50, 6), "inventory.W001"),
        ((3, 50, 7), None),
        ((3, 51, 2), "inventory.W001"),
        ((3, 51, 3), None),
        ((3, 52, 0), None),
    ],
)
def test_an_unsafe_sqlite_version_is_reported(version: tuple[int, ...], problem: str | None) -> None:
    assert [message.id for message in checks.sqlite_problems(version)] == ([problem] if problem else [])


def test_postgresql_must_be_read_committed() -> None:
    assert checks.isolation_problems("read committed") == []
    assert [message.id for message in checks.isolation_problems("repeatable read")] == ["inventory.E001"]


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="asks PostgreSQL")
def test_this_postgresql_is_read_committed() -> None:
    assert checks.check_database_supports_ledger(databases=["default"]) == []
