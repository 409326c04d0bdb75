"""Stripe's test cards: https://docs.stripe.com/testing"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A test card's behavior. `refused` is (code, decline_code, message), or None for a card that pays.

    asks: whether the card requires authentication.
    disputes: the reason for which the bank disputes the payment; `inquires`: whether it only asks about it.
    """

    number: str
    brand: str
    refused: tuple[str, str | None, str] | None = None
    asks: bool = False
    disputes: str | None = None
    inquires: bool = False

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
        Card("4000000000000259", "visa", disputes="fraudulent"),
        Card("4000000000002685", "visa", disputes="product_not_received"),
        Card("4000000000001976", "visa", disputes="fraudulent", inquires=True),
    )
}

# token or payment method id -> card number
TOKENS = {
    "tok_visa": "4242424242424242",
    "pm_card_visa": "4242424242424242",
    "tok_mastercard": "5555555555554444",
    "pm_card_mastercard": "5555555555554444",
    "tok_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_amex": "378282246310005",
    "tok_amex": "378282246310005",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_threeDSecure2Required": "4000002760003184",
    "tok_createDispute": "4000000000000259",
    "pm_card_createDispute": "4000000000000259",
    "tok_createDisputeProductNotReceived": "4000000000002685",
    "pm_card_createDisputeProductNotReceived": "4000000000002685",
    "tok_createDisputeInquiry": "4000000000001976",
    "pm_card_createDisputeInquiry": "4000000000001976",
    "tok_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
}


class NotATestCard(ValueError):
    """The number is not that of a test card."""


def card_of(number: str) -> Card:
    """The test card with this number, written with or without spaces."""
    digits = re.sub(r"[\s-]", "", number)
    if digits not in CARDS:
        raise NotATestCard("This is not a test card. Use 4242 4242 4242 4242.")
    return CARDS[digits]
