"""Do the tests run on the database they name, set as the ledger needs it?"""

from __future__ import annotations

import os

import pytest
from django.db import connection


@pytest.mark.django_db
def test_the_database_that_answers_is_the_one_that_was_asked_for() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        (version,) = cursor.fetchone()

    assert version
    assert connection.vendor == os.environ.get("EXPECT_DATABASE", connection.vendor)


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_reads_what_is_committed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")

        assert cursor.fetchone() == ("read committed",)
