"""A colour has a dot where its name says which; a wrong one would be worse than none."""

import re

import pytest

from shop.swatches import FILLS, fill_of


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Plum", "plum"),
        ("TEAL", "teal"),
        ("Natural", "natural"),
        ("Heather Grey", "grey"),
        ("Heather", "heather"),
        ("Navy Heather", "navy"),
        ("Forest Green", "green"),
        ("off-white", "white"),
    ],
)
def test_the_last_word_that_is_known_gives_the_colour(name: str, known: str) -> None:
    assert fill_of(name) == FILLS[known]


@pytest.mark.parametrize("name", ["", "Dusk", "Black/White", "Black & White", "Red and Blue", "#000000"])
def test_a_name_that_nobody_knows_and_two_colours_in_one_have_none(name: str) -> None:
    assert fill_of(name) == ""


def test_every_fill_is_a_colour() -> None:
    assert all(re.fullmatch("#[0-9a-f]{6}", fill) for fill in FILLS.values())
