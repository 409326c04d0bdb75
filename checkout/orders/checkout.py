"""Start a checkout: hold the cart's units, all or none, and create a Stripe Checkout Session for them.

Order, lines, hold and the request itself are committed before the request is sent, so that the same request can be
repeated after any failure. See "Holding" in docs/stock-protocol.md.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from checkout import gateway
from checkout.cart.cart import Cart
from checkout.cart.rules import CartError
from checkout.models import CUSTOMER_DONE_STATES, Order, OrderLine
from checkout.orders import hold_limits
from checkout.orders.fulfillment import apply_session, release_order
from checkout.session_params import session_params
from checkout.stripe_objects import CheckoutSession
from checkout.stripe_slots import stripe_slot
from config.fault_points import fault_point
from config.stripe_client import (
    AuthenticationFailed,
    IdempotencyConflict,
    InvalidRequest,
    NotConfigured,
    PermissionDenied,
    StripeCallError,
)
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue
from inventory.stock import ledger
from inventory.stripe_sync import refresh

logger = logging.getLogger(__name__)

KEY_NAME = "STRIPE_SECRET_KEY"
NO_SESSION = gettext_noop("Stripe does not open a payment page: %(error)s")
MIN_TIME_LEFT = timedelta(minutes=5)  # A customer needs this long to find a card.


def start_checkout(cart: Cart, *, now: datetime, network: str = "") -> Order:
    """Return the order with which this cart's customer continues.

    - Paid or awaiting payment: it was bought before, perhaps in another tab.
    - Open with a `session_url`: the customer can pay there.
    - Open without one: Stripe has not answered yet, and the worker repeats the request.

    `network`: where the customer comes from (config.client_address), "" if unknown.

    Raises CartError, HoldLimitReached, ledger.InsufficientStock (nothing is held, the cart is unchanged) and
    StripeCallError (Stripe refused the session and the hold is released, or an earlier session of this cart could not
    be ended).
    """
    if not cart:
        raise CartError(_("Your cart is empty."))
    with stripe_slot() as has_slot:
        if has_slot:
            return _start_with_stripe(cart, now=now, network=network)
    return _start_without_stripe(cart, now=now, network=network)


def _start_without_stripe(cart: Cart, *, now: datetime, network: str) -> Order:
    # Hold the units, and leave the payment page to the worker: Stripe keeps too many threads waiting already.
    order = Order.objects.of_cart(cart.token).exclude(state=Order.State.CANCELED).first()
    if order is not None and order.state != Order.State.REFUNDED:
        if order.state != Order.State.OPEN or order.fingerprint == cart.fingerprint:
            return order
        raise CartError(_("The payment page is very busy. Please try again in a moment."))
    hold_limits.check(cart.token, network, now)
    try:
        return _create_order(cart, now=now, network=network, for_worker=True)
    except IntegrityError as exc:
        raise CartError(_("The payment page is very busy. Please try again in a moment.")) from exc


def _start_with_stripe(cart: Cart, *, now: datetime, network: str) -> Order:
    for _attempt in range(3):
        order = _resume_open_order(cart, now=now)
        if order:
            return order
        hold_limits.check(cart.token, network, now)
        try:
            order = _create_order(cart, now=now, network=network)
        except IntegrityError as exc:
            conflict = exc  # A second click was faster: continue with its order.
            continue
        fault_point("start.held")
        return create_stripe_session(order, first=True)
    logger.warning("A checkout was refused because its cart kept having another open order: %s", conflict)
    text = _("Your payment page is being prepared in another tab. Please try again in a moment.")
    raise CartError(text) from conflict


def _resume_open_order(cart: Cart, *, now: datetime) -> Order | None:
    # Return this cart's latest order if the customer can continue with it. Ends its session if the cart has changed.
    order = Order.objects.of_cart(cart.token).exclude(state=Order.State.CANCELED).first()
    if order is None or order.state == Order.State.REFUNDED:
        return None
    if order.state == Order.State.OPEN and order.session_id is None:
        # Stripe did not answer the first request: repeat it.
        try:
            create_stripe_session(order, first=False)
        except InvalidRequest:
            order.refresh_from_db()  # The refusal proves that there is no session, and the order is canceled.
    if order.state == Order.State.OPEN and order.session_id:
        return _reuse_or_end_session(order, cart, now=now)
    return None if order.state in {Order.State.CANCELED, Order.State.REFUNDED} else order


@inbox.allow_stripe_calls()
def _reuse_or_end_session(order: Order, cart: Cart, *, now: datetime) -> Order | None:
    # Check with Stripe that the session is still open. End it if it is about to expire or asks for another cart.
    session_id = order.session_id or ""
    has_time_left = order.expires_at is None or order.expires_at - now > MIN_TIME_LEFT
    if order.fingerprint == cart.fingerprint and has_time_left:
        usable = {*CUSTOMER_DONE_STATES, Order.State.OPEN}
        try:
            session = gateway.fetch_session(session_id)
        except StripeCallError as exc:
            logger.warning(
                "Order %s: the customer is sent back to its session unchecked: %s", order.number, exc
            )
            return order
    else:
        usable = {*CUSTOMER_DONE_STATES}
        try:
            # The hold of the old session would count against this cart's next order.
            session = gateway.expire_session(session_id)
        except InvalidRequest:
            session = gateway.fetch_session(session_id)  # It was paid or has expired meanwhile.
    apply_session(session, now=now)
    order.refresh_from_db()
    return order if order.state in usable else None


def _create_order(cart: Cart, *, now: datetime, network: str = "", for_worker: bool = False) -> Order:
    # Save order, lines, request and hold in one transaction. `for_worker`: the worker sends the request at once.
    # Raises CartError, InsufficientStock, or IntegrityError if the cart has an open order.
    expires_at = now + timedelta(minutes=settings.CHECKOUT_EXPIRES_MINUTES)
    order = Order(
        currency=cart.currency,
        language=get_language() or "",
        cart_token=cart.token,
        client_network=network,
        next_attempt_at=now if for_worker else None,
        fingerprint=cart.fingerprint,
        expires_at=expires_at,
    )
    lines = []
    for position, line in enumerate(cart.lines):
        if line.item is None or line.price is None or line.problem:
            raise CartError(line.problem)
        lines.append(
            OrderLine(
                order=order,
                position=position,
                product=line.item.product,
                item=line.item,
                name=line.item.product.name,
                size=line.item.size,
                color=line.color,
                quantity=line.quantity,
                unit_amount=line.price.unit_amount,
                currency=order.currency,
                price_id=line.price.id,
            )
        )
    items = [line.item for line in lines if line.item is not None]
    order.session_params = session_params(
        order, lines, expires_at=expires_at, excluded=hold_limits.excluded_methods(cart.demand, items)
    )
    with transaction.atomic():
        order.save(force_insert=True)
        OrderLine.objects.bulk_create(lines)
        ledger.hold(order.reference, cart.demand, rush=hold_limits.rush())
    return order


def create_stripe_session(order: Order, *, first: bool) -> Order:
    """Send the stored request, for the first time or again: Stripe answers both with the same session.

    Without an answer the order stays open, and the worker repeats the request. Raises Stripe's refusal; if it proves
    that there is no session, the order is canceled.
    """
    try:
        session = gateway.open_session(params=order.session_params, key=str(order.id))
    except (InvalidRequest, AuthenticationFailed, PermissionDenied, NotConfigured) as exc:
        is_invalid = isinstance(exc, InvalidRequest)
        # Stripe would have repeated the answer of an earlier request that succeeded. A wrong key, however, says nothing
        # about an earlier request with a good one.
        if first or (is_invalid and not isinstance(exc, IdempotencyConflict)):
            release_order(order, because=str(exc))
        if first or not is_invalid:
            logger.error("Order %s could not be started: %s", order.number, exc)
            if isinstance(exc, (AuthenticationFailed, PermissionDenied)):
                issues.open_issue(Issue.Kind.STRIPE_KEY, KEY_NAME, NO_SESSION, error=exc)
            elif isinstance(exc, InvalidRequest):
                # A price may have been archived a moment ago: refresh the products.
                refresh.request_refresh(order.lines.values_list("product_id", flat=True))
                subject = exc.param or exc.code or "request"
                issues.open_issue(Issue.Kind.CHECKOUT_REFUSED, subject, NO_SESSION, error=exc)
        raise
    except StripeCallError as exc:
        logger.warning("Order %s: no session yet: %s", order.number, exc)
        return order
    fault_point("start.opened")
    return save_session(order, session)


def save_session(order: Order, session: CheckoutSession) -> Order:
    # Only the first answer is saved: all answers name the same session.
    Order.objects.filter(id=order.id, session_id=None).update(
        session_id=session.id, session_url=session.url, expires_at=session.expires_at or order.expires_at
    )
    issues.close(Issue.Kind.STRIPE_KEY, KEY_NAME)  # The key works.
    order.refresh_from_db()
    return order
