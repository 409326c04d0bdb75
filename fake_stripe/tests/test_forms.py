"""Parsing of Stripe's bracket notation."""

import pytest

from fake_stripe import FakeStripe
from fake_stripe.errors import StripeError
from fake_stripe.forms import parse


def test_brackets_become_groups() -> None:
    assert parse(b"a[0][b]=1&a[0][c]=2&a[1][b]=3&m[x+y]=%26") == {
        "a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}},
        "m": {"x y": "&"},
    }


def test_empty_brackets_count_up() -> None:
    assert parse(b"expand[]=a&expand[]=b") == {"expand": {"0": "a", "1": "b"}}


def test_empty_brackets_before_a_name_begin_anew_when_the_name_comes_again() -> None:
    form = b"lines[][price]=p1&lines[][quantity]=1&lines[][price]=p2&lines[][quantity]=2"

    assert parse(form)["lines"] == {
        "0": {"price": "p1", "quantity": "1"},
        "1": {"price": "p2", "quantity": "2"},
    }


def test_two_names_of_one_hash_belong_to_one_element() -> None:
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
def test_a_key_that_cannot_be_read_is_refused(form: str) -> None:
    with pytest.raises(StripeError, match="a") as refused:
        parse(form.encode())

    assert refused.value.status == 400


@pytest.mark.parametrize(
    "form", ["name=A&metadata[]=x", "name=A&metadata[a]=1&metadata[]=x", "name=A&metadata[][a]=1"]
)
def test_a_list_is_no_metadata(fake: FakeStripe, form: str) -> None:
    status, answer = fake.call("POST", "/v1/products", form)

    assert (status, answer["error"]["param"]) == (400, "metadata")
    assert len(fake.products) == 0


def test_a_session_may_be_asked_for_as_rack_writes_lists(fake: FakeStripe) -> None:
    price = fake.add_product(name="A", prices=[{"unit_amount": 500}])["default_price"]
    lines = f"line_items[][price]={price}&line_items[][quantity]=1"
    form = f"mode=payment&success_url=https://a.test&{lines}&{lines}&line_items[][metadata][size]=M"

    status, session = fake.call("POST", "/v1/checkout/sessions", form)

    assert status == 200
    assert [(line["quantity"], line["metadata"]) for line in fake.lines(session["id"])] == [
        (1, {}),
        (1, {"size": "M"}),
    ]
