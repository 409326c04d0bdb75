"""Cleaning of JSON and texts for storage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.coerce import MAX_DEPTH, clean_json, loads_clean

TEXTS = st.text(st.characters(), max_size=6) | st.sampled_from(
    ["\x00", "\ud800", "a\udfff", "NaN", "é", "😀"]
)
NUMBERS = st.floats() | st.integers() | st.sampled_from([10.0**300, 1e-320, float("inf"), float("nan")])
VALUES: Any = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a\x00b", "a?b"),
        ("\ud800", "?"),
        ({"\x00": ["\udfff", 1, 2.5, None, True]}, {"?": ["?", 1, 2.5, None, True]}),
        (float("inf"), None),
        (float("nan"), None),
        ("é 😀 plain", "é 😀 plain"),
    ],
)
def test_values_that_databases_reject_become_a_question_mark_or_null(value: Any, kept: Any) -> None:
    assert clean_json(value) == kept


@given(VALUES, st.booleans(), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
@example("\x00", True, "utf-16")
def test_every_body_that_needs_cleaning_is_cleaned(value: Any, ascii_only: bool, encoding: str) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")

    assert loads_clean(body) == clean_json(json.loads(body))


@pytest.mark.parametrize("number", ["1e999", "-1E+999", "9" * 400 + ".0", "Infinity", "NaN"])
def test_a_number_beyond_the_range_of_floats_becomes_null(number: str) -> None:
    assert loads_clean(f'{{"value": {number}}}'.encode()) == {"value": None}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_accepted_up_to_the_limit(opening: str, closing: str) -> None:
    body = opening * MAX_DEPTH + "1" + closing * MAX_DEPTH

    assert json.dumps(loads_clean(body.encode()), separators=(",", ":")) == body
    with pytest.raises(ValueError, match="deep"):
        loads_clean(f"[{body}]".encode())


def test_a_long_list_is_not_deep() -> None:
    assert len(loads_clean(f"[{','.join(['[]'] * 5000)}]".encode())) == 5000
