"""The judge finds each kind of fault in constructed records."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import judge as judging
from benchmarks import records
from benchmarks.judge import BlindJudge, Edited, Happening, Paid, Shown, Verdict, judge, must_have_eyes
from benchmarks.records import happenings

S, M = ("prod_1", "stock_S"), ("prod_1", "stock_M")
OPENED = {S: 10, M: 10}


def verdict(*happened: Happening) -> Verdict:
    return judge(OPENED, happened)


def faults(found: Verdict) -> tuple[int, int, int]:
    return found.lost, found.doubled, found.oversold


def test_a_sale_that_is_shown_is_right() -> None:
    found = verdict(Paid("cs_1", {M: 2}), Shown(M, 8))

    assert faults(found) == (0, 0, 0)
    assert (found.orders, found.units, found.wrong) == (1, 2, 0)
    assert not found.guilty


def test_sales_without_a_lowered_count_are_lost() -> None:
    assert faults(verdict(Paid("cs_1", {M: 2}), Paid("cs_2", {S: 1}))) == (3, 0, 0)


def test_two_sales_at_once_that_leave_one_lose_the_other() -> None:
    found = verdict(Paid("cs_1", {M: 1}), Paid("cs_2", {M: 1}), Shown(M, 9), Shown(M, 9))

    assert faults(found) == (1, 0, 0)
    assert found.wrong == 1


def test_a_second_delivery_that_is_counted_is_doubled() -> None:
    assert faults(verdict(Paid("cs_1", {M: 2}), Shown(M, 8), Shown(M, 6))) == (0, 2, 0)


def test_the_same_session_reported_twice_is_one_payment() -> None:
    found = verdict(Paid("cs_1", {M: 2}), Paid("cs_1", {M: 2}), Shown(M, 8))

    assert faults(found) == (0, 0, 0)
    assert found.orders == 1


def test_lost_and_doubled_units_do_not_hide_each_other() -> None:
    """The final count is right, but in between it ran ahead of the payments."""
    found = verdict(Paid("cs_1", {M: 1}), Shown(M, 9), Shown(M, 8), Paid("cs_2", {M: 1}))

    assert faults(found) == (1, 1, 0)
    assert found.wrong == 0
    assert found.guilty


def test_a_loss_in_one_size_does_not_hide_a_double_in_another() -> None:
    assert faults(verdict(Paid("cs_1", {M: 1, S: 1}), Shown(S, 8))) == (1, 1, 0)


def test_a_count_that_stops_at_zero_does_not_hide_an_oversell() -> None:
    assert faults(verdict(Paid("cs_1", {M: 9}), Shown(M, 1), Paid("cs_2", {M: 3}), Shown(M, 0))) == (0, 0, 2)


def test_stock_that_arrives_later_does_not_undo_an_oversell() -> None:
    found = verdict(Paid("cs_1", {M: 12}), Shown(M, 0), Edited(M, 5), Shown(M, 3))

    assert faults(found) == (0, 0, 2)


def test_a_restock_that_ignores_oversold_units_is_a_loss() -> None:
    found = verdict(Paid("cs_1", {M: 12}), Shown(M, 0), Edited(M, 5), Shown(M, 5))

    assert faults(found) == (2, 0, 2)


def test_an_edit_that_is_undone_is_seen() -> None:
    raised = verdict(Edited(M, 5), Shown(M, 15), Paid("cs_1", {M: 1}), Shown(M, 9))
    lowered = verdict(Edited(M, -5), Shown(M, 5), Paid("cs_1", {M: 1}), Shown(M, 9))

    assert faults(raised) == (0, 5, 0)
    assert faults(lowered) == (5, 0, 0)


def test_an_increase_that_is_overwritten_for_a_moment_is_no_fault() -> None:
    """A total in flight during the increase overwrites it, and the next total corrects that."""
    found = verdict(Paid("cs_1", {M: 1}), Edited(M, 5), Shown(M, 15), Shown(M, 9), Shown(M, 14))

    assert not found.guilty


def test_a_count_that_is_gone_is_a_fault() -> None:
    found = verdict(Shown(M, None))

    assert (found.unreadable, found.wrong, found.guilty) == (1, 1, True)


def test_a_payment_for_an_unknown_place_raises() -> None:
    with pytest.raises(KeyError):
        verdict(Paid("cs_1", {("prod_2", "stock_M"): 1}))


@pytest.mark.parametrize("blind", ["lost", "doubled", "oversold"])
def test_a_judge_that_misses_a_fault_of_the_control_is_blind(blind: str) -> None:
    seen = {"lost": 3, "doubled": 2, "oversold": 1, blind: 0}
    control = Verdict(orders=9, units=9, unreadable=0, wrong=1, **seen)

    with pytest.raises(BlindJudge, match=blind):
        must_have_eyes(control)


def test_a_judge_that_finds_all_three_faults_is_not_blind() -> None:
    must_have_eyes(Verdict(orders=9, units=9, lost=3, doubled=2, oversold=1, unreadable=0, wrong=1))


def test_a_count_with_spaces_around_it_is_a_count() -> None:
    edit = {
        "type": "product.updated",
        "request": {"idempotency_key": None},
        "data": {
            "object": {"id": "prod_1", "metadata": {"stock_S": " 12 "}},
            "previous_attributes": {"metadata": {"stock_S": "10"}},
        },
    }

    assert list(happenings([edit], lambda session: [])) == [Edited(S, 2), Shown(S, 12)]


@pytest.mark.parametrize("module", [judging, records])
def test_the_judge_and_its_records_import_nothing_from_the_shop(module: ModuleType) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported <= {"__future__", "benchmarks.judge", "collections.abc", "dataclasses", "typing"}
