"""Mutation tests: each patch breaks one rule of the protocol, and the test named for it must fail.

A patch that no longer applies fails too. Update it together with the code it patches.
"""

from __future__ import annotations

import compileall
import json
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
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

# Patch name to the test that must fail.
KILLERS = {
    "applied_twice": "inventory/tests/test_publisher.py::"
    "test_an_update_that_two_workers_apply_is_applied_once",
    "payload_recomputed_from_stripe": "inventory/tests/test_publisher.py::"
    "test_an_update_that_fails_once_is_counted_once_in_the_end",
    "dedupe_by_event_id_alone": "inventory/tests/test_product_events.py::"
    "test_two_events_for_one_request_count_once",
    "edits_taken_from_refreshes": "inventory/tests/test_product_events.py::"
    "test_an_edit_that_our_update_replaced_is_not_lost",
    "hold_without_a_condition": "inventory/tests/test_ledger.py::test_a_hold_is_all_or_nothing",
    "hold_released_by_our_clock": "checkout/tests/test_session_recovery.py::"
    "test_a_session_that_was_paid_without_an_event_is_a_sale",
    "int_for_a_count": "inventory/tests/test_counts.py::test_everything_else_is_invalid",
    "newer_version_tag_ignored": "inventory/tests/test_backup_recovery.py::"
    "test_a_sale_from_before_the_cutoff_goes_into_the_issue_and_not_into_the_count",
    "old_version_tag_ignored": "inventory/tests/test_version_tags.py::"
    "test_an_old_form_saved_untouched_does_not_bring_sold_shirts_back",
    "forms_counted_in_any_order": "inventory/tests/test_version_tags.py::"
    "test_an_old_form_waits_for_an_earlier_event_that_another_worker_handles",
    "sale_without_its_unique_reference": "inventory/tests/test_ledger.py::"
    "test_a_sale_recorded_twice_counts_once",
    "forgotten_too_early": "proofs/state_machine/test_forgetting.py::"
    "test_a_twin_of_an_event_that_comes_after_29_days_counts_nothing",
    "request_forgotten_before_its_events": "proofs/state_machine/test_forgetting.py::"
    "test_a_failed_event_that_is_replayed_after_four_months_counts_nothing_twice",
    "standing_version_forgotten": "proofs/state_machine/test_forgetting.py::"
    "test_the_version_that_stands_is_kept_however_old_it_is",
    "forgotten_by_our_clock_alone": "proofs/state_machine/test_forgetting.py::"
    "test_a_clock_that_jumps_ahead_deletes_nothing_that_a_count_depends_on",
    "whole_metadata_written": "inventory/tests/test_publisher.py::"
    "test_an_update_carries_all_readable_totals_the_next_version_tag_and_no_other_key",
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
    # Compiled once. A patched file is found by its hash, however soon after the copy it is patched.
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    assert compileall.compile_dir(folder, quiet=1, invalidation_mode=mode)
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


@dataclass(frozen=True)
class Ran:
    code: int
    said: str


Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def run(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs pytest in the copy, each time in a process that has imported nothing of the shop."""
    environment = {**os.environ, "DATABASE_URL": "sqlite:///:memory:", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("EXPECT_DATABASE", None)
    command = [sys.executable, "-m", "proofs.mutants.warm_pytest"]
    folder = tmp_path_factory.mktemp("output")
    with subprocess.Popen(
        command, cwd=copy, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as runner:
        assert runner.stdin and runner.stdout
        asked, answers, numbers = runner.stdin, runner.stdout, count()

        def run_pytest(*arguments: str) -> Ran:
            output = folder / str(next(numbers))
            # The tables are made from the models, in a tenth of the time that the migrations take.
            print(json.dumps([["-q", "--nomigrations", *arguments], str(output)]), file=asked, flush=True)
            return Ran(int(answers.readline()), output.read_text())

        yield run_pytest


def test_every_patch_has_a_test() -> None:
    assert sorted(path.stem for path in PATCHES.glob("*.patch")) == sorted(KILLERS)


@pytest.mark.parametrize("name", sorted(KILLERS))
def test_every_patch_applies(name: str, copy: Path) -> None:
    _patch(copy, name, "--check")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KILLERS))
def test_the_mutant_is_killed(name: str, copy: Path, run: Run) -> None:
    _patch(copy, name)
    try:
        ran = run("-x", KILLERS[name])
    finally:
        _patch(copy, name, "--reverse")

    # A test must have run and failed; an import error does not count.
    assert ran.code == 1 and "1 failed" in ran.said, ran.said[-5000:]


@pytest.mark.slow
def test_without_a_mutant_the_tests_pass(run: Run) -> None:
    """A test that always fails would detect any mutant."""
    ran = run(*sorted(set(KILLERS.values())))

    assert ran.code == 0, ran.said[-5000:]
