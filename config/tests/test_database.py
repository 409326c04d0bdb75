"""Is the database what the ledger needs?"""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_reads_what_is_committed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")

        assert cursor.fetchone() == ("read committed",)


@pytest.mark.django_db
def test_the_database_has_every_constraint_and_index_that_the_models_name() -> None:
    """A migration may take one along in silence: Django drops a conditional constraint of a foreign key on PostgreSQL
    when that key loses its own index."""
    with connection.cursor() as cursor:
        missing = [
            each.name
            for model in apps.get_models()
            for each in (*model._meta.constraints, *model._meta.indexes)
            if each.name not in connection.introspection.get_constraints(cursor, model._meta.db_table)
        ]

    assert missing == []
