"""Adopt payment pages that are open at Stripe and whose orders a restored backup does not have.

Without their holds the units would be sold again, and both customers could pay.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from checkout import gateway
from checkout.models import Order
from checkout.orders.external_orders import hold_units, insert_order, own_order_id
from checkout.orders.sold_lines import order_lines, read_products
from checkout.stripe_objects import CheckoutSession
from config.stripe_client import InvalidRequest, ReadOnly

logger = logging.getLogger(__name__)


@dataclass
class Adoption:
    """`adopted`: orders that hold their units again. `ended`: ids of sessions whose units are gone."""

    adopted: list[Order] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


def adopt_open_sessions(*, since: datetime) -> Adoption:
    """Hold the units of this shop's open sessions of unknown orders, or end the session. Raises StripeCallError."""
    adoption = Adoption()
    for session in gateway.iter_sessions(since=since, status="open"):
        order_id = own_order_id(session)
        if order_id is None or Order.objects.filter(Q(id=order_id) | Q(session_id=session.id)).exists():
            continue
        order = _adopt(session, order_id)
        if order is not None:
            logger.info("Order %s is adopted: its payment page is open at Stripe.", order.number)
            adoption.adopted.append(order)
            continue
        try:
            gateway.expire_session(session.id)
        except InvalidRequest:
            continue  # It was paid or has expired meanwhile, which its event tells.
        except ReadOnly:
            pass  # A rehearsal: a real restore would end it.
        logger.warning("Session %s is ended: its units are no longer there.", session.id)
        adoption.ended.append(session.id)
    return adoption


def _adopt(session: CheckoutSession, order_id: UUID) -> Order | None:
    # The order with its hold; None if units are missing, or a size is no longer known.
    session_lines = gateway.session_lines(session.id)
    products = read_products(session_lines, session.metadata)
    order = Order(
        id=order_id,
        session_id=session.id,
        session_url=session.url,
        expires_at=session.expires_at,
        currency=session.currency,
    )
    lines = order_lines(order, session, session_lines, products)
    try:
        with transaction.atomic():
            insert_order(order, lines, session)
            if not hold_units(order, lines):
                transaction.set_rollback(True)
                return None
    except IntegrityError:
        return None
    return order
