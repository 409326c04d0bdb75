"""Stripe access of inventory: webhook signatures, updates of a product, events, and the set-up of an account.

The only module in inventory that handles Stripe's objects. https://docs.stripe.com/webhooks#verify-events,
https://docs.stripe.com/api/products/update, https://docs.stripe.com/api/events/list,
https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from config.coerce import as_mapping, as_text, as_texts, clean_json
from config.stripe_client import (
    InvalidRequest,
    PermissionDenied,
    put_file,
    stripe_client,
    translate_errors,
)

if TYPE_CHECKING:
    import stripe

PRODUCT_EVENTS = ["product.updated"]
PAGE_SIZE = 100
# A signed body with which the doctor and rotate_webhook_secret ask whether the running shop knows a secret.
PING = b'{"object": "ping"}'
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


def has_undelivered_events(types: Sequence[str], *, since: datetime, until: datetime) -> bool:
    """Whether Stripe has an event of these types and of that time that waits to be delivered to some endpoint."""
    created = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
    with translate_errors():
        page = stripe_client(retries=RETRIES).v1.events.list(
            {"limit": PAGE_SIZE, "types": list(types), "created": cast("Any", created)}
        )
        return any(event.pending_webhooks for event in page.data)


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


# --- The account, the key's permissions and webhook endpoints, for the set-up -------------------


@dataclass(frozen=True)
class Account:
    """`clock`: Stripe's time when it answered, None if the answer had no readable Date header."""

    id: str
    name: str
    clock: datetime | None


@dataclass(frozen=True)
class WebhookEndpoint:
    """A webhook endpoint. `api_version` is "" if it follows the account's default version.

    `fingerprint`: that of its signing secret, which connect_stripe leaves in the metadata, since Stripe never shows
    a secret again. `rotating`: created by rotate_webhook_secret and not in use yet.
    """

    id: str
    url: str
    enabled: bool
    events: frozenset[str]
    api_version: str
    created_at: datetime
    fingerprint: str
    rotating: bool

    @classmethod
    def of(cls, endpoint: stripe.WebhookEndpoint) -> WebhookEndpoint:
        values = endpoint.to_dict()
        metadata = as_texts(values.get("metadata"))
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            enabled=endpoint.status == "enabled",
            events=frozenset(endpoint.enabled_events),
            api_version=as_text(values.get("api_version")),
            created_at=datetime.fromtimestamp(endpoint.created, UTC),
            fingerprint=metadata.get("secret_fingerprint", ""),
            rotating=metadata.get("rotating") == "yes",
        )


# Ids that exist nowhere: a key with the permission gets 404, one without it 403, and nothing changes.
NO_PRODUCT, NO_SESSION, NO_ENDPOINT = "prod_no_such_product", "cs_test_no_such_session", "we_no_such_endpoint"
NO_REFUND = "re_no_such_refund"
# What the shop needs, by the names of the Dashboard's page of restricted keys.
PERMISSIONS: dict[str, Callable[[stripe.StripeClient], object]] = {
    "Products: write": lambda client: client.v1.products.update(NO_PRODUCT, {"metadata": {"shop": ""}}),
    "Prices: read": lambda client: client.v1.prices.list({"limit": 1}),
    "Checkout Sessions: write": lambda client: client.v1.checkout.sessions.expire(NO_SESSION),
    "Events: read": lambda client: client.v1.events.list({"limit": 1}),
    "PaymentIntents: read": lambda client: client.v1.payment_intents.list({"limit": 1}),
    "Charges: read": lambda client: client.v1.charges.list({"limit": 1}),
    "Refunds: write": lambda client: client.v1.refunds.update(NO_REFUND, {"metadata": {"shop": ""}}),
}
WEBHOOK_PERMISSION = "Webhook Endpoints: write"
SET_UP_PERMISSIONS: dict[str, Callable[[stripe.StripeClient], object]] = {
    WEBHOOK_PERMISSION: lambda client: client.v1.webhook_endpoints.update(
        NO_ENDPOINT, {"metadata": {"shop": ""}}
    ),
}


def fetch_account() -> Account:
    with translate_errors():
        account = stripe_client().v1.accounts.retrieve_current()
    values = account.to_dict()
    dashboard = as_mapping(as_mapping(values.get("settings")).get("dashboard"))
    name = as_text(dashboard.get("display_name")) or as_text(
        as_mapping(values.get("business_profile")).get("name")
    )
    return Account(account.id, clean_json(name), stripe_clock(account))


def stripe_clock(answer: stripe.StripeObject) -> datetime | None:
    headers = answer.last_response.headers if answer.last_response else {}
    date = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        return parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None


def has_permission(name: str) -> bool:
    """Whether the key has the permission `name` of PERMISSIONS or SET_UP_PERMISSIONS. Raises StripeCallError."""
    try:
        with translate_errors():
            (PERMISSIONS | SET_UP_PERMISSIONS)[name](stripe_client())
    except PermissionDenied:
        return False
    except InvalidRequest:
        return True
    return True


def newest_event_version() -> str:
    """The API version of the newest event: the account's default version. "" if there is no event."""
    with translate_errors():
        events = stripe_client().v1.events.list({"limit": 1}).data
    return as_text(events[0].api_version) if events else ""


def webhook_endpoints() -> list[WebhookEndpoint]:
    with translate_errors():
        listed = stripe_client(retries=RETRIES).v1.webhook_endpoints.list({"limit": PAGE_SIZE})
        return [WebhookEndpoint.of(endpoint) for endpoint in listed.auto_paging_iter()]


def create_webhook_endpoint(url: str, events: Sequence[str], *, rotating: bool = False) -> tuple[str, str]:
    """Create an endpoint in the library's API version. Returns its id and its secret, which Stripe shows only now.

    `rotating`: Stripe sends nothing to it until `update_webhook_endpoint` enables it.
    """
    import stripe

    client = stripe_client()
    version = stripe.api_version
    with translate_errors():
        endpoint = client.v1.webhook_endpoints.create(
            {"url": url, "enabled_events": cast("Any", list(events)), "api_version": cast("Any", version)}
        )
        secret = as_text(endpoint.secret)
        metadata = {"secret_fingerprint": fingerprint(secret), "rotating": "yes" if rotating else ""}
        client.v1.webhook_endpoints.update(endpoint.id, {"metadata": metadata, "disabled": rotating})
    return endpoint.id, secret


def update_webhook_endpoint(endpoint_id: str, *, url: str, events: Sequence[str]) -> None:
    # One that was being rotated to, or was disabled, is in use from now on.
    with translate_errors():
        stripe_client().v1.webhook_endpoints.update(
            endpoint_id,
            {
                "url": url,
                "enabled_events": cast("Any", list(events)),
                "disabled": False,
                "metadata": {"rotating": ""},
            },
        )


def disable_webhook_endpoint(endpoint_id: str) -> None:
    # Stripe sends nothing to it any more, retries included.
    with translate_errors():
        stripe_client(retries=RETRIES).v1.webhook_endpoints.update(endpoint_id, {"disabled": True})


def delete_webhook_endpoint(endpoint_id: str) -> None:
    with translate_errors():
        stripe_client().v1.webhook_endpoints.delete(endpoint_id)


def library_version() -> str:
    import stripe

    return str(stripe.api_version)


def fingerprint(secret: str) -> str:
    """A short digest that identifies a signing secret without revealing it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def signature_header(payload: bytes, secret: str) -> str:
    import stripe

    return str(stripe.WebhookSignature.generate_signature_header(payload.decode(), secret))


@dataclass(frozen=True)
class CatalogImportState:
    """An import of the catalog for agents at Stripe. `upload_url` is set while Stripe waits for the file.

    `message` says why it failed, or names the first rows with errors. `is_transient`: sending it again may help.
    """

    id: str
    status: str
    upload_url: str = ""
    message: str = ""
    errors: int = 0
    is_transient: bool = False

    @property
    def is_finished(self) -> bool:
        return self.status in {"succeeded", "succeeded_with_errors", "failed"}


def create_catalog_import(feed: str, mode: str, *, key: str) -> CatalogImportState:
    """Raises config.stripe_client.PermissionDenied without the right “Product Catalog Import: write”."""
    with translate_errors():
        created = stripe_client(retries=RETRIES).v2.commerce.product_catalog.imports.create(
            {"feed_type": feed, "mode": mode, "metadata": {}}, {"idempotency_key": key}
        )
    return _import_state(created)


def fetch_catalog_import(import_id: str) -> CatalogImportState:
    with translate_errors():
        return _import_state(
            stripe_client(retries=RETRIES).v2.commerce.product_catalog.imports.retrieve(import_id)
        )


def upload_catalog(url: str, text: str) -> bool:
    """Send the file. The address holds its own permission, so the key is not sent. False if it has expired."""
    return 200 <= put_file(url, text.encode(), "text/csv") < 300


def _import_state(given: Any) -> CatalogImportState:
    details = getattr(given, "status_details", None)
    detail = getattr(details, given.status, None) if details is not None else None
    upload = getattr(detail, "upload_url", None)
    samples = getattr(detail, "samples", None) or []
    rows = [f"row {row.row} ({row.id}): {row.field}: {row.error_message}" for row in samples[:5]]
    return CatalogImportState(
        id=given.id,
        status=given.status,
        upload_url=upload.url if upload else "",
        message=clean_json("\n".join(rows) or getattr(detail, "failure_message", "") or "")[:2000],
        errors=int(getattr(detail, "error_count", 0) or 0),
        is_transient=getattr(detail, "type", "") == "transient_failure",
    )
