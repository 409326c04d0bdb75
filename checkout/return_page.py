"""The return from Stripe: find the customer's order, and remove what they bought from their cart."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Q
from django.http import HttpRequest

from checkout import gateway
from checkout.cart.cart import lazy_cart
from checkout.models import Order
from checkout.orders.fulfillment import apply_session
from checkout.stripe_slots import stripe_slot
from config.stripe_client import StripeCallError
from inventory.events import inbox

logger = logging.getLogger(__name__)

ORDERS_KEY = "orders"
MAX_REMEMBERED_ORDERS = 20
POLL_TIMEOUT = timedelta(seconds=5)  # The event usually arrives within two seconds.
POLL_INTERVAL = timedelta(seconds=20)


def order_of(session_id: str) -> Order | None:
    # The session id is from the URL and may be any text.
    if not 0 < len(session_id) <= 255 or "\x00" in session_id:
        return None
    return Order.objects.filter(session_id=session_id).first()


@inbox.allow_stripe_calls()
def poll_order(order: Order, *, now: datetime) -> Order:
    """Fetch the session of an order that is still open POLL_TIMEOUT after the customer's return.

    A conditional UPDATE lets one process do this per POLL_INTERVAL.
    """
    if order.state != Order.State.OPEN:
        return order
    orders = Order.objects.filter(id=order.id)
    if orders.filter(customer_returned_at=None).update(customer_returned_at=now):
        return order
    due = orders.filter(
        Q(polled_at=None) | Q(polled_at__lt=now - POLL_INTERVAL), customer_returned_at__lte=now - POLL_TIMEOUT
    )
    if due.update(polled_at=now):
        try:
            with stripe_slot() as has_slot:
                if has_slot:
                    apply_session(gateway.fetch_session(order.session_id or ""), now=now)
        except StripeCallError as exc:
            logger.warning("Order %s: its session could not be fetched: %s", order.number, exc)
        order.refresh_from_db()
    return order


def belongs_to_visitor(request: HttpRequest, order: Order) -> bool:
    # Name and address are shown only to the browser whose cart the order was made from.
    remembered = request.session.get(ORDERS_KEY, [])
    if str(order.id) in remembered:
        return True
    return bool(order.cart_token and lazy_cart(request).token == order.cart_token)


def remove_purchased_lines(request: HttpRequest) -> None:
    # Customers who never returned to the thank-you page still have what they paid for in their cart.
    order = lazy_cart(request).paid_order
    if order:
        clear_paid_cart(request, order)


def clear_paid_cart(request: HttpRequest, order: Order) -> None:
    """Remove what was bought from the cart that the order was made from: once, and from no other cart."""
    cart = lazy_cart(request)
    if not order.cart_token or cart.token != order.cart_token:
        return
    cart.remove_purchased(order)
    remembered = [str(order.id), *request.session.get(ORDERS_KEY, [])]
    request.session[ORDERS_KEY] = remembered[:MAX_REMEMBERED_ORDERS]
