"""What needs a person? A case is opened once per subject, gathers what happens meanwhile, and is closed by the owner."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Length
from django.db.models.lookups import LessThan
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop, override

from inventory.models import Case
from inventory.rows import insert_new

logger = logging.getLogger(__name__)

# Kinds, as the owner reads them.
OVERSOLD = "oversold"
TOO_MANY = "more than a count can say"
UNREADABLE = "unreadable count"
FOREIGN_MARK = "another shop writes here"
RESTORED = "restored database"
FORGOTTEN = "edits that Stripe has forgotten"
FIRST_LOOK = "sale at the first look"
STALE_FORM = "edit that cannot be told apart"
NOTE = "edit to look at"
REFUSED = "Stripe refuses a write"
STOPPED = "publishing stopped"
EVENT_FAILED = "event not handled"
KEY = "stripe key"
LOOK_FAILED = "product cannot be read"
PUBLISH_FAILED = "product cannot be written"
LONGEST = 20_000  # A case that repeats itself for weeks stays readable.
FULL = gettext_noop(
    "There is more, and this case is full: the log has it all, “manage.py reconcile” what does not agree now."
)


def in_words(sentence: str, **facts: object) -> str:
    """A sentence marked for translation, with its facts, in the owner's language, whoever's request this is."""
    with override(settings.LANGUAGE_CODE):
        return gettext(sentence) % facts if facts else gettext(sentence)


def open_case(kind: str, subject: str, sentence: str, **facts: object) -> bool:
    """Tell the owner what happened, as `in_words` says it. True if no such case was open.

    Else the text is added to the open one, unless it says so already.
    """
    text = in_words(sentence, **facts)
    with transaction.atomic():
        opened = _open(kind, subject, text)
        added = 0 if opened else _add(kind, subject, text)
        if not opened and not added and not is_open(kind, subject):
            # The owner closed it between the two.
            opened = _open(kind, subject, text)
    if opened or added:
        # A log line is true only once the case is stored.
        transaction.on_commit(lambda: logger.error("Case: %s (%s): %s", kind, subject, text))
    return opened


def _open(kind: str, subject: str, text: str) -> bool:
    return bool(insert_new([Case(kind=kind, subject=subject, text=text)], unique=("kind", "subject")))


def _add(kind: str, subject: str, text: str) -> int:
    open_one = Case.objects.filter(kind=kind, subject=subject, closed_at=None).exclude(text__contains=text)
    added = open_one.filter(LessThan(Length("text"), LONGEST)).update(text=_and(text))
    full = in_words(FULL)
    return added or open_one.exclude(text__endswith=full).update(text=_and(full))


def _and(text: str) -> Concat:
    return Concat(F("text"), Value("\n" + text))


def is_open(kind: str, subject: str) -> bool:
    return Case.objects.filter(kind=kind, subject=subject, closed_at=None).exists()


def close(kind: str, subject: str, *, opened_before: datetime | None = None) -> int:
    """Close the case where what it told of has ended by itself. Returns how many were open."""
    now = timezone.now()
    open_one = Case.objects.filter(
        kind=kind, subject=subject, closed_at=None, opened_at__lte=opened_before or now
    )
    return open_one.update(closed_at=now)
