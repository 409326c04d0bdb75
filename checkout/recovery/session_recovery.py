"""What became of a payment page whose end we did not hear of? Its time is over here, so Stripe is asked.

Events can be lost: an endpoint switched off, a shop that was away for days. No hold ends by our clock, so every
order that is still open after its time is asked for, again and again with longer pauses, until Stripe says how
it ended.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_noop as _

from checkout import gateway
from checkout.models import Order
from checkout.orders import failures
from checkout.orders.fulfillment import apply_session
from config.stripe_client import NotFound, StripeCallError
from inventory import issues
from inventory.leases import is_due
from inventory.models import Issue

logger = logging.getLogger(__name__)

NOT_KNOWN = _("Stripe does not know its session %(session)s: %(trouble)s")
AFTER_ITS_TIME = timedelta(minutes=3)  # The event is here by then, as a rule.
DEBIT_DAYS = timedelta(days=2)  # Before that no bank has answered.
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=6)
LONGER_THAN_ANY_PAUSE = 2 * LONGEST
BATCH_SIZE = 20


def refresh_stale_orders(now: datetime) -> int:
    """The worker's duty: returns how many orders were settled by what Stripe answered."""
    return sum(_refresh(order, now=now) for order in _stale_orders(now) if _claim(order, now=now))


def refresh_order(order: Order, *, now: datetime) -> bool:
    """Settle `order` by what Stripe says of its session now; True if that ended it. Raises StripeCallError."""
    before = order.state
    apply_session(gateway.fetch_session(order.session_id or ""), now=now)
    order.refresh_from_db()
    return order.state != before


def _stale_orders(now: datetime) -> QuerySet[Order]:
    """Open orders after their time, and debits of which nobody has spoken for days."""
    open_ones = Q(state=Order.State.OPEN, expires_at__lte=now - AFTER_ITS_TIME)
    debits = Q(state=Order.State.AWAITING_PAYMENT, expires_at__lte=now - DEBIT_DAYS)
    ready = is_due("next_attempt_at", now, longest=LONGER_THAN_ANY_PAUSE)
    orders = Order.objects.exclude(session_id=None).filter(open_ones | debits).filter(ready)
    return orders.order_by("expires_at")[:BATCH_SIZE]


def _claim(order: Order, *, now: datetime) -> bool:
    pause = min(SHORTEST * 2 ** min(order.attempts, 10), LONGEST)
    mine = Order.objects.filter(id=order.id, attempts=order.attempts, state=order.state)
    return bool(mine.update(attempts=F("attempts") + 1, next_attempt_at=now + pause))


def _refresh(order: Order, *, now: datetime) -> bool:
    try:
        ended = refresh_order(order, now=now)
    except NotFound as trouble:
        # Another account's key, perhaps: that is no proof that nobody paid.
        issues.open_issue(
            Issue.Kind.SESSION_NOT_FOUND, order.number, NOT_KNOWN, session=order.session_id, trouble=trouble
        )
    except StripeCallError as trouble:
        logger.warning("Order %s is overdue, and Stripe does not say why: %s", order.number, trouble)
    except Exception as error:
        failures.report_failure(order, error)
    else:
        failures.clear_failure(order)
        return ended
    return False
