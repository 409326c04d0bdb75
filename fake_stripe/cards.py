"""Which test card does what? https://docs.stripe.com/testing"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """How a test card behaves. `refused` is (code, decline_code, sentence), None for a card that pays."""

    number: str
    brand: str
    refused: tuple[str, str | None, str] | None = None
    asks: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(number: str, decline_code: str, message: str) -> Card:
    return Card(number, "visa", ("card_declined", decline_code, message))


CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242", "visa"),
        Card("5555555555554444", "mastercard"),
        Card("378282246310005", "amex"),
        _declined("4000000000000002", "generic_decline", "Your card was declined."),
        _declined("4000000000009995", "insufficient_funds", "Your card has insufficient funds."),
        _declined("4000000000009987", "lost_card", "Your card was declined."),
        Card("4000000000000069", "visa", ("expired_card", None, "Your card has expired.")),
        Card("4000000000000127", "visa", ("incorrect_cvc", None, "Your card's security code is incorrect.")),
        Card("4000000000000119", "visa", ("processing_error", None, "The card could not be processed.")),
        Card("4000002760003184", "visa", asks=True),
        Card("4000002500003155", "visa", asks=True),
    )
}

# what the API takes in place of a number
TOKENS = {
    "tok_visa": "4242424242424242",
    "pm_card_visa": "4242424242424242",
    "tok_mastercard": "5555555555554444",
    "pm_card_mastercard": "5555555555554444",
    "tok_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "tok_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
}


class NotATestCard(ValueError):
    """A number that no test card has; a real card's number has no business here either."""


def card_of(number: str) -> Card:
    """The test card of this number, written with or without blanks."""
    digits = re.sub(r"[\s-]", "", number)
    if digits not in CARDS:
        raise NotATestCard("This is not the number of a test card. 4242 4242 4242 4242 pays.")
    return CARDS[digits]
