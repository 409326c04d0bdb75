"""Check the card fields of the payment page, and describe the test cards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from fake_stripe.cards import CARDS, Card

OFFERED = ("4242424242424242", "4000002760003184", "4000000000000002", "4000000000009995")
WORDS = {
    "generic_decline": "is declined",
    "insufficient_funds": "has insufficient funds",
    "lost_card": "was reported lost",
    "expired_card": "has expired",
    "incorrect_cvc": "has an incorrect security code",
    "processing_error": "cannot be processed",
}


def shown() -> list[tuple[str, str]]:
    """(behavior, number in groups of four) of the cards that the page offers. Other test cards work too."""
    return [(does(CARDS[number]), spaced(number)) for number in OFFERED]


def does(card: Card) -> str:
    if card.refused:
        code, decline_code, _ = card.refused
        return WORDS.get(decline_code or code, "is declined")
    return "requires authentication" if card.asks else "pays"


def spaced(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def card_errors(form: Mapping[str, str], now: int) -> dict[str, str]:
    """The errors of number, expiry and security code, by field. `now` is in seconds since 1970."""
    found = {
        "card_number": _number_error(form.get("card_number", "")),
        "card_expiry": _expiry_error(form.get("card_expiry", ""), now),
        "card_code": ""
        if re.fullmatch(r"[0-9]{3,4}", form.get("card_code", ""))
        else "Enter any three digits.",
    }
    return {name: message for name, message in found.items() if message}


def _number_error(text: str) -> str:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"[0-9]{12,19}", digits) or not _adds_up(digits):
        return "This is not a valid card number. Use a test card from the list above."
    if digits not in CARDS:
        return "Real cards are not accepted. Use a test card from the list above."
    return ""


def _adds_up(digits: str) -> bool:
    """Whether the check digit is right (Luhn algorithm, ISO/IEC 7812)."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def expiry(text: str) -> tuple[int, int] | None:
    """(month, year) of `12 / 34`, `1234` or `12/2034`; None if it is not a date."""
    match = re.fullmatch(r"(0?[1-9]|1[0-2])\s*/?\s*(?:20)?([0-9]{2})", text.strip())
    return (int(match[1]), 2000 + int(match[2])) if match else None


def _expiry_error(text: str, now: int) -> str:
    found = expiry(text)
    if found is None:
        return "Enter month and year, such as 12 / 34."
    today = datetime.fromtimestamp(now, UTC)
    return "This card has expired." if (found[1], found[0]) < (today.year, today.month) else ""
