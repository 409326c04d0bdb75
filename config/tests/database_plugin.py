"""Pytest plugin for tests on PostgreSQL: tables are emptied by DELETE, and no session outlives the tests.

Django empties all tables after each test with real transactions by TRUNCATE, which makes new files for each table and
its indexes. To delete the few rows of a test takes a hundredth of that time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(connection.ops), "sql_flush", _flush_of(type(connection.ops).sql_flush))
        yield
    with django_db_blocker.unblock():
        end_other_sessions()


def _flush_of(truncate: Any) -> Any:
    def sql_flush(operations: Any, style: Any, tables: list[str], **options: bool) -> list[str]:
        if options.get("reset_sequences") or not tables:
            statements: list[str] = truncate(operations, style, tables, **options)
            return statements
        names = [operations.quote_name(table) for table in tables]
        # Like TRUNCATE, wait for a request that is still being answered. Foreign keys are checked at the commit.
        lock = f"LOCK TABLE {', '.join(names)} IN EXCLUSIVE MODE"
        return ["; ".join([lock, *(f"DELETE FROM {name}" for name in names)])]

    return sql_flush


def end_other_sessions() -> None:
    """End this user's other sessions of the database, which could not be dropped otherwise.

    The live server's threads keep theirs while the browser, which is closed later, keeps its connection to the server.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
