"""Country names for addresses."""

from __future__ import annotations

from babel import Locale, UnknownLocaleError


def country_name(code: str, language: str) -> str:
    """`GB` in `en` is `United Kingdom`. Returns the code if it or the language is unknown."""
    try:
        return str(Locale.parse(language, sep="-").territories.get(code.upper(), code))
    except (UnknownLocaleError, ValueError):
        return code
