"""A small stateful fake of Stripe for tests and demonstrations. See README.md in this directory."""

from fake_stripe.api import ConnectionCut, Exchange, Record
from fake_stripe.customers import AuthenticationNeeded, CardDeclined, Refused, SessionEnded
from fake_stripe.fake import FakeStripe

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
