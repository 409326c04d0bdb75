"""Mail to the shop owner about new issues and about sizes that run low or sell out.

A lease keeps two workers from sending the same mail. Rows are marked as notified after the mail is sent; a crash in
between may repeat a mail but never loses one. Oversold units are reported as issues.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import Case as CaseExpression
from django.db.models import F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from inventory.leases import lease_free
from inventory.models import Issue, MailLock, StockItem
from shop.storefront import load_storefront

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
SEND_TIMEOUT = 30  # socket timeout of the mail server
MAX_ITEMS_PER_MAIL = 20  # items listed in one mail; the rest is given as a number


class StockLevel(IntEnum):
    """Stock level of an item. Held units count as stock, because a checkout may still be canceled."""

    ENOUGH = 0
    LOW = 1
    SOLD_OUT = 2


@dataclass(frozen=True)
class AlertLine:
    """One entry of the mail; `title` and `text` are single lines."""

    title: str
    text: str
    url: str

    @classmethod
    def create(cls, title: str, text: str, page: str, pk: int) -> AlertLine:
        url = f"{settings.SITE_URL}{reverse(page, args=[pk])}"
        return cls(_one_line(title, 150), _one_line(text, 300), url)

    @classmethod
    def of_issue(cls, issue: Issue) -> AlertLine:
        title = _("Needs attention: %(kind)s (%(subject)s)")
        facts = {"kind": issue.get_kind_display(), "subject": issue.subject}
        return cls.create(title % facts, issue.text, "admin:inventory_issue_change", issue.pk)

    @classmethod
    def of_item(cls, item: StockItem) -> AlertLine:
        units: int = item.units  # type: ignore[attr-defined]  # annotated by _items()
        title = _("Low stock: %(item)s, %(left)d left") if units > 0 else _("Sold out: %(item)s")
        facts = {"item": item, "left": units}
        return cls.create(title % facts, "", "admin:inventory_stockitem_change", item.pk)


def notify_owner(now: datetime) -> int:
    """Worker task: send everything new in one mail. Returns the number of entries, 0 if the mail was not sent."""
    if not settings.OWNER_EMAILS:
        return 0
    # Restocked items, and items seen for the first time: a first catalog sync must not mail about every low item.
    _save_levels(_items().filter(Q(notified_level=None) | Q(notified_level__gt=F("level"))))

    # Edits to review are for the admin pages only.
    new_issues = Issue.objects.filter(closed_at=None, notified_at=None).order_by("pk")
    new_issues = new_issues.exclude(kind=Issue.Kind.EDIT_TO_REVIEW)
    lower_items = _items().filter(notified_level__lt=F("level")).select_related("product")
    if not (new_issues.exists() or lower_items.exists()):
        return 0

    MailLock.objects.get_or_create(singleton=1)
    holder = secrets.token_hex(8)
    if not MailLock.objects.filter(lease_free()).update(lease_until=Now() + LEASE, lease_holder=holder):
        return 0  # Another worker is about to send.
    try:
        # Read under the lock: another worker may have sent a mail since.
        issues, items = list(new_issues), list(lower_items)
        lines = [*map(AlertLine.of_issue, issues), *map(AlertLine.of_item, items)]
        if not lines or not _send(lines, now):
            return 0
        Issue.objects.filter(pk__in=[issue.pk for issue in issues]).update(notified_at=now)
        _save_levels(items)
    finally:
        MailLock.objects.filter(lease_holder=holder).update(lease_until=None, lease_holder="")
    logger.info("Sent a mail with %d items to the owner", len(lines))
    return len(lines)


def _items() -> QuerySet[StockItem]:
    # Counted items of visible products, annotated with `units` and `level`.
    visible = StockItem.objects.filter(
        state=StockItem.State.COUNTED, is_listed=True, product__active=True, product__deleted=False
    )
    level = CaseExpression(
        When(units__lte=0, then=Value(StockLevel.SOLD_OUT.value)),
        When(units__lte=settings.LOW_STOCK_THRESHOLD, then=Value(StockLevel.LOW.value)),
        default=Value(StockLevel.ENOUGH.value),
    )
    return visible.annotate(units=F("on_hand") + F("pending")).annotate(level=level).order_by("pk")


def _save_levels(items: Sequence[StockItem] | QuerySet[StockItem]) -> None:
    levels = {item.pk: item.level for item in items}  # type: ignore[attr-defined]
    for level in StockLevel:
        if pks := [pk for pk, item_level in levels.items() if item_level == level]:
            StockItem.objects.filter(pk__in=pks).update(notified_level=level)


def _send(lines: Sequence[AlertLine], now: datetime) -> bool:
    # Return False, record and log the error if the mail could not be sent; the next run retries.
    context = {
        "shop": _one_line(load_storefront().name, 50),
        "first": lines[0],
        "others": len(lines) - 1,
        "lines": lines[:MAX_ITEMS_PER_MAIL],
        "unlisted": max(0, len(lines) - MAX_ITEMS_PER_MAIL),
        "admin_url": f"{settings.SITE_URL}{reverse('admin:index')}",
    }
    subject, _line_break, body = render_to_string("emails/alert.txt", context).partition("\n")
    try:
        connection = get_connection(timeout=SEND_TIMEOUT)
        EmailMessage(subject, body.strip() + "\n", to=settings.OWNER_EMAILS, connection=connection).send()
    except Exception as exc:
        # Mail backends raise many kinds of errors; none of them may stop the worker.
        error = _one_line(repr(exc), 500)
        changed = MailLock.objects.exclude(error=error).update(
            error=error, failing_since=Coalesce("failing_since", now)
        )
        if changed:  # Mailing is tried every minute; the log has each error once.
            logger.error("Could not send mail to OWNER_EMAIL, will retry: %s", error)
        return False
    MailLock.objects.exclude(failing_since=None).update(failing_since=None, error="")
    return True


def _one_line(text: str, max_length: int) -> str:
    # Names come from Stripe: a line break in one could inject a header or a line of the mail.
    printable = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return Truncator(printable).chars(max_length)
