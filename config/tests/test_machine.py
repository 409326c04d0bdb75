"""Is a test that CI asks for ever skipped in silence? REQUIRE_* must turn the skip into a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.tests.settings_run import ROOT

A_TEST = "import pytest\n@pytest.mark.{marker}\ndef test_something(): pass\n"


def run_pytest(folder: Path, marker: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one passing test with that marker on a machine that has no browser and no PostgreSQL."""
    (folder / "test_it.py").write_text(A_TEST.format(marker=marker))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  browser\n  postgres\n")
    kept = {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "config.test_settings", "PATH": str(folder)}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = (
        "1"  # Only the plugin that is looked at, or each run takes seconds.
    )
    system = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    command = [sys.executable, "-m", "pytest", "-p", "config.tests.machine", "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        command,
        cwd=folder,
        env={**system, **kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("marker", ["browser", "postgres"])
def test_what_is_absent_skips_its_tests_with_a_reason(marker: str, tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, marker)

    assert ran.returncode == 0, ran.stdout
    assert "1 skipped" in ran.stdout


@pytest.mark.parametrize(("marker", "name"), [("browser", "REQUIRE_BROWSER"), ("postgres", "REQUIRE_PG")])
def test_what_is_required_may_not_be_skipped(marker: str, name: str, tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, marker, **{name: "1"})

    assert ran.returncode == 1, ran.stdout
    assert f"{name}=1 says that it must run" in ran.stdout


def test_a_run_on_another_database_than_the_one_that_was_meant_ends_at_once(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, "postgres", EXPECT_DATABASE="postgresql")

    assert ran.returncode == 1
    assert "were to run on postgresql, but the settings name sqlite" in ran.stdout + ran.stderr
