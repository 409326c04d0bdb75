"""Parsing of Stripe's bracket notation."""

import pytest

from fake_stripe import FakeStripe
from fake_stripe.errors import StripeError
from fake_stripe.forms import parse


def test_brackets_become_nested_dicts() -> None:
    assert parse(b"a[0][b]=1&a[0][c]=2&a[1][b]=3&m[x+y]=%26") == {
        "a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}},
        "m": {"x y": "&"},
    }


def test_empty_brackets_count_up() -> None:
    assert parse(b"expand[]=a&expand[]=b") == {"expand": {"0": "a", "1": "b"}}


def test_empty_brackets_start_a_new_element_when_a_name_repeats() -> None:
    form = b"lines[][price]=p1&lines[][quantity]=1&lines[][price]=p2&lines[][quantity]=2"

    assert parse(form)["lines"] == {
        "0": {"price": "p1", "quantity": "1"},
        "1": {"price": "p2", "quantity": "2"},
    }


def test_different_names_belong_to_the_same_element() -> None:
    form = b"a[][data][x]=1&a[][data][y]=2&a[][tags][]=3&a[][tags][]=4&a[][data][x]=5"

    assert parse(form)["a"] == {
        "0": {"data": {"x": "1", "y": "2"}, "tags": {"0": "3", "1": "4"}},
        "1": {"data": {"x": "5"}},
    }


def test_the_last_of_two_equal_keys_wins_and_blanks_are_kept() -> None:
    assert parse(b"a=1&a=&b=") == {"a": "", "b": ""}


@pytest.mark.parametrize(
    "form",
    [
        *("a[=1", "[a]=1", "a]b=1", "a[b]c=1", "a=1&a[b]=2", "a[b]=2&a=1"),
        *("a[]=1&a[b]=2", "a[b]=1&a[]=2", "a[][b]=1&a[c][b]=2"),
    ],
)
def test_a_malformed_key_is_refused(form: str) -> None:
    with pytest.raises(StripeError, match="a") as refused:
        parse(form.encode())

    assert refused.value.status == 400


@pytest.mark.parametrize(
    "form", ["name=A&metadata[]=x", "name=A&metadata[a]=1&metadata[]=x", "name=A&metadata[][a]=1"]
)
def test_metadata_cannot_be_a_list(fake: FakeStripe, form: str) -> None:
    status, answer = fake.call("POST", "/v1/products", form)

    assert (status, answer["error"]["param"]) == (400, "metadata")
    assert len(fake.products) == 0


def test_a_session_can_be_created_with_lists_in_racks_notation(fake: FakeStripe) -> None:
    price = fake.add_product(name="A", prices=[{"unit_amount": 500}])["default_price"]
    lines = f"line_items[][price]={price}&line_items[][quantity]=1"
    form = f"mode=payment&success_url=https://a.test&{lines}&{lines}&line_items[][metadata][size]=M"

    status, session = fake.call("POST", "/v1/checkout/sessions", form)

    assert status == 200
    assert [(line["quantity"], line["metadata"]) for line in fake.lines(session["id"])] == [
        (1, {}),
        (1, {"size": "M"}),
    ]
