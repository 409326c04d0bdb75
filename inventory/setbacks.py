"""What if one product fails? It is tried again with growing gaps, and keeps no other waiting; at last a case tells of it."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from inventory import cases

logger = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(minutes=1)
SEVERAL = 5  # tries before the owner is told; about half a minute
MOST_COUNTED = 100  # The columns are small; a product may fail for months.


def wait_after(failures: int) -> timedelta:
    """How long to leave a product alone that failed `failures` times before this one."""
    return min(timedelta(seconds=2 ** min(failures, 10)), LONGEST_WAIT)


def one_more(failures: int) -> int:
    return min(failures + 1, MOST_COUNTED)


def in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def tell(kind: str, product_id: str, error: Exception, *, failures: int) -> None:
    """Our own code failed on this product, `failures` times with this one: the log has where, the owner hears at last."""
    text = in_a_line(error)
    logger.error("%s: %s at try %d: %s", product_id, kind, failures, text, exc_info=error)
    if failures >= SEVERAL:
        sentence = _("%(error)s. It is tried again every minute; the log says where it fails.")
        cases.open_case(kind, product_id, sentence, error=text)
