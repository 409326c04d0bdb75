"""What an address says of its country."""

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
def test_a_country_has_a_name_or_keeps_its_letters(code: str, language: str, name: str) -> None:
    assert country_name(code, language) == name
