"""How does a cart become a payment page? Everything is held, or nothing; then Stripe opens a session.

The order, its lines, its hold and the request itself are committed before Stripe hears of it, so whatever
happens on the way, the same request can be sent again: docs/stock-protocol.md, Holding.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from checkout import gateway
from checkout.cart.cart import Cart, CartLine
from checkout.cart.rules import CartError
from checkout.models import CUSTOMER_DONE_STATES, Order, OrderLine
from checkout.orders.fulfillment import apply_session, release_order
from checkout.session_params import session_params
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
from inventory.models import Issue
from inventory.stock import ledger
from inventory.stripe_sync import refresh

logger = logging.getLogger(__name__)

KEY_NAME = "STRIPE_SECRET_KEY"
WHY_NO_PAGE = gettext_noop("Stripe opens no payment page: %(trouble)s")
MIN_TIME_LEFT = timedelta(minutes=5)


def start_checkout(cart: Cart, *, now: datetime) -> Order:
    """The order that this cart's customer goes on with. Its state and address say where to:

    - paid or awaiting payment: it was bought already, in another tab perhaps; show the thank-you page,
    - open with `session_url`: send the customer there,
    - open without: Stripe has not told yet; the worker asks again, the customer waits a moment.

    1. Go on with this cart's open order if it asks for the same, else end it. 2. Refuse what cannot be bought.
    3. Write the order down and hold its units, all or nothing. 4. Open the session.

    Raises CartError, ledger.OutOfStock (nothing is held, the cart is as it was) and StripeCallError (Stripe said
    no, and the hold is released; or it did not answer, and an earlier page of this cart could not be ended).
    """
    if not cart:
        raise CartError(_("Your cart is empty."))
    for _attempt in range(3):
        earlier = _resume_open_order(cart, now=now)
        if earlier:
            return earlier
        try:
            order = _create_order(cart, now=now)
        except IntegrityError as error:
            in_the_way = error  # A second click was quicker: its order is the one to go on with.
            continue
        fault_point("start.held")
        return create_stripe_session(order, first=True)
    logger.warning("A checkout was refused, its cart has an open order again and again: %s", in_the_way)
    text = _("Your payment page is being prepared in another tab. Please try again in a moment.")
    raise CartError(text) from in_the_way


def _resume_open_order(cart: Cart, *, now: datetime) -> Order | None:
    """This cart's earlier order if it still counts; None when there is none or it has come to nothing."""
    order = Order.objects.filter(cart_token=cart.token).exclude(state=Order.State.CANCELED).first()
    if order is None or order.state == Order.State.REFUNDED:
        return None
    if order.state in CUSTOMER_DONE_STATES:
        return order
    if order.session_id is None:
        order = _retry_session(order)
    if order.state == Order.State.CANCELED:
        return None
    if order.session_id is None:
        return order
    if order.fingerprint == cart.fingerprint and _has_time_left(order, now=now):
        return _reuse(order, now=now)
    return _replace_session(order, now=now)


def _retry_session(order: Order) -> Order:
    """Learn the session of an order that has none yet; a refusal proves that there is none, and ends the order."""
    try:
        return create_stripe_session(order, first=False)
    except InvalidRequest:
        order.refresh_from_db()
        return order


def _has_time_left(order: Order, *, now: datetime) -> bool:
    """A page that closes in a moment is of no use to somebody who has yet to find a card."""
    return order.expires_at is None or order.expires_at - now > MIN_TIME_LEFT


def _reuse(order: Order, *, now: datetime) -> Order | None:
    """The same cart again: its page, if Stripe says that it is still open."""
    try:
        order = _apply_ended(order, gateway.fetch_session(order.session_id or ""), now=now)
    except StripeCallError as trouble:
        logger.warning("Order %s: sending the customer back without asking: %s", order.number, trouble)
    return None if order.state == Order.State.CANCELED else order


def _replace_session(order: Order, *, now: datetime) -> Order | None:
    """Another cart than before: end the old page first, so that nobody is in the way of their own hold."""
    session_id = order.session_id or ""
    try:
        session = gateway.expire_session(session_id)
    except InvalidRequest:
        session = gateway.fetch_session(session_id)  # It was paid or has expired meanwhile.
    order = _apply_ended(order, session, now=now)
    return order if order.state in CUSTOMER_DONE_STATES else None


def _apply_ended(order: Order, session: gateway.CheckoutSession, *, now: datetime) -> Order:
    apply_session(session, now=now)
    order.refresh_from_db()
    return order


def _create_order(cart: Cart, *, now: datetime) -> Order:
    """Order, lines, request and hold, in one transaction. Raises InsufficientStock, or IntegrityError for a second click."""
    expires_at = now + timedelta(minutes=settings.CHECKOUT_EXPIRES_MINUTES)
    order = Order(
        currency=cart.currency, cart_token=cart.token, fingerprint=cart.fingerprint, expires_at=expires_at
    )
    lines = [_order_line(order, place, line) for place, line in enumerate(cart.lines)]
    order.session_params = session_params(order, lines, expires_at=expires_at)
    with transaction.atomic():
        order.save(force_insert=True)
        OrderLine.objects.bulk_create(lines)
        ledger.hold(order.reference, cart.demand)
    return order


def _order_line(order: Order, place: int, line: CartLine) -> OrderLine:
    if line.item is None or line.price is None or line.problem:
        raise CartError(line.problem)
    return OrderLine(
        order=order,
        position=place,
        product=line.item.product,
        item=line.item,
        name=line.item.product.name,
        size=line.item.size,
        color=line.color,
        quantity=line.quantity,
        unit_amount=line.price.unit_amount,
        price_id=line.price.id,
    )


def create_stripe_session(order: Order, *, first: bool) -> Order:
    """Send the stored request, for the first time or again; Stripe answers both with the same session.

    A refusal ends the hold and is raised: had an earlier sending been carried out, Stripe would have repeated
    that answer. Without an answer the order stays open, for the worker to ask again.
    """
    try:
        session = gateway.open_session(params=order.session_params, key=str(order.id))
    except (InvalidRequest, AuthenticationFailed, PermissionDenied, NotConfigured) as trouble:
        if _proves_that_there_is_none(trouble, first=first):
            release_order(order, because=str(trouble))
        if first or not isinstance(trouble, InvalidRequest):
            _report_refusal(order, trouble)
        raise
    except StripeCallError as trouble:
        logger.warning("Order %s: no session yet: %s", order.number, trouble)
        return order
    fault_point("start.opened")
    return save_session(order, session)


def _proves_that_there_is_none(trouble: StripeCallError, *, first: bool) -> bool:
    """A bad request is answered as it was the first time; a bad key says nothing of an earlier, better one."""
    return first or (isinstance(trouble, InvalidRequest) and not isinstance(trouble, IdempotencyConflict))


def save_session(order: Order, session: gateway.CheckoutSession) -> Order:
    """Only the first answer is written: the answers to all sendings name the same session."""
    Order.objects.filter(id=order.id, session_id=None).update(
        session_id=session.id, session_url=session.url, expires_at=session.expires_at or order.expires_at
    )
    issues.close(Issue.Kind.STRIPE_KEY, KEY_NAME)  # The key that opened a session is a good one.
    order.refresh_from_db()
    return order


def _report_refusal(order: Order, trouble: StripeCallError) -> None:
    logger.error("Order %s could not be started: %s", order.number, trouble)
    if isinstance(trouble, (AuthenticationFailed, PermissionDenied)):
        issues.open_issue(Issue.Kind.STRIPE_KEY, KEY_NAME, WHY_NO_PAGE, trouble=trouble)
    elif isinstance(trouble, InvalidRequest):
        # A price that was archived a moment ago, perhaps: read the products anew.
        refresh.request_refresh(order.lines.values_list("product_id", flat=True))
        subject = trouble.param or trouble.code or "request"
        issues.open_issue(Issue.Kind.CHECKOUT_REFUSED, subject, WHY_NO_PAGE, trouble=trouble)
