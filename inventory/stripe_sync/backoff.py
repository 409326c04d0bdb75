"""Backoff for products whose processing fails; an issue is opened after several failures."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from inventory import issues

logger = logging.getLogger(__name__)

MAX_BACKOFF = timedelta(minutes=1)
FAILURES_BEFORE_ISSUE = 5  # failures before an issue is opened; about half a minute
MAX_COUNTED = 100  # The columns are small integers, and a product may fail for months.


def wait_after(failures: int) -> timedelta:
    """Delay until the next attempt; `failures` does not include the current one."""
    return min(timedelta(seconds=2 ** min(failures, 10)), MAX_BACKOFF)


def next_count(failures: int) -> int:
    return min(failures + 1, MAX_COUNTED)


def one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def report_failure(kind: str, product_id: str, error: Exception, *, failures: int) -> None:
    """Log an error of our own code with its traceback; `failures` includes this one. Opens an issue after SEVERAL."""
    text = one_line(error)
    logger.error("%s: %s at attempt %d: %s", product_id, kind, failures, text, exc_info=error)
    if failures >= FAILURES_BEFORE_ISSUE:
        sentence = _("%(error)s. It is retried every minute. The log has the traceback.")
        issues.open_issue(kind, product_id, sentence, error=text)
