"""How does checkout speak with Stripe? Its only door: sessions, their lines, and refunds, as frozen dataclasses.

Every function but those that only translate makes HTTP requests: never call one inside a transaction.
They raise the kinds of config.stripe_client.StripeCallError. What comes through here every database can keep: texts
are storable, and none is longer than its column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from config.json_cleaning import clean_json
from config.stripe_client import stripe_client, translate_errors

if TYPE_CHECKING:
    from stripe import StripeObject
    from stripe.params.checkout import SessionCreateParams

Json = Mapping[str, Any]

PAGE_SIZE = 100
READ_RETRIES = 2
MAX_AMOUNT = 10**15  # Minor units: more than any amount, and a column holds it.
MAX_LENGTH_ID, MAX_LENGTH_DESCRIPTION = 255, 5000
CURRENCY = re.compile("[a-z]{3}")
PAYMENT = "payment_intent.latest_charge"


@dataclass(frozen=True)
class CheckoutSession:
    """One Checkout Session as Stripe tells it. Amounts in the currency's minor unit; None where Stripe gave none.

    `address` has `name`, `line1`, `line2`, `postal_code`, `city`, `state`, `country`, as far as known.
    `paid_at` by Stripe's clock and `payment_failed`, a debit that came back, are known where the answer holds
    the payment; an event says it otherwise.
    Fields: https://docs.stripe.com/api/checkout/sessions/object
    """

    id: str
    status: str
    payment_status: str
    mode: str = "payment"
    url: str = ""
    expires_at: datetime | None = None
    created_at: datetime | None = None
    paid_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    payment_intent_id: str = ""
    payment_failed: bool = False
    email: str = ""
    name: str = ""
    phone: str = ""
    address: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    subtotal: int | None = None
    shipping: int | None = None
    tax: int | None = None
    discount: int | None = None
    total: int | None = None

    @property
    def says_how_it_ended(self) -> bool:
        """Events of Stripe's oldest API versions have no status."""
        return bool(self.status and self.payment_status)

    @property
    def is_paid(self) -> bool:
        """Is the money there, or was none needed?"""
        return self.status == "complete" and self.payment_status in {"paid", "no_payment_required"}

    @property
    def is_awaiting_payment(self) -> bool:
        """Did the customer finish with a method whose money comes later, such as a bank debit?"""
        return self.status == "complete" and self.payment_status == "unpaid"


@dataclass(frozen=True)
class SessionLine:
    """One line of a session. Price and product are those of today, not those of the checkout."""

    quantity: int
    description: str
    unit_amount: int | None
    price_id: str
    product_id: str
    metadata: Mapping[str, str]
    price_metadata: Mapping[str, str]


@dataclass(frozen=True)
class Refund:
    """What was given back of one payment so far, all refunds together, in the minor unit."""

    payment_intent_id: str
    refunded: int
    amount: int
    currency: str

    @property
    def is_whole(self) -> bool:
        """Where Stripe does not say what was paid, nobody can tell."""
        return 0 < self.amount <= self.refunded


@dataclass(frozen=True)
class FailedRefund:
    """Money that did not reach the customer and is the shop's again, in the minor unit."""

    id: str
    payment_intent_id: str
    amount: int
    currency: str


def open_session(*, params: Json, key: str) -> CheckoutSession:
    """Create a session. The same `params` with the same `key` give the same session, however often they are sent.

    No retries of the library's own: the caller must know whether a refusal answered the first sending.
    """
    with translate_errors():
        answer = stripe_client().v1.checkout.sessions.create(
            cast("SessionCreateParams", _sorted_deep(params)), {"idempotency_key": key}
        )
    return _session(answer)


def _sorted_deep(params: Any) -> Any:
    """Keys sorted, deep down: PostgreSQL gives stored JSON back in an order of its own, and the same key must
    come with the same body."""
    if isinstance(params, Mapping):
        return {name: _sorted_deep(params[name]) for name in sorted(params)}
    return [_sorted_deep(each) for each in params] if isinstance(params, list) else params


def fetch_session(session_id: str) -> CheckoutSession:
    with translate_errors():
        answer = stripe_client(retries=READ_RETRIES).v1.checkout.sessions.retrieve(
            session_id, {"expand": [PAYMENT]}
        )
    return _session(answer)


def expire_session(session_id: str) -> CheckoutSession:
    """End an open session, so that nobody can pay it any more. Raises Refused if it is not open."""
    with translate_errors():
        answer = stripe_client().v1.checkout.sessions.expire(session_id)
    return _session(answer)


def session_lines(session_id: str) -> list[SessionLine]:
    """All lines of a session, page by page; a completed event carries none."""
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.checkout.sessions.line_items.list(
            session_id, {"limit": PAGE_SIZE, "expand": ["data.price.product"]}
        )
        return [_line_from(clean_json(line.to_dict())) for line in page.auto_paging_iter()]


def iter_sessions(
    *, since: datetime, until: datetime | None = None, status: str = ""
) -> Iterator[CheckoutSession]:
    """The sessions created from `since` to `until`, newest first; `status`: open, complete, expired or all."""
    created: dict[str, int] = {"gte": int(since.timestamp())}
    if until is not None:
        created["lte"] = int(until.timestamp()) + 1
    params: dict[str, Any] = {"limit": PAGE_SIZE, "created": created, "expand": [f"data.{PAYMENT}"]}
    if status:
        params["status"] = status
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.checkout.sessions.list(cast("Any", params))
        for session in page.auto_paging_iter():
            yield _session(session)


def session_of_payment(payment_intent_id: str) -> CheckoutSession | None:
    """The session that a payment came from; None for a payment made without Checkout."""
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.checkout.sessions.list(
            {"payment_intent": payment_intent_id, "limit": 1, "expand": [f"data.{PAYMENT}"]}
        )
    return _session(page.data[0]) if page.data else None


def refunds_of(payment_intent_id: str) -> Refund:
    """What was given back of a payment as of now; the events of refunds arrive in any order."""
    with translate_errors():
        answer = stripe_client(retries=READ_RETRIES).v1.payment_intents.retrieve(
            payment_intent_id, {"expand": ["latest_charge"]}
        )
    charge = answer.to_dict().get("latest_charge")
    return refund_from(charge if isinstance(charge, Mapping) else {"payment_intent": payment_intent_id})


def iter_events(*, since: datetime, types: list[str]) -> Iterator[dict[str, Any]]:
    """The events of `types` that Stripe still has (30 days), newest first, as they would have been delivered."""
    with translate_errors():
        page = stripe_client(retries=READ_RETRIES).v1.events.list(
            {"limit": PAGE_SIZE, "types": types, "created": {"gte": int(since.timestamp())}}
        )
        for event in page.auto_paging_iter():
            yield clean_json(event.to_dict(for_json=True))


def _session(answer: StripeObject) -> CheckoutSession:
    """Events were made storable when they came in; an answer is here."""
    return session_from(clean_json(answer.to_dict()))


def session_from(data: Json) -> CheckoutSession:
    """Translate a session, from an answer or from an event. Events of older API versions are understood too.

    Odd fields read as nothing, so that they keep no sale from being counted; only the id must be there. Raises
    KeyError without one, ValueError for one that is none of Stripe's.
    """
    customer, details = _mapping(data.get("customer_details")), _mapping(data.get("total_details"))
    return CheckoutSession(
        id=_own_id(data),
        status=str(data.get("status") or ""),
        payment_status=str(data.get("payment_status") or ""),
        mode=str(data.get("mode") or "payment"),
        url=str(data.get("url") or ""),
        expires_at=_datetime(data.get("expires_at")),
        created_at=_datetime(data.get("created")),
        paid_at=_paid_at(data.get("payment_intent")),
        metadata=_texts(data.get("metadata")),
        custom_fields=_custom_fields(data),
        payment_intent_id=_id_of(data.get("payment_intent")),
        payment_failed=_has_failed(data),
        email=str(customer.get("email") or data.get("customer_email") or "")[:254],
        name=str(customer.get("name") or "")[:500],
        phone=str(customer.get("phone") or "")[:100],
        address=_address(data, customer),
        currency=_currency(data.get("currency")),
        subtotal=_amount(data.get("amount_subtotal")),
        shipping=_amount(details.get("amount_shipping")),
        tax=_amount(details.get("amount_tax")),
        discount=_amount(details.get("amount_discount")),
        total=_amount(data.get("amount_total")),
    )


def refund_from(charge: Json) -> Refund:
    """Translate the charge of a charge.refunded event."""
    return Refund(
        payment_intent_id=_id_of(charge.get("payment_intent")),
        refunded=_amount(charge.get("amount_refunded")) or 0,
        amount=_amount(charge.get("amount")) or 0,
        currency=_currency(charge.get("currency")),
    )


def failed_refund_from(refund: Json) -> FailedRefund:
    """Translate the refund of a refund.failed event."""
    return FailedRefund(
        id=_id_of(refund),
        payment_intent_id=_id_of(refund.get("payment_intent")),
        amount=_amount(refund.get("amount")) or 0,
        currency=_currency(refund.get("currency")),
    )


def _line_from(data: Json) -> SessionLine:
    price = _mapping(data.get("price"))
    return SessionLine(
        quantity=int(data.get("quantity") or 0),
        description=str(data.get("description") or "")[:MAX_LENGTH_DESCRIPTION],
        unit_amount=_amount(price.get("unit_amount")),
        price_id=_id_of(price),
        product_id=_id_of(price.get("product")),
        metadata=_texts(data.get("metadata")),
        price_metadata=_texts(price.get("metadata")),
    )


def _address(data: Json, customer: Json) -> dict[str, str]:
    """Where the parcel goes; without a delivery, the address the customer gave for the bill."""
    collected = _mapping(data.get("collected_information")).get("shipping_details")
    delivery = _mapping(collected) or _mapping(data.get("shipping_details"))
    address = _mapping(delivery.get("address")) or _mapping(customer.get("address"))
    known = {name: str(value) for name, value in address.items() if value}
    name = delivery.get("name") or customer.get("name")
    return {"name": str(name), **known} if name and known else known


def _custom_fields(data: Json) -> dict[str, str]:
    """The answers to a session's own questions; a drop-down's answer is the chosen value."""
    answers = {}
    fields = data.get("custom_fields")
    for asked in map(_mapping, fields if isinstance(fields, list) else []):
        given = _mapping(asked.get(str(asked.get("type"))))
        if given.get("value"):
            answers[str(asked.get("key"))] = str(given["value"])
    return answers


def _paid_at(payment_intent: Any) -> datetime | None:
    charge = payment_intent.get("latest_charge") if isinstance(payment_intent, Mapping) else None
    return _datetime(charge.get("created")) if isinstance(charge, Mapping) else None


def _has_failed(data: Json) -> bool:
    """A completed, unpaid session whose payment wants another method: the debit came back."""
    payment_intent = data.get("payment_intent")
    if data.get("status") != "complete" or data.get("payment_status") != "unpaid":
        return False
    return isinstance(payment_intent, Mapping) and payment_intent.get("status") in {
        "requires_payment_method",
        "canceled",
    }


def _texts(metadata: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in _mapping(metadata).items()}


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _amount(value: Any) -> int | None:
    return value if type(value) is int and abs(value) <= MAX_AMOUNT else None


def _currency(value: Any) -> str:
    """Three letters, whichever; Stripe adds new ones."""
    text = value.lower() if isinstance(value, str) else ""
    return text if CURRENCY.fullmatch(text) else ""


def _own_id(session: Json) -> str:
    """Without its id nobody could tell one session from another: that is a case for the owner, not a guess."""
    found = str(session["id"])
    if not 0 < len(found) <= MAX_LENGTH_ID:
        raise ValueError(f"A session's id has 1 to {MAX_LENGTH_ID} letters, this one {len(found)}.")
    return found


def _id_of(reference: Any) -> str:
    """The id of something that may be expanded, or not there at all. None of Stripe's is too long for its column."""
    found = reference.get("id") if isinstance(reference, Mapping) else reference
    text = str(found or "")
    return text if len(text) <= MAX_LENGTH_ID else ""


def _datetime(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC) if seconds else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
