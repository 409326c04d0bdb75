"""Is PostgreSQL set as the ledger needs it?"""

from __future__ import annotations

import pytest
from django.db import connection


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_reads_what_is_committed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")

        assert cursor.fetchone() == ("read committed",)
