"""End an open checkout for the owner: its session expires at Stripe first, and only then are its units released."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from checkout import gateway
from checkout.models import Order
from checkout.orders.fulfillment import apply_session
from config.stripe_client import InvalidRequest
from inventory.events import inbox


class NotOpen(Exception):
    """There is no open payment page to end. The message says why."""


@inbox.allow_stripe_calls()
def end_checkout(order: Order, *, now: datetime) -> Order:
    """Return the order as Stripe has left it: canceled, or paid if the customer was faster.

    Raises NotOpen, and StripeCallError if Stripe did not answer: the units stay held.
    """
    if order.state != Order.State.OPEN:
        raise NotOpen(_("It is no longer open."))
    if order.session_id is None:
        raise NotOpen(_("Stripe has not confirmed its payment page yet. Please try again in a minute."))
    try:
        session = gateway.expire_session(order.session_id)
    except InvalidRequest:
        session = gateway.fetch_session(order.session_id)  # It was paid or has expired meanwhile.
    apply_session(session, now=now)
    order.refresh_from_db()
    return order
