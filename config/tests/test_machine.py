"""REQUIRE_BROWSER=1 and REQUIRE_PG=1 turn a skipped test into a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.tests.settings_run import ROOT

A_TEST = "import pytest\n@pytest.mark.{marker}\ndef test_something(): pass\n"


def run_pytest(folder: Path, marker: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one passing test with that marker, without a browser and without PostgreSQL."""
    (folder / "test_it.py").write_text(A_TEST.format(marker=marker))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  browser\n  postgres\n")
    kept = {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "config.test_settings", "PATH": str(folder)}
    # Load only the plugin under test; with all plugins each run takes seconds.
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    system = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "config.tests.environment_plugin",
        "-p",
        "no:cacheprovider",
        "-q",
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env={**system, **kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("marker", ["browser", "postgres"])
def test_tests_of_something_missing_are_skipped(marker: str, tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, marker)

    assert ran.returncode == 0, ran.stdout
    assert "1 skipped" in ran.stdout


@pytest.mark.parametrize(("marker", "name"), [("browser", "REQUIRE_BROWSER"), ("postgres", "REQUIRE_PG")])
def test_skipping_a_required_test_fails(marker: str, name: str, tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, marker, **{name: "1"})

    assert ran.returncode == 1, ran.stdout
    assert f"{name}=1 requires it to run" in ran.stdout


def test_a_run_on_an_unexpected_database_exits_at_once(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, "postgres", EXPECT_DATABASE="postgresql")

    assert ran.returncode == 1
    assert "Expected to run on postgresql, but the settings use sqlite" in ran.stdout + ran.stderr


SHARED = """
import os, threading
os.environ["DJANGO_SETTINGS_MODULE"] = "config.test_settings"
import django
django.setup()
from django.db import connection
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from config.tests import environment_plugin
import pytest
environment_plugin.let_one_thread_in_at_a_time(pytest.MonkeyPatch())
connection.ensure_connection()
shared = connection.connection

def ask():
    for number in range(1000):
        cursor = shared.cursor(SQLiteCursorWrapper)
        cursor.execute("SELECT django_format_dtdelta('+', '2026-01-01 00:00:00', %s)", [number])
        cursor.fetchall()
        cursor.close()

threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_that_share_one_connection_do_not_deadlock() -> None:
    # In a process of its own with a timeout: without the lock it never ends.
    environment = {**os.environ, "DATABASE_URL": "sqlite:///:memory:"}

    subprocess.run([sys.executable, "-c", SHARED], check=True, timeout=60, env=environment, cwd=ROOT)
