"""PostgreSQL with a standby behind one DATABASE_URL. The drills themselves run by `python -m proofs.drills`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.tests.settings_run import COMPLETE, manage
from proofs.drills.postgres import Server, primary_and_standby

READ_ONLY = "The database is read-only, so nothing can be sold or counted."


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    with primary_and_standby(synchronous=True) as pair:
        yield pair


@pytest.mark.postgres
def test_several_hosts_lead_to_the_one_that_accepts_writes(pair: tuple[Server, Server]) -> None:
    primary, standby = pair
    hosts = f"127.0.0.1:{standby.port},127.0.0.1:{primary.port}"
    url = f"postgres://shop:{primary.password}@{hosts}/postgres"
    environment = {**COMPLETE, "DATABASE_URL": f"{url}?target_session_attrs=read-write&connect_timeout=3"}

    migrated = manage("migrate", "contenttypes", "--no-input", "-v", "0", **environment)
    primary.kill()
    standby.promote()
    after = manage("migrate", "sessions", "--no-input", "-v", "0", **environment)

    assert (migrated.returncode, after.returncode) == (0, 0), migrated.stderr + after.stderr
    tables = {name for (name,) in standby.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert {"django_content_type", "django_session"} <= tables


@pytest.mark.postgres
def test_worker_and_doctor_refuse_a_standby_in_one_sentence(pair: tuple[Server, Server]) -> None:
    primary, standby = pair
    assert manage("migrate", "-v", "0", **COMPLETE, DATABASE_URL=primary.url).returncode == 0

    worker = manage("run_worker", "--once", **COMPLETE, DATABASE_URL=standby.url)
    doctor = manage("doctor", **COMPLETE, DATABASE_URL=standby.url)

    assert worker.returncode == 1 and READ_ONLY in worker.stderr and "Traceback" not in worker.stderr
    assert doctor.returncode == 1 and READ_ONLY in doctor.stdout and "Traceback" not in doctor.stderr
