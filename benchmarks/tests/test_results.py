"""Exit codes of the benchmarks, and the sums over many runs."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.drop import exit_code
from benchmarks.soak import gathered

RIGHT = {"orders": 9, "units": 9, "lost": 0, "doubled": 0, "oversold": 0, "unreadable": 0, "wrong": 0}
SEEN = {**RIGHT, "lost": 3, "doubled": 2, "oversold": 1}
MET, MISSED = {"measured": 1, "met": True}, {"measured": 9, "met": False}


def result(**changes: Any) -> dict[str, Any]:
    return {
        "shop": {**RIGHT, "after_the_flood": RIGHT},
        "control": SEEN,
        "targets": {"429s": MET},
        **changes,
    }


def test_a_good_drop_exits_0() -> None:
    assert exit_code(result()) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": {"429s": MISSED}},
        {"shop": {**RIGHT, "lost": 1, "after_the_flood": RIGHT}},
        {"shop": {**RIGHT, "after_the_flood": {**RIGHT, "doubled": 1}}},
        {"control": RIGHT},
    ],
)
def test_a_missed_target_a_wrong_unit_or_a_blind_judge_exits_1(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(result(**changes)) == 1
    assert ("missed: 429s" in capsys.readouterr().err) == ("targets" in changes)


def soaked(first: int, **changes: Any) -> dict[str, Any]:
    return {
        "date": "2026-11-20",
        "database": "sqlite",
        "minutes": 1.0,
        "seeds": [first, first + 9],
        "steps": 40,
        "schedules": 10,
        "faults": 3,
        "rules": 400,
        "requests": 700,
        "faults_by_kind": {"cut after": 3},
        "rules_by_name": {"pay": 30},
        "broken": [],
        "broken_invariants": 0,
        **changes,
    }


def test_the_sums_of_several_soaks_add_up() -> None:
    broken = [{"seed": 11, "what": "BrokenPromise", "again": "run_schedule(11, 40)"}]

    first = gathered({}, soaked(0))
    both = gathered(
        first, soaked(10, faults_by_kind={"twin": 2}, broken=broken, broken_invariants=1, database="postgres")
    )

    assert (both["schedules"], both["faults"], both["minutes"]) == (20, 6, 2.0)
    assert both["faults_by_kind"] == {"cut after": 3, "twin": 2}
    assert [(run["database"], run["seeds"]) for run in both["runs"]] == [
        ("sqlite", [0, 9]),
        ("postgres", [10, 19]),
    ]
    assert (both["broken"], both["broken_invariants"]) == (broken, 1)
