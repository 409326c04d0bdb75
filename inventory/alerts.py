"""What is new that the owner should hear of by mail? Cases, and sizes that have become low or are sold out; each once.

The mail is sent under a lease, and only then is written down what was in it: two workers never both send it, and one
that dies on the way leaves it to the next. What was sold beyond the stock is a case, and told as one.
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

from inventory import cases
from inventory.claims import free
from inventory.models import Case, Postbox, StockItem
from shop.house import open_house

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
SECONDS_TO_SEND = 30  # for each step of the way to the mail server
MOST = 20  # Things that one mail names; of the others it gives the number.


class Level(IntEnum):
    """How much is on the shelf, what open checkouts hold included: that may come back."""

    ENOUGH = 0
    LOW = 1
    SOLD_OUT = 2


@dataclass(frozen=True)
class News:
    """One thing that the owner hears of; every text is one line."""

    title: str
    text: str
    url: str


def tell_the_owner(now: datetime) -> int:
    """The worker's duty: send what is new in one mail. Returns how many things it told; 0 too if it could not be sent."""
    if not settings.OWNER_EMAIL:
        return 0
    _note_what_is_no_news()
    if not (_new_cases().exists() or _emptier_items().exists()):
        return 0
    with _the_pen() as ours:
        return _write(now) if ours else 0


def _write(now: datetime) -> int:
    told_cases, told_items = list(_new_cases()), list(_emptier_items().select_related("product"))
    news = [*map(_of_case, told_cases), *map(_of_item, told_items)]
    if not news or not _send(news):
        return 0
    Case.objects.filter(pk__in=[case.pk for case in told_cases]).update(told_at=now)
    _remember_levels(told_items)
    logger.info("The owner was written to, of %d things", len(news))
    return len(news)


@contextmanager
def _the_pen() -> Iterator[bool]:
    """True for the one worker that writes now."""
    Postbox.objects.get_or_create(one=1)
    holder = secrets.token_hex(8)
    ours = Postbox.objects.filter(free()).update(lease_until=Now() + LEASE, lease_holder=holder)
    try:
        yield bool(ours)
    finally:
        Postbox.objects.filter(lease_holder=holder).update(lease_until=None, lease_holder="")


# --- What is new ------------------------------------------------------------------------------


def _new_cases() -> QuerySet[Case]:
    """Those that still need somebody, oldest first. A note is for whoever looks."""
    return Case.objects.filter(closed_at=None, told_at=None).exclude(kind=cases.NOTE).order_by("pk")


def _items() -> QuerySet[StockItem]:
    """What is counted and on show, with its `there` and `level` as they are now."""
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
    """Items that nobody looked at before, a whole catalogue at first, and those that were filled up."""
    _remember_levels(_items().filter(Q(told_level=None) | Q(told_level__gt=F("level"))))


def _remember_levels(items: Sequence[StockItem] | QuerySet[StockItem]) -> None:
    levels = {item.pk: item.level for item in items}  # type: ignore[attr-defined]
    for level in Level:
        StockItem.objects.filter(pk__in=[pk for pk, was in levels.items() if was == level]).update(
            told_level=level
        )


# --- The mail ---------------------------------------------------------------------------------


def _of_case(case: Case) -> News:
    title = _("To look at: %(kind)s (%(subject)s)") % {"kind": case.kind, "subject": case.subject}
    return _news(title, case.text, "admin:inventory_case_change", case.pk)


def _of_item(item: StockItem) -> News:
    there: int = item.there  # type: ignore[attr-defined]
    words = _("Low stock: %(item)s, %(left)d left") if there > 0 else _("Sold out: %(item)s")
    return _news(words % {"item": item, "left": there}, "", "admin:inventory_stockitem_change", item.pk)


def _news(title: str, text: str, page: str, pk: int) -> News:
    url = f"{settings.SITE_URL}{reverse(page, args=[pk])}"
    return News(_one_line(title, 150), _one_line(text, 300), url)


def _one_line(text: str, most: int) -> str:
    """Names come from Stripe: a line break in one would begin another header, or look like a line of ours."""
    printable = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return Truncator(printable).chars(most)


def _send(news: Sequence[News]) -> bool:
    """False if it could not be sent; the log says why, and the next round tries again."""
    context = {
        "shop": _one_line(open_house().name, 50),
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
        # Mail servers fail in many ways, none of which may keep anything else from being done.
        logger.error(
            "The mail to OWNER_EMAIL was not sent and is tried again: %s", _one_line(repr(error), 500)
        )
        return False
    return True
