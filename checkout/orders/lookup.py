"""Guest look-up: a customer names e-mail address and order number, and the link is mailed to the order's address.

The answer on the page is the same for any pair, and so is the work before it: the request is only saved. A worker looks for
the order. Limits are counted by address and network whether or not there is such an order.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from checkout.mail import outbox
from checkout.mail.kinds import ORDER_LINK
from checkout.models import MAIL_WAITING, CustomerMail, Order, OrderLookup

logger = logging.getLogger(__name__)

HOUR = timedelta(hours=1)
KEEP = timedelta(days=1)
KEEP_MAILS = timedelta(days=90)  # Other mails report what happens to an order once, and stay with it.
PER_EMAIL, PER_NETWORK, IN_ALL = 5, 20, 600  # look-ups in an hour
MAILS_PER_ORDER = 5  # in a day
BATCH_SIZE = 50
NUMBER = re.compile(r"[0-9A-F]{8}")


class TooManyLookups(Exception):
    """`retry_after`: when the next one is possible at the latest."""

    retry_after = HOUR


def clean_number(text: str) -> str:
    """The number as it is printed, from what was typed. Raises ValidationError."""
    number = re.sub(r"[\s#-]", "", text).upper()
    if not NUMBER.fullmatch(number):
        raise ValidationError(
            _("An order number has eight digits and letters from A to F, such as 1A2B3C4D.")
        )
    return number


def digest_of(email: str) -> str:
    return salted_hmac("checkout.lookup", email.strip().casefold(), algorithm="sha256").hexdigest()


def look_up(email: str, number: str, *, network: str, now: datetime) -> None:
    """Save the look-up for the worker. Raises TooManyLookups. The same statements for any pair."""
    digest, own_network = digest_of(email), Q(network=network) & ~Q(network="")
    recent = OrderLookup.objects.filter(created_at__gt=now - HOUR).aggregate(
        of_email=Count("pk", filter=Q(email_digest=digest)),
        of_network=Count("pk", filter=own_network),
        in_all=Count("pk"),
    )
    if recent["of_email"] >= PER_EMAIL or recent["of_network"] >= PER_NETWORK or recent["in_all"] >= IN_ALL:
        raise TooManyLookups
    OrderLookup.objects.create(
        email=email, number=number, email_digest=digest, network=network, created_at=now
    )


def unanswered() -> QuerySet[OrderLookup]:
    return OrderLookup.objects.filter(answered_at=None)


def answer_lookups(now: datetime) -> int:
    """Worker task: mail the links of those that name an order, and forget what was typed."""
    waiting = unanswered().order_by("pk")
    with transaction.atomic():
        lookups = list(waiting.select_for_update(skip_locked=True)[:BATCH_SIZE])
        for lookup in lookups:
            for order in orders_of(lookup.email, lookup.number):
                _send_link(order, lookup, now)
        answered = OrderLookup.objects.filter(pk__in=[lookup.pk for lookup in lookups])
        answered.update(answered_at=now, email="", number="")
    return len(lookups)


def forget_lookups(now: datetime) -> int:
    old = OrderLookup.objects.filter(created_at__lt=now - KEEP).exclude(answered_at=None)
    mails = CustomerMail.objects.filter(kind=ORDER_LINK, created_at__lt=now - KEEP_MAILS)
    return old.delete()[0] + mails.exclude(state__in=MAIL_WAITING).delete()[0]


def orders_of(email: str, number: str) -> Iterable[Order]:
    """The orders with this number and address. A number is the beginning of the order's id."""
    first, last = UUID(number + "0" * 24), UUID(number + "f" * 24)
    orders = Order.objects.filter(pk__range=(first, last)).exclude(email="")
    return [order for order in orders if order.email.casefold() == email.casefold()]


def _send_link(order: Order, lookup: OrderLookup, now: datetime) -> None:
    # One reference for each of the day's mails: however often the link is asked for, no mailbox is flooded.
    day = now.date().isoformat()
    for number in range(MAILS_PER_ORDER):
        if outbox.queue(
            ORDER_LINK,
            reference=f"link:{order.pk}:{day}:{number}",
            to=order.email,
            order=order,
        ):
            logger.info("Order %s: its link was asked for and is sent.", order.number)
            return
