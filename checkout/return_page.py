"""What of a customer who comes back from Stripe? Their order, and their cart without what they bought."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Q
from django.http import HttpRequest

from checkout import gateway
from checkout.cart.cart import lazy_cart
from checkout.models import CUSTOMER_DONE_STATES, Order
from checkout.orders.fulfillment import apply_session
from config.stripe_client import StripeCallError

logger = logging.getLogger(__name__)

ORDERS_KEY = "orders"
MAX_REMEMBERED_ORDERS = 20
POLL_TIMEOUT = timedelta(seconds=5)  # The event is here within a second or two, as a rule.
POLL_INTERVAL = timedelta(seconds=20)


def order_of(session_id: str) -> Order | None:
    """The order of a session id from an address, which may hold anything."""
    if not 0 < len(session_id) <= 255 or "\x00" in session_id:
        return None
    return Order.objects.filter(session_id=session_id).first()


def poll_order(order: Order, *, now: datetime) -> Order:
    """The order as it is; one that is open for five seconds after the return is asked for at Stripe, by one process."""
    if order.state != Order.State.OPEN:
        return order
    mine = Order.objects.filter(id=order.id)
    if mine.filter(customer_returned_at=None).update(customer_returned_at=now):
        return order
    due = mine.filter(
        Q(polled_at=None) | Q(polled_at__lt=now - POLL_INTERVAL), customer_returned_at__lte=now - POLL_TIMEOUT
    )
    if due.update(polled_at=now):
        _ask(order, now=now)
        order.refresh_from_db()
    return order


def _ask(order: Order, *, now: datetime) -> None:
    try:
        apply_session(gateway.fetch_session(order.session_id or ""), now=now)
    except StripeCallError as trouble:
        logger.warning("Order %s: the customer is back, Stripe does not say: %s", order.number, trouble)


def belongs_to_visitor(request: HttpRequest, order: Order) -> bool:
    """Did this browser's cart become that order? Only then are name and address shown."""
    known = request.session.get(ORDERS_KEY, [])
    return str(order.id) in known or bool(order.cart_token and lazy_cart(request).token == order.cart_token)


def remove_purchased_lines(request: HttpRequest) -> None:
    """The payment came through, and the customer never saw the thank-you page: the cart begins anew all the same."""
    cart = lazy_cart(request)
    if cart.is_bought:
        clear_paid_cart(
            request, Order.objects.filter(cart_token=cart.token, state__in=CUSTOMER_DONE_STATES)[0]
        )


def clear_paid_cart(request: HttpRequest, order: Order) -> None:
    """Take what was bought out of the cart that the order came from: once, and out of no other cart."""
    cart = lazy_cart(request)
    if not order.cart_token or cart.token != order.cart_token:
        return
    cart.remove_purchased({(line.item_id or 0, line.color): line.quantity for line in order.lines.all()})
    known = [str(order.id), *request.session.get(ORDERS_KEY, [])]
    request.session[ORDERS_KEY] = known[:MAX_REMEMBERED_ORDERS]
