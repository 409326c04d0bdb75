"""Tests of the plugin that empties tables on PostgreSQL and ends sessions."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection

from config.tests.database_plugin import end_other_sessions


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [1, 2])
def test_each_test_finds_empty_tables(number: int) -> None:
    """The second one would find what the first has left."""
    assert not User.objects.exists()

    User.objects.create(username="ada").groups.add(Group.objects.create(name="Clerk"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_a_flush_deletes_the_rows_of_every_table() -> None:
    User.objects.create(username="ada").groups.add(Group.objects.create(name="Clerk"))
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    (statement,) = connection.ops.sql_flush(no_style(), tables)

    assert "TRUNCATE" not in statement and statement.count("DELETE FROM") == len(tables) > len(
        list(apps.get_models())
    )
    call_command("flush", interactive=False, reset_sequences=False, inhibit_post_migrate=True, verbosity=0)
    for table in tables:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            assert cursor.fetchone() == (0,), table


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_sessions_that_were_left_open_are_ended() -> None:
    import psycopg

    left_open = connection.copy()
    with left_open.cursor() as cursor:
        cursor.execute("SELECT 1")

    end_other_sessions()

    with pytest.raises(psycopg.OperationalError), left_open.connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    left_open.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
