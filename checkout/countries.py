"""What is a country called? Two letters in, its name in the reader's language out. PURE."""

from __future__ import annotations

from babel import Locale, UnknownLocaleError


def country_name(code: str, language: str) -> str:
    """`GB`, `en` -> `United Kingdom`; a code or a language that nobody knows gives the code back."""
    try:
        return str(Locale.parse(language, sep="-").territories.get(code.upper(), code))
    except (UnknownLocaleError, ValueError):
        return code
