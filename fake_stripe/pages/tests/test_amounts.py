"""Formatting and parsing of amounts."""

from __future__ import annotations

import pytest

from fake_stripe.pages.amounts import minor, plain, shown


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (123450, "usd", "$1,234.50"),
        (5, "eur", "€0.05"),
        (1500, "jpy", "¥1,500"),
        (1500, "kwd", "1.500\u00a0KWD"),
        (100, "isk", "1.00\u00a0ISK"),
        (-250, "usd", "−$2.50"),
        (None, "usd", "–"),
    ],
)
def test_an_amount_is_shown_with_its_currency(amount: int | None, currency: str, text: str) -> None:
    assert shown(amount, currency) == text


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [("12.5", "usd", 1250), ("12,50", "eur", 1250), ("1500", "jpy", 1500), ("0.001", "kwd", 1)],
)
def test_a_typed_amount_is_read(text: str, currency: str, amount: int) -> None:
    assert minor(text, currency) == amount
    assert minor(plain(amount, currency), currency) == amount


@pytest.mark.parametrize("text", ["", "-1", "1.234", "1.", ".5", "ten", "1e3", "٣", "1 000", "9" * 13])
def test_invalid_amounts_are_refused(text: str) -> None:
    assert minor(text, "usd") is None
