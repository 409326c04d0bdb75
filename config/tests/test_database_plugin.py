"""Tests of the plugin that empties tables after tests with real transactions and ends sessions."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from config.tests.database_plugin import (
    KEPT,
    MOST_LEFT_OPEN,
    Tables,
    end_other_sessions,
    kept_rows,
    refuse_many,
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [1, 2])
def test_each_test_finds_empty_tables(number: int) -> None:
    """The second one would find what the first has left."""
    assert not User.objects.exists()

    User.objects.create(username="ada").groups.add(Group.objects.create(name="Clerk"))


@pytest.mark.django_db(transaction=True)
def test_the_rows_of_every_table_are_deleted_but_those_of_permissions() -> None:
    User.objects.create(username="ada").groups.add(Group.objects.create(name="Clerk"))
    tables = Tables()
    assert len(tables.emptied) + len(KEPT) > len(list(apps.get_models(include_auto_created=False)))

    tables.empty()

    for table in tables.emptied:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table
    assert kept_rows() == tables.kept and Permission.objects.filter(codename="view_user").exists()


@pytest.mark.django_db(transaction=True)
def test_permissions_that_a_test_has_changed_are_made_again() -> None:
    def names() -> list[str]:
        return sorted(f"{one.content_type.app_label}.{one.codename}" for one in Permission.objects.all())

    tables, before = Tables(), names()
    ContentType.objects.create(app_label="shop", model="gone")
    Permission.objects.filter(codename="view_user").delete()
    Permission.objects.filter(codename="add_user").update(codename="other")

    tables.empty()

    assert names() == before and not ContentType.objects.filter(model="gone").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_sessions_that_were_left_open_are_ended() -> None:
    import psycopg

    left_open = connection.copy()
    with left_open.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert end_other_sessions() >= 1

    with pytest.raises(psycopg.OperationalError), left_open.connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    left_open.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_sessions_are_ended_by_a_thread_whose_own_was_ended() -> None:
    connection.ensure_connection()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])

    assert end_other_sessions() >= 1
    other.close()


def test_a_run_that_leaves_many_sessions_open_fails() -> None:
    refuse_many(MOST_LEFT_OPEN)
    with pytest.raises(pytest.fail.Exception, match="31 database sessions were left open"):
        refuse_many(MOST_LEFT_OPEN + 1)
