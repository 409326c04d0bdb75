"""Sessions, their lines and refunds of Stripe as frozen dataclasses, and their translation from Stripe's JSON.

Makes no requests. Every text fits its column: ids that are too long read as empty. Odd values read as missing, so that
they do not prevent a sale from being counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from config.coerce import as_datetime, as_mapping, as_texts

Json = Mapping[str, Any]

MAX_AMOUNT = 10**15  # Minor units: more than any payment, and it fits into the column.
MAX_LENGTH_ID, MAX_LENGTH_DESCRIPTION = 255, 5000
CURRENCY = re.compile("[a-z]{3}")
FAILED_PAYMENT = {"requires_payment_method", "canceled"}


@dataclass(frozen=True)
class CustomField:
    """A field that the customer filled in on the payment page.

    `answers`: of a drop-down the option's label, which the customer read, and then its value, which may hold only
    letters and digits; of other fields the text.
    """

    key: str
    label: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class CheckoutSession:
    """One Checkout Session. Amounts are in the currency's minor unit, None where Stripe gave none.

    `address` has `name`, `line1`, `line2`, `postal_code`, `city`, `state` and `country`, as far as known. `paid_at`, by
    Stripe's clock, and `payment_intent_status` are known only if the payment was expanded, which it is not in events.
    `lacks_delivery`: the customer was asked where to send the parcel, and no field that is known here has the answer, so
    that `address` is that of the bill. `lines` are None unless all of them came along.
    Fields: https://docs.stripe.com/api/checkout/sessions/object
    """

    id: str
    status: str
    payment_status: str
    mode: str = "payment"
    url: str = ""
    success_url: str = ""
    expires_at: datetime | None = None
    created_at: datetime | None = None
    paid_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    custom_fields: tuple[CustomField, ...] = ()
    payment_intent_id: str = ""
    payment_intent_status: str = ""
    email: str = ""
    name: str = ""
    phone: str = ""
    address: Mapping[str, str] = field(default_factory=dict)
    lacks_delivery: bool = False
    currency: str = ""
    subtotal: int | None = None
    shipping: int | None = None
    tax: int | None = None
    discount: int | None = None
    total: int | None = None
    presentment_amount: int | None = None
    presentment_currency: str = ""
    lines: tuple[SessionLine, ...] | None = None

    @property
    def is_unclear(self) -> bool:
        # An event has the field names of the endpoint's API version, an answer those of the library's: events of the
        # oldest versions have no status, and a delivery address may have another name.
        has_status = bool(self.status and self.payment_status)
        return not has_status or (self.status == "complete" and self.lacks_delivery)

    @property
    def is_paid(self) -> bool:
        # A payment that was authorized first and captured later says so itself.
        has_money = self.payment_status in {"paid", "no_payment_required"}
        return self.status == "complete" and (has_money or self.payment_intent_status == "succeeded")

    @property
    def is_awaiting_payment(self) -> bool:
        # The customer chose a method whose money arrives later, such as a bank debit, or the owner captures it later.
        return self.status == "complete" and self.payment_status == "unpaid"

    @property
    def payment_failed(self) -> bool:
        # The money did not arrive, so Stripe asks for another payment method.
        return self.is_awaiting_payment and self.payment_intent_status in FAILED_PAYMENT


@dataclass(frozen=True)
class SessionLine:
    """One line of a session, in the line's currency. Price and product are as of today, not as of the checkout.

    `reference`: what the catalog of an agent calls the line's article; read by `session_references` alone.
    """

    quantity: int
    description: str
    unit_amount: int | None
    currency: str
    price_id: str
    product_id: str
    metadata: Mapping[str, str]
    price_metadata: Mapping[str, str]
    product_metadata: Mapping[str, str] = field(default_factory=dict)
    is_recurring: bool = False
    reference: str = ""

    @property
    def all_metadata(self) -> tuple[Mapping[str, str], ...]:
        return self.metadata, self.price_metadata, self.product_metadata


@dataclass(frozen=True)
class Refund:
    """The sum of all refunds of one payment so far, in the minor unit. `amount` is the payment's."""

    payment_intent_id: str
    refunded: int
    amount: int
    currency: str
    # False if the payment was only authorized: then its amount was released, and no money was given back.
    captured: bool = True

    @property
    def is_whole(self) -> bool:
        return 0 < self.amount <= self.refunded


@dataclass(frozen=True)
class MadeRefund:
    """One refund. `refund_id`: the row of ours that requested it. `total`: the sum of all refunds of its payment."""

    id: str
    status: str
    refund_id: str
    amount: int
    total: int | None
    whole: int | None

    @property
    def has_failed(self) -> bool:
        return self.status in {"failed", "canceled"}


@dataclass(frozen=True)
class RefundAttempt:
    """One refund of a payment, in the minor unit. If it has failed, the money is the shop's again."""

    id: str
    payment_intent_id: str
    amount: int
    currency: str
    status: str

    @property
    def has_failed(self) -> bool:
        return self.status in {"failed", "canceled"}


@dataclass(frozen=True)
class Dispute:
    """A payment that the customer's bank takes back or asks about. Amount in the minor unit; `reason` is Stripe's word."""

    id: str
    payment_intent_id: str
    amount: int
    currency: str
    status: str
    reason: str
    due_by: datetime | None


def session_from(data: Json) -> CheckoutSession:
    """Translate a session of an answer or an event, also one of an older API version.

    Raises KeyError without an id and ValueError for an id that is too long: cut, two could become one order.
    """
    session_id = str(data["id"])
    if not 0 < len(session_id) <= MAX_LENGTH_ID:
        raise ValueError(f"A session's id has 1 to {MAX_LENGTH_ID} characters, this one {len(session_id)}.")
    payment, listed = as_mapping(data.get("payment_intent")), as_mapping(data.get("line_items"))
    details, presented = as_mapping(data.get("total_details")), as_mapping(data.get("presentment_details"))
    questions, lines = data.get("custom_fields"), listed.get("data")
    session = CheckoutSession(
        id=session_id,
        status=str(data.get("status") or ""),
        payment_status=str(data.get("payment_status") or ""),
        mode=str(data.get("mode") or "payment"),
        url=str(data.get("url") or ""),
        success_url=str(data.get("success_url") or ""),
        expires_at=as_datetime(data.get("expires_at")),
        created_at=as_datetime(data.get("created")),
        paid_at=as_datetime(as_mapping(payment.get("latest_charge")).get("created")),
        metadata=as_texts(data.get("metadata")),
        custom_fields=tuple(
            filter(None, map(_custom_field, questions if isinstance(questions, list) else []))
        ),
        payment_intent_id=_id_of(data.get("payment_intent")),
        payment_intent_status=str(payment.get("status") or ""),
        currency=_currency(data.get("currency")),
        subtotal=_amount(data.get("amount_subtotal")),
        shipping=_amount(details.get("amount_shipping")),
        tax=_amount(details.get("amount_tax")),
        discount=_amount(details.get("amount_discount")),
        total=_amount(data.get("amount_total")),
        presentment_amount=_amount(presented.get("presentment_amount")),
        presentment_currency=_currency(presented.get("presentment_currency")),
        lines=tuple(map(line_from, lines))
        if isinstance(lines, list) and not listed.get("has_more")
        else None,
        **_customer(data),
    )
    conversion = as_mapping(data.get("currency_conversion"))
    return _in_its_own_currency(session, conversion) if conversion else session


def _in_its_own_currency(session: CheckoutSession, conversion: Json) -> CheckoutSession:
    # Until 2025-03-31 a converted session had the customer's currency throughout, and only these in its own.
    # https://docs.stripe.com/api/checkout/sessions/object#checkout_session_object-currency_conversion
    return replace(
        session,
        currency=_currency(conversion.get("source_currency")),
        subtotal=_amount(conversion.get("amount_subtotal")),
        total=_amount(conversion.get("amount_total")),
        # Of these only 0 is the same in both.
        shipping=None if session.shipping else session.shipping,
        tax=None if session.tax else session.tax,
        discount=None if session.discount else session.discount,
        presentment_amount=session.total,
        presentment_currency=session.currency,
    )


def line_from(data: Json) -> SessionLine:
    price = as_mapping(data.get("price"))
    currency = _currency(data.get("currency")) or _currency(price.get("currency"))
    quantity, subtotal = int(data.get("quantity") or 0), _amount(data.get("amount_subtotal"))
    unit_amount = _amount(price.get("unit_amount"))
    if unit_amount is None or _currency(price.get("currency")) not in {currency, ""}:
        # The price is in another currency than the line, or has no whole amount.
        unit_amount = None
        if subtotal is not None and quantity > 0 and subtotal % quantity == 0:
            unit_amount = subtotal // quantity
    return SessionLine(
        quantity=quantity,
        description=str(data.get("description") or "")[:MAX_LENGTH_DESCRIPTION],
        unit_amount=unit_amount,
        currency=currency,
        price_id=_id_of(price),
        product_id=_id_of(price.get("product")),
        metadata=as_texts(data.get("metadata")),
        price_metadata=as_texts(price.get("metadata")),
        product_metadata=as_texts(as_mapping(price.get("product")).get("metadata")),
        is_recurring=bool(price.get("recurring")),
        reference=str(price.get("external_reference") or "")[:MAX_LENGTH_ID],
    )


def refund_from(charge: Json) -> Refund:
    return Refund(
        payment_intent_id=_id_of(charge.get("payment_intent")),
        refunded=_amount(charge.get("amount_refunded")) or 0,
        amount=_amount(charge.get("amount")) or 0,
        currency=_currency(charge.get("currency")),
        captured=charge.get("captured") is not False,
    )


def made_refund_from(refund: Json) -> MadeRefund:
    charge = as_mapping(refund.get("charge"))
    return MadeRefund(
        id=_id_of(refund),
        status=str(refund.get("status") or ""),
        refund_id=as_texts(refund.get("metadata")).get("refund", ""),
        amount=_amount(refund.get("amount")) or 0,
        total=_amount(charge.get("amount_refunded")),
        whole=_amount(charge.get("amount")),
    )


def refund_attempt_from(refund: Json) -> RefundAttempt:
    return RefundAttempt(
        id=_id_of(refund),
        payment_intent_id=_id_of(refund.get("payment_intent")),
        amount=_amount(refund.get("amount")) or 0,
        currency=_currency(refund.get("currency")),
        status=str(refund.get("status") or ""),
    )


def dispute_from(dispute: Json) -> Dispute:
    return Dispute(
        id=_id_of(dispute),
        payment_intent_id=_id_of(dispute.get("payment_intent")),
        amount=_amount(dispute.get("amount")) or 0,
        currency=_currency(dispute.get("currency")),
        status=str(dispute.get("status") or ""),
        reason=str(dispute.get("reason") or "")[:100],
        due_by=as_datetime(as_mapping(dispute.get("evidence_details")).get("due_by")),
    )


def _customer(data: Json) -> dict[str, Any]:
    customer = as_mapping(data.get("customer_details"))
    # Versions before 2025-03-31 have the delivery on the session itself, before 2022-08-01 under another name:
    # https://docs.stripe.com/changelog/2022-08-01/updates-shipping-property-checkout-session
    # Without a delivery there is a billing address.
    collected = as_mapping(data.get("collected_information")).get("shipping_details")
    delivery = (
        as_mapping(collected) or as_mapping(data.get("shipping_details")) or as_mapping(data.get("shipping"))
    )
    known = as_mapping(delivery.get("address")) or as_mapping(customer.get("address"))
    address = {part: str(text) for part, text in known.items() if text}
    name = delivery.get("name") or customer.get("name")
    if name and address:
        address = {"name": str(name), **address}
    return {
        "email": str(customer.get("email") or data.get("customer_email") or "")[:254],
        "name": str(customer.get("name") or "")[:500],
        "phone": str(customer.get("phone") or "")[:100],
        "address": address,
        "lacks_delivery": bool(data.get("shipping_address_collection")) and not delivery,
    }


def _custom_field(data: Any) -> CustomField | None:
    # None if the customer left it empty. The answer is below the name of the question's type: text, numeric or dropdown.
    question = as_mapping(data)
    answer = as_mapping(question.get(str(question.get("type"))))
    value, options = answer.get("value"), answer.get("options")
    if not value:
        return None
    labels = [
        str(option["label"])
        for option in map(as_mapping, options if isinstance(options, list) else [])
        if option.get("value") == value and option.get("label")
    ]
    label = str(as_mapping(question.get("label")).get("custom") or "")
    # dict.fromkeys: label and value are often the same text.
    return CustomField(str(question.get("key")), label, tuple(dict.fromkeys([*labels, str(value)])))


def _amount(value: Any) -> int | None:
    return value if type(value) is int and abs(value) <= MAX_AMOUNT else None


def _currency(value: Any) -> str:
    # Any three letters: Stripe adds currencies.
    text = value.lower() if isinstance(value, str) else ""
    return text if CURRENCY.fullmatch(text) else ""


def _id_of(reference: Any) -> str:
    # The object may be expanded or missing.
    text = str((reference.get("id") if isinstance(reference, Mapping) else reference) or "")
    return text if len(text) <= MAX_LENGTH_ID else ""
