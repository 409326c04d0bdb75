"""Find what is stored about a customer, who is named by an e-mail address. docs/privacy.md lists the fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from checkout.models import CustomerMail, Order, OrderLookup, OrderQuerySet
from checkout.orders.lookup import digest_of
from checkout.restock import signups
from inventory.models import Issue, StripeEvent


def orders_of(email: str) -> OrderQuerySet:
    return Order.objects.filter(email__iexact=email).order_by("created_at", "pk")


def mails_of(email: str, orders: Iterable[Order]) -> QuerySet[CustomerMail]:
    return CustomerMail.objects.filter(Q(to__iexact=email) | Q(order__in=list(orders))).order_by("pk")


def lookups_of(email: str) -> QuerySet[OrderLookup]:
    return OrderLookup.objects.filter(email_digest=digest_of(email)).order_by("pk")


def events_of(email: str, orders: Iterable[Order], *, without: Iterable[Order] = ()) -> QuerySet[StripeEvent]:
    """Stripe's events that name the address, or a session or payment of `orders`. Reads every payload."""
    events = StripeEvent.objects.annotate(text=Cast("payload", TextField()))
    found = events.filter(Q(text__icontains=email) | _naming(orders))
    unfinished = _naming(without)
    return (found.exclude(unfinished) if unfinished else found).order_by("received_at", "pk")


def _naming(orders: Iterable[Order]) -> Q:
    query = Q()
    for order in orders:
        for stripe_id in filter(None, [order.session_id, order.payment_intent_id]):
            query |= Q(text__contains=stripe_id)
    return query


def issues_of(email: str) -> QuerySet[Issue]:
    """Issues whose text repeats the address, such as the answer of a mail server."""
    return Issue.objects.filter(text__icontains=email).order_by("pk")


def row(instance: Model) -> dict[str, Any]:
    return {field.name: field.value_from_object(instance) for field in instance._meta.concrete_fields}


def export(email: str) -> dict[str, Any]:
    """Everything that is stored about the customer, as JSON values and those that DjangoJSONEncoder knows."""
    orders = list(orders_of(email).prefetch_related("lines", "refunds", "requests__lines"))
    return {
        "email": email,
        "orders": [
            {
                **row(order),
                "lines": [row(line) for line in order.lines.all()],
                "refunds": [row(refund) for refund in order.refunds.all()],
                "requests": [
                    {**row(request), "lines": [row(line) for line in request.lines.all()]}
                    for request in order.requests.all()
                ],
            }
            for order in orders
        ],
        "mails": [row(mail) for mail in mails_of(email, orders)],
        "back_in_stock": signups.export(email),
        "look_ups": [row(lookup) for lookup in lookups_of(email)],
        "stripe_events": [row(event) for event in events_of(email, orders)],
        "issues": [row(issue) for issue in issues_of(email)],
    }
