"""Tests of parsing size guides."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.size_guide import Guide, Row, as_inches, problems_of, read

COLUMNS = "Body length, Chest width, Sleeve length"


def guide_of(lines: str, unit: str = "in") -> Guide:
    return read({"name": "Shirts", "unit": unit, "columns": COLUMNS, "lines": lines, "note": ""})


def test_inches_are_converted_to_centimeters() -> None:
    guide = guide_of("S 27 1/2, 21 1/2, 34\n3XL 31 1/2, 29, 38 3/4")

    assert guide.columns == ("Body length", "Chest width", "Sleeve length")
    assert guide.rows == (
        Row("S", ("27 1/2", "21 1/2", "34"), ("70", "54.5", "86.5")),
        Row("3XL", ("31 1/2", "29", "38 3/4"), ("80", "73.5", "98.5")),
    )


def test_centimeters_are_converted_to_the_nearest_eighth_of_an_inch() -> None:
    assert guide_of("M 71, 56.5, 87", unit="cm").rows == (
        Row("M", ("28", "22 1/4", "34 1/4"), ("71", "56.5", "87")),
    )


@pytest.mark.parametrize(
    "line", ["S", "S 27 1/2, 21", "S 27, 21, long", "S 27, 21, 1/0", "S 27, 21, -3", "S 1,2,3,4"]
)
def test_an_invalid_line_is_left_out_and_is_a_problem(line: str) -> None:
    assert guide_of(line).rows == ()
    assert problems_of(COLUMNS, line) == [f"“{line}” must be a size and 3 measures, separated by commas."]


def test_a_guide_without_columns_is_rejected() -> None:
    assert problems_of(" , ", "S 1") == ["Name at least one column."]


@given(st.fractions(min_value=0, max_value=100))
def test_inches_are_never_off_by_more_than_a_sixteenth(measure: Fraction) -> None:
    whole, _blank, part = as_inches(measure).partition(" ")
    written = Fraction(whole) + Fraction(part or 0)

    assert abs(written - measure) <= Fraction(1, 16)
