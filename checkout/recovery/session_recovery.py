"""Recover sessions whose id or outcome did not reach the shop, by asking Stripe.

Answers and events can be lost: a connection breaks, an endpoint is disabled, the shop is down for days. A hold never
ends by the shop's own clock. Each order is retried with increasing delays until Stripe says how its session ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db.models import Func, Q, QuerySet
from django.utils.translation import gettext_noop as _

from checkout import gateway
from checkout.models import Order
from checkout.orders.checkout import create_stripe_session, save_session
from checkout.orders.fulfillment import apply_session, release_order
from config.logs import log_context
from config.stripe_client import InvalidRequest, NotFound, StripeCallError
from inventory import issues
from inventory.events import inbox
from inventory.leases import is_due
from inventory.models import Issue
from inventory.stripe_sync import backoff

logger = logging.getLogger(__name__)

SESSION_UNKNOWN = _("Stripe does not know its session %(session)s: %(error)s")
BATCH_SIZE = 20

# Sessions whose id is unknown.
# A request may still be running: connecting and reading take up to 13 seconds.
REQUEST_GRACE = timedelta(seconds=30)
# Stripe repeats a first answer for at least a day, even an error. Later the session is searched in Stripe's list.
SEARCH_AFTER_EXPIRY = timedelta(minutes=2)
CLOCK_SKEW = timedelta(minutes=10)  # Twice what Stripe's signatures allow between its clock and the shop's.
UNKNOWN_DELAYS = timedelta(seconds=5), timedelta(minutes=5)

# Sessions whose outcome is unknown.
EVENT_GRACE = timedelta(minutes=3)  # Usually the event of the expiry has arrived by then.
DEBIT_GRACE = timedelta(days=2)  # No bank answers earlier.
STALE_DELAYS = timedelta(minutes=1), timedelta(hours=6)


def without_session() -> QuerySet[Order]:
    return Order.objects.filter(state=Order.State.OPEN, session_id=None)


def find_unknown_sessions(now: datetime) -> int:
    """Worker task: recover the sessions of orders that have no session id. Returns how many orders are resolved."""
    # One with a time for an attempt was left to the worker, so no request of its start is running.
    not_running = Q(created_at__lte=now - REQUEST_GRACE) | Q(next_attempt_at__isnull=False)
    orders = without_session().filter(not_running, is_due("next_attempt_at", now))
    return _recover(orders.order_by("created_at")[:BATCH_SIZE], _find_session, now=now, delays=UNKNOWN_DELAYS)


def with_open_session() -> QuerySet[Order]:
    # The states as literals, so that the index of these orders is used however many others there are: SQLite does not
    # compare the parameters of a statement with the condition of an index.
    states = [Func(template=f"'{state}'") for state in (Order.State.OPEN, Order.State.AWAITING_PAYMENT)]
    return Order.objects.exclude(session_id=None).filter(state__in=states)


def refresh_stale_orders(now: datetime) -> int:
    """Worker task: refresh orders whose session should have ended. Returns how many orders have changed."""
    expired = Q(state=Order.State.OPEN, expires_at__lte=now - EVENT_GRACE)
    debits = Q(state=Order.State.AWAITING_PAYMENT, expires_at__lte=now - DEBIT_GRACE)
    due = is_due("next_attempt_at", now, longest=2 * STALE_DELAYS[1])
    orders = with_open_session().filter(expired | debits, due)
    return _recover(orders.order_by("expires_at")[:BATCH_SIZE], _refresh, now=now, delays=STALE_DELAYS)


@inbox.allow_stripe_calls()
def refresh_order(order: Order, *, now: datetime) -> bool:
    """Apply the session as Stripe has it now. True if the order's state has changed. Raises StripeCallError."""
    before = order.state
    apply_session(gateway.fetch_session(order.session_id or ""), now=now)
    order.refresh_from_db()
    return order.state != before


def _recover(
    orders: Iterable[Order],
    recover: Callable[[Order, datetime], bool],
    *,
    now: datetime,
    delays: tuple[timedelta, timedelta],
) -> int:
    # Call `recover` for each order that this worker can claim. `delays`: between two attempts, first and longest.
    recovered = 0
    for order in orders:
        failures = order.attempts
        delay = min(delays[0] * 2 ** min(failures, 10), delays[1])
        # The condition lets one worker claim the order. It has until the next attempt. `attempts` alone would not do:
        # it stops growing, so that months without Stripe do not overflow the column.
        claimable = Order.objects.filter(
            id=order.id,
            attempts=failures,
            next_attempt_at=order.next_attempt_at,
            state=order.state,
            session_id=order.session_id,
        )
        if not claimable.update(attempts=min(failures + 1, backoff.MAX_COUNTED), next_attempt_at=now + delay):
            continue
        try:
            with log_context(order=order.number):
                recovered += recover(order, now)
        except StripeCallError as exc:
            logger.warning("Order %s: Stripe does not say what became of its session: %s", order.number, exc)
        except Exception as exc:
            # An order that fails must not keep the others waiting.
            backoff.report_failure(Issue.Kind.ORDER_FAILED, order.number, exc, failures=failures + 1)
        else:
            if failures >= backoff.FAILURES_BEFORE_ISSUE:
                issues.close(Issue.Kind.ORDER_FAILED, order.number)
    return recovered


@inbox.allow_stripe_calls()
def _find_session(order: Order, now: datetime) -> bool:
    if order.expires_at is None or now < order.expires_at + SEARCH_AFTER_EXPIRY:
        try:
            return create_stripe_session(order, first=False).session_id is not None
        except InvalidRequest:
            # The refusal proves that there is no session, which has canceled the order.
            order.refresh_from_db()
            return order.state != Order.State.OPEN
    # The request is too old to be repeated: find the session in Stripe's list.
    listed = gateway.iter_sessions(since=order.created_at - CLOCK_SKEW, until=order.expires_at + CLOCK_SKEW)
    for session in listed:
        if session.metadata.get("order") == str(order.id):
            save_session(order, session)
            apply_session(session, now=now)
            return True
    release_order(order, because="Stripe has no session of this order.")
    return True


def _refresh(order: Order, now: datetime) -> bool:
    try:
        return refresh_order(order, now=now)
    except NotFound as exc:
        # This does not prove that the order is unpaid: the key may belong to another account.
        issues.open_issue(
            Issue.Kind.SESSION_NOT_FOUND, order.number, SESSION_UNKNOWN, session=order.session_id, error=exc
        )
        return False
