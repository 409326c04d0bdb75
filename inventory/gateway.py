"""How does inventory speak with Stripe? Signatures, one write of a product's metadata, and Stripe's list of events.

The only place in inventory that touches Stripe's objects. https://docs.stripe.com/webhooks#verify-events,
https://docs.stripe.com/api/products/update, https://docs.stripe.com/api/events/list,
https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.stripe_client import our_errors, stripe_client
from config.texts import storable

PRODUCT_EVENTS = ["product.updated"]
PAGE = 100
RETRIES = 2  # Reads may always be asked again; a write is never repeated by the library behind our back.


class BadSignature(Exception):
    """This body does not come from Stripe, or not now; the text says why, for whoever sets the endpoint up."""


def verify(payload: bytes, header: str, *, secrets: Sequence[str], tolerance: int, now: float) -> None:
    """Raise BadSignature unless one of `secrets` signed `payload` within `tolerance` seconds of `now`, both ways.

    The library checks the age of a signature against its own clock, and lets one from the future pass.
    """
    import stripe

    if not header:
        raise BadSignature("There is no Stripe-Signature header.")
    if not any(_signed_with(stripe, payload, header, secret) for secret in secrets):
        raise BadSignature("No secret in STRIPE_WEBHOOK_SECRET made this signature.")
    age = now - _timestamp(header)
    if age > tolerance:
        raise BadSignature(f"The signature is {age:.0f} s old; {tolerance} s are allowed.")
    if age < -tolerance:
        raise BadSignature(f"The signature is {-age:.0f} s from the future; is this machine's clock right?")


def _signed_with(stripe: Any, payload: bytes, header: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(payload, header, secret)
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        # TypeError: a header with letters beyond ASCII, which the library compares without looking.
        return False
    return True


def _timestamp(header: str) -> int:
    """The `t=` of a header that has passed the library's parsing."""
    return int(next(part[2:] for part in header.split(",") if part.startswith("t=")))


@dataclass(frozen=True)
class Written:
    """Stripe's answer to a write. `replayed`: the stored answer of an earlier request with the same key."""

    metadata: dict[str, str]
    replayed: bool


def write_metadata(product_id: str, changes: Mapping[str, str], *, key: str) -> Written:
    """Send one POST, once. Keys that are not in `changes` stay as they are at Stripe.

    Raises config.stripe_client.StripeTrouble; its `outcome_known` says whether the write may have happened.
    """
    with our_errors():
        product = stripe_client(retries=0).v1.products.update(
            product_id, {"metadata": dict(changes)}, {"idempotency_key": key}
        )
    headers = product.last_response.headers if product.last_response else {}
    replayed = any(name.lower() == "idempotent-replayed" for name in headers)
    return Written(dict(product.metadata.to_dict()), replayed)


def product_events(since: datetime) -> Iterator[dict[str, Any]]:
    """Every product.updated event created at `since` or later, newest first, as Stripe's JSON.

    Stripe keeps events for 30 days. Raises config.stripe_client.StripeTrouble, possibly after some events.
    """
    with our_errors():
        events = stripe_client(retries=RETRIES).v1.events.list(
            {"types": PRODUCT_EVENTS, "created": {"gte": int(since.timestamp())}, "limit": PAGE}
        )
        for event in events.auto_paging_iter():
            yield storable(event.to_dict(for_json=True))
