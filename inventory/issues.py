"""Open and close issues, which need a person. One issue is open per kind and subject; later texts are appended to it."""

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

from inventory.db import insert_new
from inventory.models import Issue

logger = logging.getLogger(__name__)

MAX_LENGTH = 20_000  # characters; keeps an issue that recurs for weeks readable
FULL = gettext_noop(
    "This issue is full. The log has the rest; “manage.py reconcile” lists the current differences."
)


def translate(sentence: str, **facts: object) -> str:
    """Translate `sentence` into LANGUAGE_CODE, whatever the language of the request, and insert `facts`."""
    with override(settings.LANGUAGE_CODE):
        return gettext(sentence) % facts if facts else gettext(sentence)


def open_issue(kind: str, subject: str, sentence: str, **facts: object) -> bool:
    """Open an issue with the translated text, or append the text to the open one unless it is there already.

    Returns True if a new issue was opened.
    """
    text = translate(sentence, **facts)
    with transaction.atomic():
        opened = _create(kind, subject, text)
        issue = Issue.objects.filter(kind=kind, subject=subject, closed_at=None).exclude(text__contains=text)
        not_full, full = issue.filter(LessThan(Length("text"), MAX_LENGTH)), translate(FULL)
        added = not opened and bool(
            not_full.update(text=Concat(F("text"), Value(f"\n{text}")))
            or issue.exclude(text__endswith=full).update(text=Concat(F("text"), Value(f"\n{full}")))
        )
        if not opened and not added and not is_open(kind, subject):
            # The owner closed the issue between the two statements.
            opened = _create(kind, subject, text)
    if opened or added:
        # Log after the commit: a rolled back issue must not be logged.
        transaction.on_commit(lambda: logger.error("Needs attention: %s (%s): %s", kind, subject, text))
    return opened


def _create(kind: str, subject: str, text: str) -> bool:
    return bool(insert_new([Issue(kind=kind, subject=subject, text=text)], unique=("kind", "subject")))


def is_open(kind: str, subject: str) -> bool:
    return Issue.objects.filter(kind=kind, subject=subject, closed_at=None).exists()


def close(kind: str, subject: str, *, opened_before: datetime | None = None) -> int:
    """Close the open issue because its cause is gone. Returns the number closed."""
    now = timezone.now()
    issue = Issue.objects.filter(
        kind=kind, subject=subject, closed_at=None, opened_at__lte=opened_before or now
    )
    return issue.update(closed_at=now)
