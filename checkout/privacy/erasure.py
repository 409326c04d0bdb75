"""Erase what is stored about customers: on request (erase_customer), and by age (CUSTOMER_DATA_DAYS).

An order that is not finished keeps all, because it has to be paid, sent or refunded. A finished one loses what is needed to
reach the customer. Name and address of a paid order are part of the invoice: they stay for INVOICE_DATA_DAYS. Amounts,
lines and Stripe's ids stay for the books, and Stripe keeps its own data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from checkout.models import MAIL_WAITING, CustomerMail, CustomerRequest, Order, OrderLookup, Refund
from checkout.privacy.customer_data import events_of, issues_of, lookups_of, mails_of, orders_of
from checkout.restock import signups
from inventory.models import Issue, StripeEvent

CONTACT: dict[str, Any] = {
    **dict.fromkeys(["email", "phone", "tracking_number", "client_network"], ""),
    **dict.fromkeys(["cart_token", "fingerprint", "session_url"], ""),
    "session_params": {},
}
INVOICE: dict[str, Any] = {"name": "", "address": {}}
# Keys of Stripe's objects that hold personal data, with all that is below them.
STRIPE_KEYS = {
    "billing_details",
    "collected_information",
    "custom_fields",
    "customer_details",
    "customer_email",
    "receipt_email",
    "receipt_url",
    "shipping",
    "shipping_details",
}
ERASED = "(erased)"
BATCH_SIZE = 200


@dataclass(frozen=True)
class Erasure:
    """What erase_customer finds. `unfinished`: orders that keep all; `invoices`: orders that keep name and address.

    `waiting`: mails and events that are still to be handled. Erasing before would break them, or lose track of them.
    """

    orders: list[Order]
    unfinished: list[Order]
    invoices: list[Order]
    mails: list[int]
    lookups: list[int]
    events: list[str]
    issues: list[int]
    waiting: int


def plan(email: str, now: datetime) -> Erasure:
    """Find what an erasure would change. Changes nothing."""
    orders = list(orders_of(email).finished())
    unfinished = list(orders_of(email).exclude(pk__in=[order.pk for order in orders]))
    events = events_of(email, orders, without=unfinished)
    mails = mails_of(email, orders).exclude(order__in=unfinished)
    handled = StripeEvent.State.HANDLED
    limit = now - timedelta(days=settings.INVOICE_DATA_DAYS)
    return Erasure(
        orders=orders,
        unfinished=unfinished,
        invoices=[order for order in orders if order.paid_at and order.paid_at >= limit],
        mails=_ids(mails.exclude(state__in=MAIL_WAITING)),
        lookups=_ids(lookups_of(email)),
        events=_ids(events.filter(state=handled)),
        issues=_ids(issues_of(email)),
        waiting=events.exclude(state=handled).count() + mails.filter(state__in=MAIL_WAITING).count(),
    )


def _ids(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.values_list("pk", flat=True))


def erase(found: Erasure, email: str, now: datetime) -> None:
    erase_orders([order.pk for order in found.orders], now)
    signups.erase(email, now=now)
    CustomerMail.objects.filter(pk__in=found.mails).delete()
    OrderLookup.objects.filter(pk__in=found.lookups).delete()
    for event in StripeEvent.objects.filter(pk__in=found.events, state=StripeEvent.State.HANDLED):
        StripeEvent.objects.filter(pk=event.pk).update(payload=without_personal_data(event.payload, email))
    address = re.compile(re.escape(email), re.IGNORECASE)
    for issue in Issue.objects.filter(pk__in=found.issues):
        Issue.objects.filter(pk=issue.pk).update(text=address.sub(ERASED, issue.text))


def erase_orders(order_ids: Sequence[UUID], now: datetime) -> None:
    """Empty the personal fields of finished orders, and delete the mails about them."""
    limit = now - timedelta(days=settings.INVOICE_DATA_DAYS)
    with transaction.atomic():
        # Again, under the lock: a payment may have arrived, or a request.
        locked = _ids(Order.objects.filter(pk__in=order_ids).order_by("pk").select_for_update())
        ids = _ids(Order.objects.finished().filter(pk__in=locked))
        orders = Order.objects.filter(pk__in=ids)
        orders.filter(Q(paid_at=None) | Q(paid_at__lt=limit)).update(**INVOICE)
        orders.update(**CONTACT)
        CustomerRequest.objects.filter(order__in=ids).update(message="", answer="", closing_answer="")
        Refund.objects.filter(order__in=ids).update(note="")
        CustomerMail.objects.filter(order__in=ids).exclude(state__in=MAIL_WAITING).delete()


def erase_old(now: datetime) -> int:
    """Daily worker task: erase what is older than CUSTOMER_DATA_DAYS. While it is not 0, the worker runs it again."""
    if not settings.CUSTOMER_DATA_DAYS:
        return 0
    limit = now - timedelta(days=settings.CUSTOMER_DATA_DAYS)
    invoice_limit = min(limit, now - timedelta(days=settings.INVOICE_DATA_DAYS))
    has_contact = ~Q(email="") | ~Q(phone="") | ~Q(tracking_number="")
    has_invoice = ~Q(name="") | ~Q(address={})
    ends = Q(paid_at=None) | Q(paid_at__lt=invoice_limit)
    old = Order.objects.finished().filter(has_contact | (has_invoice & ends), created_at__lt=limit)
    chosen = _ids(old.order_by("pk")[:BATCH_SIZE])
    if chosen:
        erase_orders(chosen, now)
    return len(chosen)


def without_personal_data(payload: Any, email: str = "") -> Any:
    """A copy of an event's payload without the values of STRIPE_KEYS, and without texts that name the address."""
    if isinstance(payload, Mapping):
        return {
            key: None if key in STRIPE_KEYS else without_personal_data(value, email)
            for key, value in payload.items()
        }
    if isinstance(payload, list):
        return [without_personal_data(value, email) for value in payload]
    names_it = email and isinstance(payload, str) and email.casefold() in payload.casefold()
    return ERASED if names_it else payload
