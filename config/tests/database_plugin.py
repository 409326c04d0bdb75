"""Pytest plugin for tests with real transactions: it empties their tables fast, and no session outlives the tests.

After each of them, Django empties all tables and creates every content type and permission again. These are the same for
all tests, so they stay unless a test has changed them. On PostgreSQL Django would empty by TRUNCATE, which makes new
files for each table and its indexes; to delete the few rows of a test takes a hundredth of that time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction
from django.test import TransactionTestCase
from pytest_django.plugin import DjangoDbBlocker

# In the order in which they can be deleted.
KEPT = [Permission, ContentType]
# Of the cluster's 200. The live server's threads and the pages that the browser still shows have a few.
MOST_LEFT_OPEN = 30
Rows = list[list[tuple[object, ...]]]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        with django_db_blocker.unblock():
            tables = Tables()
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _test: tables.empty())
        yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock():
            refuse_many(end_other_sessions())


class Tables:
    """The tables of the migrated database."""

    def __init__(self) -> None:
        self.kept = kept_rows()
        kept = {model._meta.db_table for model in KEPT}
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        self.emptied = [connection.ops.quote_name(name) for name in names if name not in kept]

    def empty(self) -> None:
        """Delete the rows of all tables but those of KEPT, which are made again if a test has changed them."""
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                # Like TRUNCATE, wait for a request that is still being answered. Foreign keys are checked at the commit.
                cursor.execute(f"LOCK TABLE {', '.join(self.emptied)} IN EXCLUSIVE MODE")
                cursor.execute("; ".join(f"DELETE FROM {name}" for name in self.emptied))
            else:
                for name in self.emptied:
                    cursor.execute(f"DELETE FROM {name}")
            if kept_rows() == self.kept:
                return
            for model in KEPT:
                model._base_manager.all()._raw_delete(connection.alias)
        emit_post_migrate_signal(verbosity=0, interactive=False, db=connection.alias)
        self.kept = kept_rows()


def kept_rows() -> Rows:
    return [list(model._base_manager.order_by("pk").values_list()) for model in KEPT]


def end_other_sessions() -> int:
    """End this user's other sessions of the database, which could not be dropped otherwise. Returns their number.

    The live server's threads keep theirs while the browser, which is closed later, keeps its connection to the server.
    """
    # While a browser runs, Django keeps another connection for this thread
    # (findings/playwright-makes-django-connections-depend-on-the-context.sh). Afterwards the first one is used again, which
    # a test of this function may have ended.
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
        return int(cursor.rowcount)


def refuse_many(sessions: int) -> None:
    """Fail the run if its tests left many sessions open: PostgreSQL would refuse the next ones at some time."""
    if sessions > MOST_LEFT_OPEN:
        pytest.fail(
            f"{sessions} database sessions were left open, more than {MOST_LEFT_OPEN}.", pytrace=False
        )
