"""Mutation tests: each patch breaks one rule of the protocol, and the test named for it must fail.

A patch that no longer applies fails too. Update it together with the code it patches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATCHES = Path(__file__).parent
NEEDED = [
    "config",
    "shop",
    "inventory",
    "checkout",
    "fake_stripe",
    "proofs",
    "templates",
    "conftest.py",
    "manage.py",
]
LONGEST = 60  # seconds; without a mutant, each test takes one or two

# Patch name to the test that must fail.
KILLERS = {
    "edits_taken_from_looks": "inventory/tests/test_edits_at_stripe.py::test_an_edit_that_our_write_replaced_is_not_lost",
    "dedupe_by_event_id_alone": "inventory/tests/test_edits_at_stripe.py::test_two_events_for_one_request_count_once",
    "body_recomputed_from_what_stands": "inventory/tests/test_publish.py::"
    "test_a_write_that_fails_once_is_counted_once_in_the_end",
    "applied_twice": "inventory/tests/test_publish.py::test_a_write_that_two_workers_believe_in_is_applied_once",
    "whole_metadata_written": "inventory/tests/test_publish.py::"
    "test_a_write_carries_all_readable_totals_and_the_next_mark_and_no_other_key",
    "old_mark_ignored": "inventory/tests/test_marks.py::"
    "test_an_old_form_saved_untouched_does_not_bring_sold_shirts_back",
    "mark_ahead_ignored": "inventory/tests/test_restored_databases.py::"
    "test_a_restored_database_takes_stripes_counts_and_tells_the_owner",
    "hold_released_by_our_clock": "checkout/tests/test_catching_up.py::test_a_page_that_was_paid_unheard_is_a_sale",
    "int_for_a_count": "inventory/tests/test_counts.py::test_everything_else_is_unreadable",
    "sale_without_its_unique_reference": "inventory/tests/test_ledger.py::test_a_sale_told_twice_counts_once",
    "hold_looked_at_first": "inventory/tests/test_ledger.py::test_a_hold_is_all_or_nothing",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree, to apply patches in."""
    folder = tmp_path_factory.mktemp("mutants")
    for name in NEEDED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name in ("pyproject.toml", ".env.example"):  # The test settings read variable names from the latter.
        shutil.copy(ROOT / name, folder)
    return folder


def _patch(folder: Path, name: str, *options: str) -> None:
    command = ["git", "apply", "--whitespace=nowarn", *options, str(PATCHES / f"{name}.patch")]
    # The copy is in no repository, and git must not search the folders above it for one.
    applied = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
    )
    assert applied.returncode == 0, f"{name}.patch no longer applies: {applied.stderr}"


def _run(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": "sqlite:///:memory:", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("EXPECT_DATABASE", None)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", test]
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env=environment, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        # The mutant keeps the worker busy for good, which counts as detected.
        return subprocess.CompletedProcess(command, 1, "1 failed: it ran for too long", "")


def test_every_patch_has_a_test() -> None:
    assert sorted(path.stem for path in PATCHES.glob("*.patch")) == sorted(KILLERS)


@pytest.mark.parametrize("name", sorted(KILLERS))
def test_every_patch_applies(name: str, copy: Path) -> None:
    _patch(copy, name, "--check")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KILLERS))
def test_the_mutant_is_killed(name: str, copy: Path) -> None:
    _patch(copy, name)
    try:
        ran = _run(copy, KILLERS[name])
    finally:
        _patch(copy, name, "--reverse")

    # A test must have run and failed; an import error does not count.
    assert ran.returncode == 1 and "1 failed" in ran.stdout, ran.stdout[-3000:] + ran.stderr[-2000:]


@pytest.mark.slow
def test_without_a_mutant_the_tests_pass(copy: Path) -> None:
    """A test that always fails would detect any mutant."""
    command_line = sorted(set(KILLERS.values()))
    environment = {**os.environ, "DATABASE_URL": "sqlite:///:memory:", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("EXPECT_DATABASE", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *command_line]
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True, env=environment)

    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-2000:]
