"""Backoff for products whose processing fails; an issue is opened after several failures."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from inventory import issues

logger = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(minutes=1)
SEVERAL = 5  # failures before an issue is opened; about half a minute
MOST_COUNTED = 100  # The columns are small integers, and a product may fail for months.


def wait_after(failures: int) -> timedelta:
    """Delay until the next attempt; `failures` does not include the current one."""
    return min(timedelta(seconds=2 ** min(failures, 10)), LONGEST_WAIT)


def one_more(failures: int) -> int:
    return min(failures + 1, MOST_COUNTED)


def in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def tell(kind: str, product_id: str, error: Exception, *, failures: int) -> None:
    """Log an error of our own code with its traceback; `failures` includes this one. Opens an issue after SEVERAL."""
    text = in_a_line(error)
    logger.error("%s: %s at attempt %d: %s", product_id, kind, failures, text, exc_info=error)
    if failures >= SEVERAL:
        sentence = _("%(error)s. It is retried every minute. The log has the traceback.")
        issues.open_issue(kind, product_id, sentence, error=text)
