"""Each row of docs/what-stripe-sends.md names a test that exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs/what-stripe-sends.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TABLE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| input")
]


@pytest.fixture(scope="module")
def defined() -> set[str]:
    """The names of all test functions."""
    command = ["git", "grep", "--untracked", "-hoE", "def test_[a-z0-9_]+", "--", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {line.removeprefix("def ") for line in listed.stdout.splitlines()}


def test_the_page_has_rows() -> None:
    assert ROWS


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_the_row_names_tests_that_exist(row: list[str], defined: set[str]) -> None:
    assert len(row) == 3
    names = re.findall(r"`(test_\w+)`", row[2])
    assert names and set(names) <= defined
