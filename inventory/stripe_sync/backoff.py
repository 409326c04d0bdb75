"""Backoff for products whose processing fails; an issue is opened after several failures."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.utils.translation import gettext_noop as _

from inventory import issues
from inventory.models import ProductSync

logger = logging.getLogger(__name__)

MAX_BACKOFF = timedelta(minutes=1)
FAILURES_BEFORE_ISSUE = 5  # failures before an issue is opened; about half a minute
MAX_COUNTED = 100  # The columns are small integers, and a product may fail for months.


def postpone(product_id: str, now: datetime, *, attempts: str, until: str, first: float = 1) -> int:
    """Postpone the next attempt on a product, twice as long after each failure. Returns the failures so far.

    `attempts`, `until`: the columns of ProductSync that count the failures and hold the time of the next attempt.
    `first`: seconds after the first failure.
    """
    failures: int = getattr(ProductSync.objects.get(pk=product_id), attempts)
    delay = min(timedelta(seconds=first * 2 ** min(failures, 10)), MAX_BACKOFF)
    failures = min(failures + 1, MAX_COUNTED)
    ProductSync.objects.filter(pk=product_id).update(**{attempts: failures, until: now + delay})
    return failures


def one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def report_failure(kind: str, product_id: str, error: Exception, *, failures: int) -> None:
    """Log an error of our own code with its traceback; `failures` includes this one. Opens an issue after several."""
    text = one_line(error)
    logger.error("%s: %s at attempt %d: %s", product_id, kind, failures, text, exc_info=error)
    if failures >= FAILURES_BEFORE_ISSUE:
        sentence = _("%(error)s. It is retried automatically. The log has the traceback.")
        issues.open_issue(kind, product_id, sentence, error=text)
