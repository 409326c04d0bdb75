"""A small stateful Stripe for tests and demonstrations. See README.md beside this file."""

from fake_stripe.api import ConnectionCut, Exchange, Record
from fake_stripe.fake import FakeStripe
from fake_stripe.people import AuthenticationNeeded, CardDeclined, Refused, SessionEnded

__all__ = [
    "AuthenticationNeeded",
    "CardDeclined",
    "ConnectionCut",
    "Exchange",
    "FakeStripe",
    "Record",
    "Refused",
    "SessionEnded",
]
