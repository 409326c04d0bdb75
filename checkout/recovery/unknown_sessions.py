"""Which sessions did Stripe open without our hearing of it? The worker asks again, and at last looks in Stripe's list."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import F, QuerySet

from checkout import gateway
from checkout.models import Order
from checkout.orders import failures
from checkout.orders.checkout import create_stripe_session, save_session
from checkout.orders.fulfillment import apply_session, release_order
from config.stripe_client import InvalidRequest, StripeCallError
from inventory.leases import is_due

logger = logging.getLogger(__name__)

# A request that is still under way is left alone that long: connecting and reading may take 13 seconds.
REQUEST_GRACE = timedelta(seconds=30)
# Stripe keeps a first answer for a day at least; a session that ended unseen is looked for in its list instead.
AFTER_ITS_TIME = timedelta(minutes=2)
# Stripe dates a session by its clock and we an order by ours: webhooks bear five minutes between them, so does this.
CLOCK_SKEW = timedelta(minutes=10)
MAX_BACKOFF = timedelta(minutes=5)
BATCH_SIZE = 20


def find_unknown_sessions(now: datetime) -> int:
    """Ask again for the sessions that Stripe never told us of; returns how many are known now, or never were."""
    finished = 0
    for order in _without_a_session(now):
        if _claim(order, now=now):
            finished += _finish(order, now=now)
    return finished


def _without_a_session(now: datetime) -> QuerySet[Order]:
    orders = Order.objects.filter(
        state=Order.State.OPEN, session_id=None, created_at__lte=now - REQUEST_GRACE
    )
    return orders.filter(is_due("next_attempt_at", now)).order_by("created_at")[:BATCH_SIZE]


def _claim(order: Order, *, now: datetime) -> bool:
    """True for one worker, which has until the next try. The pause doubles, so that a Stripe in trouble has rest."""
    pause = min(timedelta(seconds=5) * 2 ** min(order.attempts, 10), MAX_BACKOFF)
    mine = Order.objects.filter(id=order.id, attempts=order.attempts, session_id=None)
    return bool(mine.update(attempts=F("attempts") + 1, next_attempt_at=now + pause))


def _finish(order: Order, *, now: datetime) -> bool:
    try:
        finished = _request_session(order, now=now)
    except InvalidRequest:
        return not Order.objects.filter(id=order.id, state=Order.State.OPEN).exists()
    except StripeCallError as trouble:
        logger.warning("Order %s: its session stays unknown: %s", order.number, trouble)
    except Exception as error:
        failures.report_failure(order, error)
    else:
        failures.clear_failure(order)
        return finished
    return False


def _request_session(order: Order, *, now: datetime) -> bool:
    """Send the request again while it may be carried out; after that, look whether it was."""
    if order.expires_at is None or now < order.expires_at + AFTER_ITS_TIME:
        return create_stripe_session(order, first=False).session_id is not None
    return _find_session(order, now=now)


def _find_session(order: Order, *, now: datetime) -> bool:
    """Is it in Stripe's list of its time? Then it is settled as it ended; if not, it never was."""
    until = order.expires_at + CLOCK_SKEW if order.expires_at else None
    for session in gateway.iter_sessions(since=order.created_at - CLOCK_SKEW, until=until):
        if session.metadata.get("order") == str(order.id):
            save_session(order, session)
            apply_session(session, now=now)
            return True
    release_order(order, because="Stripe has no session of this order.")
    return True
