"""Tests of catalog ids, of the metadata that only feeds need, and of texts in feeds."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shop.feeds.attributes import is_gtin, parse_attributes
from shop.feeds.ids import catalog_id_of_size, group_id
from shop.feeds.rows import plain_text


def test_the_id_of_a_size_never_changes() -> None:
    # Merchant centers keep an offer's history under its id: a changed id is a new offer without history.
    assert catalog_id_of_size("prod_balm", "M") == "napjtpotjenwpbqdoklsludqsi"
    assert catalog_id_of_size("prod_balm", "") == "zlutxbarffnxvcylupbldwah7e"


@example("_", "-")
@given(st.text(max_size=60), st.text(max_size=34))
def test_an_id_is_plain_for_any_product_and_size(product_id: str, size: str) -> None:
    id = catalog_id_of_size(product_id, size)

    assert id.isascii()
    assert id.isalnum()
    assert len(id) <= 50
    assert re.fullmatch("[A-Za-z0-9_-]{1,50}", group_id(product_id))


@pytest.mark.parametrize("gtin", ["4006381333931", "036000291452", "96385074", "10012345678902"])
def test_a_gtin_with_its_check_digit_is_accepted(gtin: str) -> None:
    assert is_gtin(gtin)
    assert not is_gtin(gtin[:-1] + str((int(gtin[-1]) + 1) % 10))


@pytest.mark.parametrize("text", ["", "0000000000000", "123", "٤٠٠٦٣٨١٣٣٣٩٣١", "4006381333931 4", "abc"])
def test_other_text_is_not_a_gtin(text: str) -> None:
    assert not is_gtin(text)


def test_numbers_are_read_per_size() -> None:
    facts = parse_attributes(
        {"gtin_S": "4006381 333931", "gtin_M": "0-36000-29145-2", "mpn": "B", "mpn_M": "B-M"}, ["S", "M"]
    )

    assert facts.gtins == {"S": "4006381333931", "M": "036000291452"}
    assert facts.mpns == {"S": "B", "M": "B-M"}
    assert facts.problems == ()


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"gtin_S": "4006381333932"}, "“gtin_S” is not a GTIN"),
        ({"gtin": "4006381333931"}, "“gtin” is ignored, because each size has its own: “gtin_S”."),
        (
            {"gtin_S": "4006381333931", "gtin_M": "4006381333931"},
            "Several sizes have the GTIN 4006381333931.",
        ),
        ({"gender": "men"}, "“gender” is 'men'; feeds know female, male, unisex."),
        ({"age_group": "20"}, "“age_group” is '20'"),
        ({"condition": "mint\x00"}, "“condition” is 'mint\\x00'"),
    ],
)
def test_values_that_feeds_do_not_know_are_problems(metadata: dict[str, str], problem: str) -> None:
    facts = parse_attributes(metadata, ["S", "M"])

    assert [text for text in facts.problems if problem in text]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>Soft &amp; <b>heavy</b></p><p>Wool</p>", "Soft & heavy\nWool"),
        ("a\x00\x07b\r\n\r\n  c\t d", "a b\nc d"),
        ("5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
        ("word " * 4, "word word…"),
        ("x" * 20, "x" * 13 + "…"),
    ],
)
def test_texts_are_plain_and_cut_at_a_word(text: str, plain: str) -> None:
    assert plain_text(text, 14 if text[0] in "wx" else 100) == plain
