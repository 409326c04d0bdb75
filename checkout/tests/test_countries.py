"""Tests of country names."""

from __future__ import annotations

import pytest

from checkout.countries import country_name


@pytest.mark.parametrize(
    ("code", "language", "name"),
    [
        ("GB", "en", "United Kingdom"),
        ("de", "de", "Deutschland"),
        ("US", "en-us", "United States"),
        ("ZZZ", "en", "ZZZ"),
        ("", "en", ""),
        ("GB", "no such language", "GB"),
    ],
)
def test_an_unknown_country_is_shown_as_its_code(code: str, language: str, name: str) -> None:
    assert country_name(code, language) == name
