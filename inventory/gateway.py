"""Stripe access of inventory: webhook signatures, metadata updates of a product, and events.

The only module in inventory that handles Stripe's objects. https://docs.stripe.com/webhooks#verify-events,
https://docs.stripe.com/api/products/update, https://docs.stripe.com/api/events/list,
https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.coerce import as_text
from config.json_cleaning import clean_json
from config.stripe_client import stripe_client, translate_errors

PRODUCT_EVENTS = ["product.updated"]
PAGE_SIZE = 100
RETRIES = 2  # Reads are safe to repeat. Updates are never retried by the library, only by the worker.


class BadSignature(Exception):
    """The signature is missing, invalid or out of tolerance. The message helps to set up the endpoint."""


def verify(payload: bytes, header: str, *, secrets: Sequence[str], tolerance: int, now: float) -> None:
    """Raise BadSignature unless one of `secrets` signed `payload` within `tolerance` seconds of `now`, either way.

    stripe-python checks the age against its own clock, and accepts signatures from the future.
    """
    import stripe

    if not header:
        raise BadSignature("The Stripe-Signature header is missing.")
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(payload, header, secret)
            break
        except (stripe.SignatureVerificationError, ValueError, TypeError):
            continue  # TypeError: stripe-python cannot compare a header with non-ASCII characters.
    else:
        raise BadSignature("The signature matches no secret in STRIPE_WEBHOOK_SECRET.")
    try:
        age = now - int(next(part[2:] for part in header.split(",") if part.startswith("t=")))
    except (ValueError, StopIteration):
        raise BadSignature("The Stripe-Signature header has no valid time.") from None
    if age > tolerance:
        raise BadSignature(f"The signature is {age:.0f} s old; at most {tolerance} s are allowed.")
    if age < -tolerance:
        raise BadSignature(f"The signature is {-age:.0f} s in the future; check this machine's clock.")


@dataclass(frozen=True)
class UpdateResult:
    """Stripe's answer to an update. `replayed`: the stored answer to an earlier request with the same key."""

    metadata: dict[str, str]
    replayed: bool


def update_metadata(product_id: str, changes: Mapping[str, str], *, key: str) -> UpdateResult:
    """Send one POST without retries. Keys that are not in `changes` stay unchanged at Stripe.

    Raises config.stripe_client.StripeCallError; `outcome_known` is False if the update may have been applied.
    """
    with translate_errors():
        product = stripe_client(retries=0).v1.products.update(
            product_id, {"metadata": dict(changes)}, {"idempotency_key": key}
        )
    headers = product.last_response.headers if product.last_response else {}
    replayed = any(name.lower() == "idempotent-replayed" for name in headers)
    return UpdateResult(dict(product.metadata.to_dict()), replayed)


class NoSnapshotEvent(Exception):
    """A thin event has no snapshot event, so what has changed is unknown."""


def snapshot_event_of(thin_event: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot event that reports the same change as a thin event, with its object and previous attributes.

    A delivery may lack `snapshot_event`, which Stripe documents for the retrieved event:
    https://docs.stripe.com/api/v2/core/events/object. Raises NoSnapshotEvent and config.stripe_client.StripeCallError.
    """
    client = stripe_client(retries=RETRIES)
    with translate_errors():
        snapshot_id = as_text(thin_event.get("snapshot_event"))
        if not snapshot_id:
            retrieved = client.v2.core.events.retrieve(thin_event["id"])
            snapshot_id = as_text(retrieved.to_dict().get("snapshot_event"))
        if not snapshot_id:
            raise NoSnapshotEvent(
                "Stripe names no snapshot event. Choose the payload style “snapshot” for the webhook endpoint."
            )
        event = client.v1.events.retrieve(snapshot_id)
    return dict(clean_json(event.to_dict(for_json=True)))


def product_events(since: datetime) -> Iterator[dict[str, Any]]:
    """Every product.updated event created at `since` or later, newest first, as Stripe's JSON.

    Stripe keeps events for 30 days. Raises config.stripe_client.StripeCallError, possibly after some events.
    """
    with translate_errors():
        events = stripe_client(retries=RETRIES).v1.events.list(
            {"types": PRODUCT_EVENTS, "created": {"gte": int(since.timestamp())}, "limit": PAGE_SIZE}
        )
        for event in events.auto_paging_iter():
            yield clean_json(event.to_dict(for_json=True))
