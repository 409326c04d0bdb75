"""Stripe's bracket notation becomes nested groups."""

from __future__ import annotations

import pytest

from fake_stripe.contract.forms import MalformedForm, parse


def test_brackets_become_groups() -> None:
    assert parse(b"a[0][b]=1&a[0][c]=2&a[1][b]=3&m[x+y]=%26") == {
        "a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}},
        "m": {"x y": "&"},
    }


def test_empty_brackets_count_up() -> None:
    assert parse("expand[]=a&expand[]=b") == {"expand": {"0": "a", "1": "b"}}


def test_empty_brackets_before_a_name_begin_anew_when_the_name_comes_again() -> None:
    form = "line_items[][price]=p1&line_items[][quantity]=1&line_items[][price]=p2&line_items[][quantity]=2"

    assert parse(form)["line_items"] == {
        "0": {"price": "p1", "quantity": "1"},
        "1": {"price": "p2", "quantity": "2"},
    }


def test_the_last_of_two_equal_keys_wins_and_blanks_are_kept() -> None:
    assert parse("a=1&a=&b=") == {"a": "", "b": ""}


@pytest.mark.parametrize("form", ["a[=1", "[a]=1", "a]b=1", "a[b]c=1", "a=1&a[b]=2", "a[b]=2&a=1"])
def test_a_key_that_cannot_be_read_is_refused(form: str) -> None:
    with pytest.raises(MalformedForm, match="a"):
        parse(form)
