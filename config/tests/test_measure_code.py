"""Tests of script/measure_code.py: its counting rules, and one run of its journeys."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# Imported by name, because config may not import script; this is a test of the script.
measure_code = importlib.import_module("script.measure_code")

SOURCE = '''"""What is this?"""

def total(rows):
    """Sum of the rows."""
    # Empty rows count as 0.
    return sum(_value(row) for row in rows)  # trailing

def _value(row):
    return _value(row.parent) if row.parent else _twice(row) + _twice(row)

def _twice(row):
    return 2 * row

class Row:
    def __init__(self):
        self.parent = None
'''


def test_functions_are_counted_with_their_docstrings_and_lengths() -> None:
    figures = measure_code.measure_functions([SOURCE])

    assert figures["count"] == 4
    assert (figures["length_median"], figures["length_longest"]) == (2, 4)
    assert figures["docstring_percent"] == 25


def test_a_recursion_is_no_second_use_of_a_private_function() -> None:
    figures = measure_code.measure_functions([SOURCE])

    assert figures["private_percent"] == 50
    assert figures["private_used_once_percent"] == 25, "_value is used once, _twice twice"


def test_uses_of_a_private_name_in_another_module_belong_to_another_function() -> None:
    assert measure_code.count_used_once(ast.parse("def _row(): ...\n_row()")) == 1
    two = ["def _row(): ...\n_row()", "def _row(): ...\n_row(), _row()"]
    assert measure_code.measure_functions(two)["private_used_once_percent"] == 50


def test_a_question_counts_in_the_first_line_of_a_module_only() -> None:
    assert measure_code.asks(SOURCE)
    assert not measure_code.asks('"""What this is.\n\nIs it more?\n"""\n')
    assert not measure_code.asks('def why() -> None:\n    """Why?"""\n')


def test_only_lines_that_hold_nothing_else_are_comment_lines() -> None:
    assert measure_code.comments_per_1000(["# one\na = 1  # two\n\n"]) == 1000
    # One comment among nine lines of code; the two lines of docstrings count as neither.
    assert measure_code.comments_per_1000([SOURCE]) == round(1000 / 9, 1)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("shop/views.py", True),
        ("shop/tests/test_views.py", False),
        ("shop/migrations/0001_initial.py", False),
        ("fake_stripe/store.py", False),
    ],
)
def test_production_code_is_that_of_the_four_apps(path: str, expected: bool) -> None:
    assert measure_code.is_production(ROOT / path) is expected


def test_a_missed_target_is_named() -> None:
    figures = {
        "functions": {"private_used_once_percent": 12, "docstring_percent": 29.9},
        "asking_module_docstrings": {"repository": 0},
        "journeys": {
            "paid_order": {"functions": 75, "files": 15},
            "dashboard_edit": {"functions": 120},
        },
        "templates": {"long_lines": 0},
    }

    assert measure_code.missed_targets(figures) == ["functions.private_used_once_percent: 12 is not < 12"]


@pytest.mark.slow
def test_the_journeys_run_and_are_counted() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "script.measure_code", "--json"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    journeys = json.loads(done.stdout)["journeys"]
    assert journeys.keys() == {"paid_order", "dashboard_edit", "cart_to_payment"}
    for journey in journeys.values():
        assert journey["functions"] > journey["files"] > 5
