"""Arithmetic of stock: parsing, totals, edits in any order, the counts under a version tag."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.stock.counts import (
    MAX_COUNT,
    InvalidEdits,
    edited,
    match_form_base,
    may_revert,
    parse_count,
    published_total,
    signed,
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
def test_everything_else_is_invalid(text: str | None) -> None:
    assert parse_count(text) is None


@given(COUNTS)
def test_a_count_is_parsed_back_as_it_was_formatted(count: int) -> None:
    assert parse_count(str(count)) == count


@given(st.text())
def test_no_text_makes_parsing_fail_or_a_count_negative(text: str) -> None:
    assert (parse_count(text) or 0) >= 0


@given(COUNTS, st.integers(min_value=-2_000_000, max_value=2_000_000))
def test_a_total_can_be_read_again_and_says_what_is_missing_or_too_much(on_hand: int, pending: int) -> None:
    total = published_total(on_hand, pending)

    assert parse_count(str(total.count)) == total.count
    assert total.shortfall >= 0 and total.surplus >= 0
    assert total.count - total.shortfall + total.surplus == on_hand + pending
    assert total.count == 0 or total.shortfall == 0
    assert total.count == MAX_COUNT or total.surplus == 0


# --- Edits in any order -----------------------------------------------------------------------


def replayed(edits: list[tuple[int | None, int | None]]) -> tuple[int, InvalidEdits]:
    """Apply a list of edits; returns the total moved and the final account."""
    moved, account = 0, InvalidEdits()
    for before, after in edits:
        units, account = edited(account, before, after)
        moved += units
    return moved, account


@given(st.lists(READABLE_OR_NOT, min_size=2, max_size=6), st.randoms())
def test_edits_count_the_same_in_any_order_of_arrival(stood: list[int | None], order: object) -> None:
    """`stood`: successive values at Stripe; the first and the last are readable."""
    stood = [stood[0] or 0, *stood[1:-1], stood[-1] or 0]
    edits = list(itertools.pairwise(stood))
    order.shuffle(edits)  # type: ignore[attr-defined]

    moved, account = replayed(edits)

    assert moved == (stood[-1] or 0) - (stood[0] or 0)
    assert account == InvalidEdits()


def test_an_invalid_count_moves_nothing_until_it_is_corrected() -> None:
    assert replayed([(10, None)]) == (0, InvalidEdits(times=1, units=-10))
    assert replayed([(10, None), (None, 12)]) == (2, InvalidEdits())


def test_a_plain_edit_counts_at_once_even_while_an_account_is_open() -> None:
    moved, account = replayed([(None, 12), (12, 15)])

    assert moved == 3
    assert account == InvalidEdits(times=-1, units=12)


@given(READABLE_OR_NOT.filter(lambda count: count is not None), st.booleans())
def test_an_edit_that_an_update_replaced_never_moves_the_ledger(
    stood: int, update_is_reported_first: bool
) -> None:
    if update_is_reported_first:
        moved, account = edited(written_over(InvalidEdits()), stood, None)
    else:
        moved, account = edited(InvalidEdits(), stood, None)
        account = written_over(account)

    assert (moved, account) == (0, InvalidEdits())


# --- The counts under a version tag -----------------------------------------------------------


def test_a_form_is_measured_from_the_counts_its_update_left() -> None:
    base = match_form_base(
        [{"stock_S": 10, "stock_M": 15}],
        before={"stock_S": 9, "stock_M": 15},
        after={"stock_S": 10, "stock_M": 20},
    )

    assert base is not None and base.certain
    assert base.counts == {"stock_S": 10, "stock_M": 15}


def test_a_form_opened_after_an_edit_is_measured_from_that_edit() -> None:
    """S went from 10 to 12 under the tag; the form shows 12 and changes only M."""
    states = [{"stock_S": 10, "stock_M": 15, "stock_L": 5}, {"stock_S": 12, "stock_M": 15, "stock_L": 5}]

    base = match_form_base(
        states,
        before={"stock_S": 12, "stock_M": 15, "stock_L": 4},
        after={"stock_S": 12, "stock_M": 20, "stock_L": 5},
    )

    assert base is not None
    assert base.counts == states[1]


def test_a_form_that_fits_two_states_takes_the_first_and_says_so() -> None:
    states = [{"stock_S": 10}, {"stock_S": 12}]

    base = match_form_base(states, before={"stock_S": 7}, after={"stock_S": 11})

    assert base is not None
    assert base.counts == states[0] and not base.certain


def test_of_two_states_that_fit_the_form_shows_the_one_that_still_stood() -> None:
    """13 edited to 10, form opened, new tag sent, form saved with 11: that is +1, not -2."""
    states = [{"stock": 13}, {"stock": 10}]

    base = match_form_base(states, before={"stock": 10}, after={"stock": 11})

    assert base is not None
    assert base.counts == {"stock": 10} and not base.certain


@pytest.mark.parametrize("shown", [{"stock": 13}, {"stock": 10}])
def test_an_untouched_form_matches_the_counts_that_it_shows(shown: dict[str, int]) -> None:
    """It could also be the other state, edited to exactly this count."""
    states = [{"stock": 13}, {"stock": 10}]

    base = match_form_base(states, before={"stock": 10}, after=shown)

    assert base is not None
    assert base.counts == shown and not base.certain


def test_without_a_known_state_there_is_no_base() -> None:
    assert match_form_base([], before={"stock_S": 10}, after={"stock_S": 11}) is None


def test_an_unreadable_count_does_not_decide_the_age_of_a_form() -> None:
    base = match_form_base(
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

    base = match_form_base(states, before, shown)

    assert base is not None
    assert sum(base.counts[key] != shown[key] for key in shown) <= 1


# --- Notes ------------------------------------------------------------------------------------


def test_an_edit_of_two_sizes_at_once_may_be_a_form_that_undid_another() -> None:
    assert may_revert([], {"S": 10, "M": 15}, {"S": 11, "M": 16})


def test_an_edit_back_to_an_earlier_state_may_be_one_too() -> None:
    assert may_revert([{"S": 10, "M": 15}], {"S": 12, "M": 15}, {"S": 10, "M": 15})


def test_an_edit_of_one_size_to_a_new_count_is_just_an_edit() -> None:
    assert not may_revert([{"S": 10, "M": 15}], {"S": 10, "M": 15}, {"S": 11, "M": 15})


def test_an_edit_of_the_name_changes_no_count() -> None:
    assert not may_revert([{"S": 10}], {"S": 10}, {"S": 10})


def test_a_difference_is_formatted_with_its_sign() -> None:
    assert [signed(3), signed(-2), signed(0)] == ["+3", "−2", "0"]
