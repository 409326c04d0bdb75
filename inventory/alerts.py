"""Mail to the shop owner about new issues and about sizes that run low or sell out.

A lease keeps two workers from sending the same mail. Rows are marked as notified after the mail is sent; a crash in
between may repeat a mail but never loses one. Oversold units are reported as issues.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import Case as CaseExpression
from django.db.models import F, Q, QuerySet, Value, When
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from inventory import issues
from inventory.leases import free
from inventory.models import Issue, Postbox, StockItem
from shop.storefront import load_storefront

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
SECONDS_TO_SEND = 30  # socket timeout of the mail server
MOST = 20  # items listed in one mail; the rest is given as a number


class Level(IntEnum):
    """Stock level of an item. Held units count as stock, because a checkout may still be canceled."""

    ENOUGH = 0
    LOW = 1
    SOLD_OUT = 2


@dataclass(frozen=True)
class News:
    """One entry of the mail; `title` and `text` are single lines."""

    title: str
    text: str
    url: str


def tell_the_owner(now: datetime) -> int:
    """Worker task: send everything new in one mail. Returns the number of entries, 0 if the mail was not sent."""
    if not settings.OWNER_EMAIL:
        return 0
    _note_what_is_no_news()
    if not (_new_cases().exists() or _emptier_items().exists()):
        return 0
    with _the_pen() as acquired:
        return _write(now) if acquired else 0


def _write(now: datetime) -> int:
    new_cases, low_items = list(_new_cases()), list(_emptier_items().select_related("product"))
    news = [*map(_of_case, new_cases), *map(_of_item, low_items)]
    if not news or not _send(news):
        return 0
    Issue.objects.filter(pk__in=[case.pk for case in new_cases]).update(told_at=now)
    _remember_levels(low_items)
    logger.info("Sent a mail with %d items to the owner", len(news))
    return len(news)


@contextmanager
def _the_pen() -> Iterator[bool]:
    """Take the mail lock for the block; yields False if another worker has it."""
    Postbox.objects.get_or_create(one=1)
    holder = secrets.token_hex(8)
    acquired = Postbox.objects.filter(free()).update(lease_until=Now() + LEASE, lease_holder=holder)
    try:
        yield bool(acquired)
    finally:
        Postbox.objects.filter(lease_holder=holder).update(lease_until=None, lease_holder="")


# --- What is new ------------------------------------------------------------------------------


def _new_cases() -> QuerySet[Issue]:
    # Notes are for the admin pages only.
    return Issue.objects.filter(closed_at=None, told_at=None).exclude(kind=issues.NOTE).order_by("pk")


def _items() -> QuerySet[StockItem]:
    """Counted items of visible products, annotated with `there` (units) and `level`."""
    on_show = StockItem.objects.filter(
        state=StockItem.State.COUNTED, listed=True, product__active=True, product__deleted=False
    )
    level = CaseExpression(
        When(there__lte=0, then=Value(Level.SOLD_OUT.value)),
        When(there__lte=settings.LOW_STOCK_THRESHOLD, then=Value(Level.LOW.value)),
        default=Value(Level.ENOUGH.value),
    )
    return on_show.annotate(there=F("on_hand") + F("pending")).annotate(level=level).order_by("pk")


def _emptier_items() -> QuerySet[StockItem]:
    return _items().filter(told_level__lt=F("level"))


def _note_what_is_no_news() -> None:
    # Restocked items, and items seen for the first time: a first catalog sync must not mail about every low item.
    _remember_levels(_items().filter(Q(told_level=None) | Q(told_level__gt=F("level"))))


def _remember_levels(items: Sequence[StockItem] | QuerySet[StockItem]) -> None:
    levels = {item.pk: item.level for item in items}  # type: ignore[attr-defined]
    for level in Level:
        StockItem.objects.filter(pk__in=[pk for pk, was in levels.items() if was == level]).update(
            told_level=level
        )


# --- The mail ---------------------------------------------------------------------------------


def _of_case(case: Issue) -> News:
    title = _("Needs attention: %(kind)s (%(subject)s)") % {"kind": case.kind, "subject": case.subject}
    return _news(title, case.text, "admin:inventory_case_change", case.pk)


def _of_item(item: StockItem) -> News:
    there: int = item.there  # type: ignore[attr-defined]
    title = _("Low stock: %(item)s, %(left)d left") if there > 0 else _("Sold out: %(item)s")
    return _news(title % {"item": item, "left": there}, "", "admin:inventory_stockitem_change", item.pk)


def _news(title: str, text: str, page: str, pk: int) -> News:
    url = f"{settings.SITE_URL}{reverse(page, args=[pk])}"
    return News(_one_line(title, 150), _one_line(text, 300), url)


def _one_line(text: str, most: int) -> str:
    # Names come from Stripe: a line break in one could inject a header or a line of the mail.
    printable = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return Truncator(printable).chars(most)


def _send(news: Sequence[News]) -> bool:
    """Return False and log the error if the mail could not be sent; the next run retries."""
    context = {
        "shop": _one_line(load_storefront().name, 50),
        "first": news[0],
        "others": len(news) - 1,
        "news": news[:MOST],
        "unnamed": max(0, len(news) - MOST),
        "desk": f"{settings.SITE_URL}{reverse('admin:index')}",
    }
    subject, _line_break, body = render_to_string("emails/alert.txt", context).partition("\n")
    try:
        connection = get_connection(timeout=SECONDS_TO_SEND)
        EmailMessage(subject, body.strip() + "\n", to=[settings.OWNER_EMAIL], connection=connection).send()
    except Exception as error:
        # Mail backends raise many kinds of errors; none of them may stop the worker.
        logger.error("Could not send mail to OWNER_EMAIL, will retry: %s", _one_line(repr(error), 500))
        return False
    return True
