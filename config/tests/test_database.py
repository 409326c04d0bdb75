"""The database has the isolation level, constraints and indexes that the ledger relies on."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_runs_at_read_committed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")

        assert cursor.fetchone() == ("read committed",)


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_compiles_no_statements() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")

        assert cursor.fetchone() == ("off",)


@pytest.mark.django_db
def test_the_database_has_every_constraint_and_index_that_the_models_name() -> None:
    # A migration can drop one silently: on PostgreSQL, Django drops a conditional constraint on a foreign key when the
    # key loses its own index.
    with connection.cursor() as cursor:
        missing = [
            part.name
            for model in apps.get_models()
            for part in (*model._meta.constraints, *model._meta.indexes)
            if part.name not in connection.introspection.get_constraints(cursor, model._meta.db_table)
        ]

    assert missing == []
