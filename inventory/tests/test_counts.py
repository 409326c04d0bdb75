"""The arithmetic of stock: what a count is, totals, edits in any order, the counts under a mark."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.counts import (
    MOST,
    Garble,
    base_under,
    edited,
    may_undo,
    parse_count,
    signed,
    total,
    written_over,
)

COUNTS = st.integers(min_value=0, max_value=999_999)
THREE = st.fixed_dictionaries({"a": COUNTS, "b": COUNTS, "c": COUNTS})
READABLE_OR_NOT = st.one_of(st.none(), st.integers(min_value=0, max_value=50))


@pytest.mark.parametrize("text", ["0", "7", "15", " 15 ", "\t3\n", "007", "999999"])
def test_one_to_six_digits_with_blanks_around_them_are_a_count(text: str) -> None:
    assert parse_count(text) == int(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "ten",
        "1_0",
        "+5",
        "-2",
        "٣",
        "²",
        "1.0",
        "1 0",
        "L 4",
        "1000000",
        "0x1",
        "1e3",
        "unlimited",
    ],
)
def test_everything_else_is_unreadable(text: str | None) -> None:
    assert parse_count(text) is None


@given(COUNTS)
def test_a_count_is_read_back_as_it_was_written(count: int) -> None:
    assert parse_count(str(count)) == count


@given(st.text())
def test_no_text_makes_parsing_fail_or_a_count_negative(text: str) -> None:
    assert (parse_count(text) or 0) >= 0


@given(COUNTS, st.integers(min_value=-2_000_000, max_value=2_000_000))
def test_a_total_can_be_read_again_and_says_what_is_missing_or_too_much(on_hand: int, pending: int) -> None:
    found = total(on_hand, pending)

    assert parse_count(str(found.count)) == found.count
    assert found.shortfall >= 0 and found.surplus >= 0
    assert found.count - found.shortfall + found.surplus == on_hand + pending
    assert found.count == 0 or found.shortfall == 0
    assert found.count == MOST or found.surplus == 0


# --- Edits in any order -----------------------------------------------------------------------


def replayed(edits: list[tuple[int | None, int | None]]) -> tuple[int, Garble]:
    """What a list of edits moves in all, and the account in the end."""
    moved, account = 0, Garble()
    for before, after in edits:
        units, account = edited(account, before, after)
        moved += units
    return moved, account


@given(st.lists(READABLE_OR_NOT, min_size=2, max_size=6), st.randoms())
def test_edits_count_the_same_in_whatever_order_they_are_heard_of(
    stood: list[int | None], order: object
) -> None:
    """`stood` is what stood at Stripe, one edit after the other; the first and the last are readable."""
    stood = [stood[0] or 0, *stood[1:-1], stood[-1] or 0]
    edits = list(itertools.pairwise(stood))
    order.shuffle(edits)  # type: ignore[attr-defined]

    moved, account = replayed(edits)

    assert moved == (stood[-1] or 0) - (stood[0] or 0)
    assert account == Garble()


def test_a_garbled_count_moves_nothing_until_it_is_mended() -> None:
    assert replayed([(10, None)]) == (0, Garble(times=1, units=-10))
    assert replayed([(10, None), (None, 12)]) == (2, Garble())


def test_a_plain_edit_counts_at_once_even_while_an_account_is_open() -> None:
    moved, account = replayed([(None, 12), (12, 15)])

    assert moved == 3
    assert account == Garble(times=-1, units=12)


@given(READABLE_OR_NOT.filter(lambda count: count is not None), st.booleans())
def test_what_a_write_replaced_unseen_never_moves_the_ledger(
    stood: int, write_is_heard_of_first: bool
) -> None:
    if write_is_heard_of_first:
        moved, account = edited(written_over(Garble()), stood, None)
    else:
        moved, account = edited(Garble(), stood, None)
        account = written_over(account)

    assert (moved, account) == (0, Garble())


# --- The counts under a mark ------------------------------------------------------------------


def test_a_form_is_measured_from_what_its_write_left() -> None:
    base = base_under(
        [{"stock_S": 10, "stock_M": 15}],
        before={"stock_S": 9, "stock_M": 15},
        after={"stock_S": 10, "stock_M": 20},
    )

    assert base is not None and base.certain
    assert base.counts == {"stock_S": 10, "stock_M": 15}


def test_a_form_opened_after_an_edit_is_measured_from_that_edit() -> None:
    """S went from 10 to 12 under the mark; the form shows 12, and changes M only."""
    states = [{"stock_S": 10, "stock_M": 15, "stock_L": 5}, {"stock_S": 12, "stock_M": 15, "stock_L": 5}]

    base = base_under(
        states,
        before={"stock_S": 12, "stock_M": 15, "stock_L": 4},
        after={"stock_S": 12, "stock_M": 20, "stock_L": 5},
    )

    assert base is not None
    assert base.counts == states[1]


def test_a_form_that_fits_two_states_takes_the_first_and_says_so() -> None:
    states = [{"stock_S": 10}, {"stock_S": 12}]

    base = base_under(states, before={"stock_S": 7}, after={"stock_S": 11})

    assert base is not None
    assert base.counts == states[0] and not base.certain


def test_of_two_states_that_fit_the_form_shows_the_one_that_still_stood() -> None:
    """Edited from 13 to 10, a form opened, a new mark written, the form saved with 11: one more, and not two less."""
    states = [{"stock": 13}, {"stock": 10}]

    base = base_under(states, before={"stock": 10}, after={"stock": 11})

    assert base is not None
    assert base.counts == {"stock": 10} and not base.certain


@pytest.mark.parametrize("shown", [{"stock": 13}, {"stock": 10}])
def test_a_form_that_nobody_touched_is_taken_for_what_it_shows(shown: dict[str, int]) -> None:
    """Though it might be the other one, in which somebody typed just this count."""
    states = [{"stock": 13}, {"stock": 10}]

    base = base_under(states, before={"stock": 10}, after=shown)

    assert base is not None
    assert base.counts == shown and not base.certain


def test_without_a_known_state_there_is_no_base() -> None:
    assert base_under([], before={"stock_S": 10}, after={"stock_S": 11}) is None


def test_what_the_form_leaves_unreadable_says_nothing_about_its_age() -> None:
    base = base_under(
        [{"stock_S": 1, "stock_M": 1}],
        before={"stock_S": 1, "stock_M": 1},
        after={"stock_S": None, "stock_M": 1},
    )

    assert base is not None and base.certain


@given(
    st.lists(THREE, min_size=1, max_size=4),
    THREE,
    st.data(),
)
def test_an_untouched_form_is_measured_from_a_state_that_it_shows(
    states: list[dict[str, int]], before: dict[str, int], data: st.DataObject
) -> None:
    shown = data.draw(st.sampled_from(states))

    base = base_under(states, before, shown)

    assert base is not None
    assert sum(base.counts[key] != shown[key] for key in shown) <= 1


# --- Notes ------------------------------------------------------------------------------------


def test_an_edit_of_two_sizes_at_once_may_be_a_form_that_undid_another() -> None:
    assert may_undo([], {"S": 10, "M": 15}, {"S": 11, "M": 16})


def test_an_edit_back_to_an_earlier_state_may_be_one_too() -> None:
    assert may_undo([{"S": 10, "M": 15}], {"S": 12, "M": 15}, {"S": 10, "M": 15})


def test_an_edit_of_one_size_to_a_new_count_is_just_an_edit() -> None:
    assert not may_undo([{"S": 10, "M": 15}], {"S": 10, "M": 15}, {"S": 11, "M": 15})


def test_an_edit_of_the_name_changes_no_count() -> None:
    assert not may_undo([{"S": 10}], {"S": 10}, {"S": 10})


def test_a_difference_is_written_as_people_write_it() -> None:
    assert [signed(3), signed(-2), signed(0)] == ["+3", "−2", "0"]
