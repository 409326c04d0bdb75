"""What if one order fails? It is tried again with growing gaps, and keeps no other waiting; at last a case tells of it."""

from __future__ import annotations

import logging

from django.utils.translation import gettext_noop as _

from checkout.models import Order
from inventory import issues
from inventory.models import Issue
from inventory.stripe_sync import backoff

logger = logging.getLogger(__name__)

STAYS_SO = _("%(error)s. It is tried again with growing gaps; the log says where it fails.")


def report_failure(order: Order, error: Exception) -> None:
    """Our own code failed on this order, of which `tries` says how often it was tried before."""
    text, tries = backoff.one_line(error), order.attempts + 1
    logger.error("Order %s fails at try %d: %s", order.number, tries, text, exc_info=error)
    if tries >= backoff.FAILURES_BEFORE_ISSUE:
        issues.open_issue(Issue.Kind.ORDER_FAILED, order.number, STAYS_SO, error=text)


def clear_failure(order: Order) -> None:
    """It works again."""
    if order.attempts >= backoff.FAILURES_BEFORE_ISSUE:
        issues.close(Issue.Kind.ORDER_FAILED, order.number)
