"""Requests of checkout to Stripe: sessions, their lines, refunds and events.

Every function makes HTTP requests, so none may be called inside a transaction. They raise the subclasses of
config.stripe_client.StripeCallError. Answers are cleaned, so that every database can store them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from checkout.stripe_objects import (
    CheckoutSession,
    Json,
    MadeRefund,
    Refund,
    SessionLine,
    line_from,
    made_refund_from,
    refund_from,
    session_from,
)
from config.coerce import clean_json
from config.stripe_client import stripe_client, translate_errors

if TYPE_CHECKING:
    from stripe import RequestOptions, StripeObject
    from stripe.params import RefundCreateParams
    from stripe.params.checkout import SessionCreateParams

PAGE_SIZE = 100
READ_RETRIES = 2
PAYMENT = "payment_intent.latest_charge"
# `external_reference` of prices: https://docs.stripe.com/agentic-commerce/for-sellers
AGENTS_VERSION = "2025-12-15.preview"


def open_session(*, params: Json, key: str) -> CheckoutSession:
    """Create a session. Idempotent: the same `params` and `key` give the same session.

    The library must not retry: the caller has to know whether a refusal answers the first request.
    """
    with translate_errors():
        answer = stripe_client().v1.checkout.sessions.create(
            cast("SessionCreateParams", _sorted_deep(params)), {"idempotency_key": key}
        )
    return _session(answer)


def _sorted_deep(params: Any) -> Any:
    # PostgreSQL returns the keys of stored JSON in an order of its own, and a repeated key must have the same body.
    if isinstance(params, Mapping):
        return {name: _sorted_deep(params[name]) for name in sorted(params)}
    return [_sorted_deep(value) for value in params] if isinstance(params, list) else params


def fetch_session(session_id: str) -> CheckoutSession:
    with translate_errors():
        answer = stripe_client(retries=READ_RETRIES).v1.checkout.sessions.retrieve(
            session_id, {"expand": [PAYMENT]}
        )
    return _session(answer)


def expire_session(session_id: str) -> CheckoutSession:
    """End an open session, so that it can no longer be paid. Raises InvalidRequest if it is not open."""
    with translate_errors():
        answer = stripe_client().v1.checkout.sessions.expire(session_id)
    return _session(answer)


def session_lines(session_id: str) -> list[SessionLine]:
    return _lines(session_id, {})


def session_lines_of_agents(session_id: str) -> list[SessionLine]:
    """The lines with the references of agents' catalogs, which only a preview version of the API tells.

    Raises InvalidRequest or PermissionDenied if the account may not use that version.
    """
    return _lines(session_id, {"stripe_version": AGENTS_VERSION})


def _lines(session_id: str, options: RequestOptions) -> list[SessionLine]:
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.checkout.sessions.line_items.list(
            session_id, {"limit": PAGE_SIZE, "expand": ["data.price.product"]}, options
        )
        return [line_from(clean_json(line.to_dict())) for line in page.auto_paging_iter()]


def iter_sessions(
    *, since: datetime, until: datetime | None = None, status: str = "", with_lines: bool = False
) -> Iterator[CheckoutSession]:
    """The sessions created from `since` to `until`, newest first. `status`: open, complete, expired, or empty for all.

    `with_lines`: those that have few lines come with them.
    """
    created: dict[str, int] = {"gte": int(since.timestamp())}
    if until is not None:
        created["lte"] = int(until.timestamp()) + 1
    expand = [f"data.{PAYMENT}", *(["data.line_items"] if with_lines else [])]
    params: dict[str, Any] = {"limit": PAGE_SIZE, "created": created, "expand": expand}
    if status:
        params["status"] = status
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.checkout.sessions.list(cast("Any", params))
        for session in page.auto_paging_iter():
            yield _session(session)


def session_of_payment(payment_intent_id: str) -> CheckoutSession | None:
    # A payment made without Checkout has none.
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.checkout.sessions.list(
            {"payment_intent": payment_intent_id, "limit": 1, "expand": [f"data.{PAYMENT}"]}
        )
    return _session(page.data[0]) if page.data else None


def refunds_of(payment_intent_id: str) -> Refund:
    with translate_errors():
        answer = stripe_client(retries=READ_RETRIES).v1.payment_intents.retrieve(
            payment_intent_id, {"expand": ["latest_charge"]}
        )
    charge = answer.to_dict().get("latest_charge")
    return refund_from(charge if isinstance(charge, Mapping) else {"payment_intent": payment_intent_id})


def create_refund(
    payment_intent_id: str, *, amount: int, reason: str, metadata: Mapping[str, str], key: str
) -> MadeRefund:
    """Refund `amount`, in the minor unit. The same `key` refunds once, however often it is sent."""
    params: dict[str, Any] = {
        "payment_intent": payment_intent_id,
        "amount": amount,
        "metadata": dict(metadata),
        "expand": ["charge"],
    }
    if reason:
        params["reason"] = reason
    with translate_errors():
        answer = stripe_client().v1.refunds.create(
            cast("RefundCreateParams", _sorted_deep(params)), {"idempotency_key": key}
        )
    return made_refund_from(clean_json(answer.to_dict()))


def find_refund(payment_intent_id: str, refund_id: str) -> MadeRefund | None:
    """The refund that was created with `refund_id` in its metadata, in whatever state it is. None if there is none."""
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.refunds.list(
            {"payment_intent": payment_intent_id, "limit": PAGE_SIZE, "expand": ["data.charge"]}
        )
        for refund in page.auto_paging_iter():
            made = made_refund_from(clean_json(refund.to_dict()))
            if made.refund_id == refund_id:
                return made
    return None


def iter_events(*, since: datetime, types: list[str]) -> Iterator[dict[str, Any]]:
    """The events of `types` that Stripe still has (30 days), newest first, in the form in which it delivers them."""
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.events.list(
            {"limit": PAGE_SIZE, "types": types, "created": {"gte": int(since.timestamp())}}
        )
        for event in page.auto_paging_iter():
            yield clean_json(event.to_dict(for_json=True))


def _session(answer: StripeObject) -> CheckoutSession:
    return session_from(clean_json(answer.to_dict()))
