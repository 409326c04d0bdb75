"""Tests of color swatches: unknown names have none, because a wrong color is worse than none."""

import re

import pytest

from shop.theme import FILLS, swatch_color


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
def test_the_last_known_word_decides_the_color(name: str, known: str) -> None:
    assert swatch_color(name) == FILLS[known]


@pytest.mark.parametrize("name", ["", "Dusk", "Black/White", "Black & White", "Red and Blue", "#000000"])
def test_unknown_names_and_combinations_have_no_swatch(name: str) -> None:
    assert swatch_color(name) == ""


def test_every_fill_is_a_hex_color() -> None:
    assert all(re.fullmatch("#[0-9a-f]{6}", fill) for fill in FILLS.values())
