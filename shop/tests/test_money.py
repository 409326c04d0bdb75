"""Tests of formatting amounts."""

import pytest

from shop.money import decimals, format_money


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (2500, "usd", "$25.00"),
        (2500, "USD", "$25.00"),
        (5, "eur", "€0.05"),
        (2500, "bhd", "BHD 2.500"),
        (100000, "isk", "ISK 1,000"),
        (100000, "ugx", "UGX 1,000"),
        (250000, "rsd", "RSD 2,500.00"),
        (123456789, "usd", "$1,234,567.89"),
        (0, "usd", "$0.00"),
    ],
)
def test_amounts_are_formatted_with_stripes_decimals(amount: int, currency: str, written: str) -> None:
    assert format_money(amount, currency).replace("\N{NO-BREAK SPACE}", " ") == written


def test_origin_fault_15_a_zero_decimal_currency_is_not_divided() -> None:
    assert decimals("jpy") == 0
    assert format_money(2500, "jpy") == "¥2,500"


def test_amounts_are_formatted_for_the_locale_or_else_for_english() -> None:
    assert format_money(2500, "eur", "de").replace("\N{NO-BREAK SPACE}", " ") == "25,00 €"
    assert format_money(2500, "eur", "zz") == "€25.00"
