"""Parsing of stock metadata: counts, problems, version tags, updates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.stock.metadata import (
    VERSION_KEY,
    ParsedCount,
    VersionOwner,
    VersionTag,
    diff,
    identify_version,
    key_for,
    read,
    update_payload,
)


def test_each_size_has_its_own_key_and_order_is_kept() -> None:
    readings = read({"stock_S": "10", "stock_2XL": "0"}, ["S", "2XL"])

    assert readings == [ParsedCount("stock_S", "S", count=10), ParsedCount("stock_2XL", "2XL", count=0)]


def test_a_product_without_sizes_is_one_item_under_the_key_stock() -> None:
    assert read({"stock": "7"}, []) == [ParsedCount("stock", "", count=7)]


def test_a_missing_key_is_unknown_and_never_zero() -> None:
    (reading,) = read({}, ["M"])

    assert reading.count is None
    assert reading.problem == "stock_M is missing."


def test_a_word_is_unknown_and_the_problem_shows_it() -> None:
    (reading,) = read({"stock_M": "ten"}, ["M"])

    assert reading.count is None
    assert "“ten”" in reading.problem and "digits" in reading.problem


@pytest.mark.parametrize("near", ["stock_m", "Stock_M", "STOCK_M", "stock_ M", " stock_M"])
def test_a_key_that_differs_in_case_or_blanks_is_named(near: str) -> None:
    (reading,) = read({near: "5"}, ["M"])

    assert reading.count is None
    assert f"“{near}”" in reading.problem


@pytest.mark.parametrize("text", ["unlimited", "Unlimited", " UNLIMITED "])
def test_unlimited_is_not_tracked(text: str) -> None:
    (reading,) = read({"stock_M": text}, ["M"])

    assert reading.unlimited and reading.count is None and not reading.problem


@given(
    st.dictionaries(st.text(max_size=40), st.text(max_size=500)), st.lists(st.text(max_size=34), max_size=5)
)
def test_every_size_has_exactly_one_reading_for_any_metadata(
    metadata: dict[str, str], sizes: list[str]
) -> None:
    readings = read(metadata, sizes)

    assert [reading.size for reading in readings] == (sizes or [""])
    for reading in readings:
        answers = (reading.count is not None) + reading.unlimited + bool(reading.problem)
        assert answers == 1


@given(st.text(min_size=1, max_size=34))
def test_a_key_contains_the_exact_size(size: str) -> None:
    assert key_for(size).removeprefix("stock_") == size


# --- The version tag --------------------------------------------------------------------------

NAMES = st.text(alphabet="abcdefghij0123456789_", min_size=1, max_size=20)
IDS = st.text(alphabet="abc/019_ é", min_size=1, max_size=20)


@given(NAMES, IDS, st.integers(min_value=0, max_value=999_999_999))
def test_a_version_tag_is_identified_as_it_was_formatted(shop: str, product: str, number: int) -> None:
    text = str(VersionTag(shop, product, number))

    assert identify_version(text, shop=shop, product=product) == VersionOwner(number=number)
    assert identify_version(text, shop="another shop", product=product) == VersionOwner(foreign=text)


@pytest.mark.parametrize(
    ("text", "product"),
    [
        (None, "b"),
        ("", ""),
        ("x", "x"),
        ("a/b", "b"),
        ("a/b/c", "b"),
        ("a//2", ""),
        ("/b/2", "b"),
        ("a/b/-1", "b"),
        ("a/b/٣", "b"),
        ("a b/c/1", "c"),
    ],
)
def test_anything_else_is_no_version_tag(text: str | None, product: str) -> None:
    assert identify_version(text, shop="a", product=product) == VersionOwner()


def test_our_version_tag_has_a_number() -> None:
    assert identify_version("us/prod_a/7", shop="us", product="prod_a") == VersionOwner(number=7)


def test_the_version_tag_of_another_database_is_foreign() -> None:
    assert identify_version("them/prod_a/7", shop="us", product="prod_a") == VersionOwner(
        foreign="them/prod_a/7"
    )


@pytest.mark.parametrize("text", ["us/prod_b/7", "them/prod_b/7"])
def test_the_version_tag_of_another_product_is_ignored(text: str) -> None:
    assert identify_version(text, shop="us", product="prod_a") == VersionOwner()


def test_an_update_contains_totals_and_version_tag_and_no_other_key() -> None:
    sent = update_payload({"stock_S": 3}, VersionTag("us", "prod_a", 8))

    assert sent == {"stock_S": "3", VERSION_KEY: "us/prod_a/8"}


def test_the_body_of_an_update_does_not_depend_on_the_order_of_its_totals() -> None:
    """PostgreSQL returns the keys of stored JSON in its own order."""
    one, other = {"stock_S": 3, "stock_2XL": 1}, {"stock_2XL": 1, "stock_S": 3}

    assert list(update_payload(one, VersionTag("us", "prod_a", 8))) == list(
        update_payload(other, VersionTag("us", "prod_a", 8))
    )


# --- Updates ----------------------------------------------------------------------------------


def test_a_change_is_derived_from_the_new_metadata_and_the_old_values() -> None:
    change = diff({"stock_S": "12", "stock_M": "15"}, {"stock_S": "10"}, ["stock_S", "stock_M"])

    assert change.before == {"stock_S": 10, "stock_M": 15}
    assert change.after == {"stock_S": 12, "stock_M": 15}


def test_null_in_the_old_values_means_that_the_key_was_not_there() -> None:
    change = diff({"stock_S": "12"}, {"stock_S": None}, ["stock_S"])

    assert change.before == {"stock_S": None}
