"""Create orders for paid sessions that the database does not know: payment links, invoice pages, an older site, agents.

The lines are read from Stripe once. The order's id is derived from the session's, so reading it again creates no second
order, even after the database was restored from a backup. An order of this shop that a restored database has lost gets
its id back, which customers know as its number.
"""

from __future__ import annotations

import logging
from collections import Counter
from uuid import NAMESPACE_URL, UUID, uuid5

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as _

from checkout import gateway
from checkout.models import Order, OrderLine
from checkout.orders.sold_lines import order_lines, read_products, resolve_references
from checkout.stripe_objects import CheckoutSession, SessionLine
from config.stripe_client import InvalidRequest, NotFound, PermissionDenied
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue
from inventory.stock import ledger
from inventory.stock.ledger import InsufficientStock

logger = logging.getLogger(__name__)

NO_SIZE_GIVEN = _(
    "%(quantity)d × %(name)s were sold outside the shop, without a size. Open the order and choose the size."
)
OTHER_SIZE_GIVEN = _(
    "%(quantity)d × %(name)s were sold outside the shop, in the unknown size “%(size)s”. "
    "Open the order and choose the size."
)
# All such sales are in one issue: an account that sells other things as well must not be flooded.
UNKNOWN_GOODS = "outside the shop"
NOTHING_KNOWN = _(
    "Order %(order)s: %(lines)s. Nothing tells which size of which product this was, so nothing is counted. "
    "If it was one of yours, open the order and choose it."
)
NO_REFERENCES = _(
    "Order %(order)s: if an agent sold it, Stripe does not tell this account what the agent's catalog calls it: %(error)s"
)


def create_external_order(session: CheckoutSession) -> Order | None:
    """Return the order of a completed session that this shop did not open. None if it sold nothing that is counted.

    Raises inbox.NeedsStripeAccess in the worker task that must not call Stripe, and StripeCallError.
    """
    if session.status != "complete":
        return None
    if session.mode == "setup":
        logger.info("Session %s is of mode setup and sold no goods.", session.id)
        return None
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    session_lines, refusal = gateway.session_lines(session.id), ""
    products = read_products(session_lines, session.metadata)
    own_id = own_order_id(session)
    order = Order(
        id=own_id or uuid5(NAMESPACE_URL, f"https://api.stripe.com/v1/checkout/sessions/{session.id}"),
        session_id=session.id,
        is_external=own_id is None,
        currency=session.currency,
        expires_at=session.expires_at,
    )
    lines = order_lines(order, session, session_lines, products)
    if session.mode == "payment" and not _has_goods(lines):
        session_lines, refusal = _lines_of_agents(session, session_lines)
        products |= read_products(session_lines, {})
        lines = order_lines(order, session, session_lines, products)
    is_known = all(line.product for line in lines) and not refusal
    if not _has_goods(lines) and (is_known or session.mode != "payment"):
        logger.info("Session %s sold nothing that is counted here.", session.id)
        return None
    return _insert(order, lines, refusal, session)


def own_order_id(session: CheckoutSession) -> UUID | None:
    """The id of the order for which this shop opened the session. None if another program opened it."""
    # Another shop of the same account has sessions of its own, which are not ours to hold or to end.
    if not session.success_url.startswith(f"{settings.SITE_URL}/"):
        return None
    try:
        return UUID(session.metadata.get("order", ""))
    except ValueError:
        return None


def _lines_of_agents(
    session: CheckoutSession, session_lines: list[SessionLine]
) -> tuple[list[SessionLine], str]:
    # The lines as an agent's catalog names them, or the lines as they are and why Stripe does not tell.
    try:
        return resolve_references(gateway.session_lines_of_agents(session.id)), ""
    except NotFound:
        raise
    except (InvalidRequest, PermissionDenied) as exc:
        logger.warning("Session %s: references are not readable: %s", session.id, exc)
        return session_lines, str(exc)


def _has_goods(lines: list[OrderLine]) -> bool:
    return any(line.item or line.needs_size for line in lines)


def insert_order(order: Order, lines: list[OrderLine], session: CheckoutSession) -> None:
    order.save(force_insert=True)
    if session.created_at:
        # An order is as old as its session.
        order.created_at = session.created_at
        order.save(update_fields=["created_at"])
    OrderLine.objects.bulk_create(lines)


def _insert(order: Order, lines: list[OrderLine], refusal: str, session: CheckoutSession) -> Order:
    try:
        with transaction.atomic():
            insert_order(order, lines, session)
            if not order.is_external and session.is_awaiting_payment:
                hold_units(order, lines)
            ask_for_sizes(order, lines)
            _report_unknown(order, lines, refusal)
    except IntegrityError:
        # Another process inserted the same order first.
        return Order.objects.get(session_id=order.session_id)
    return order


def hold_units(order: Order, lines: list[OrderLine]) -> bool:
    """Hold the units of an order that was lost. False if there are not enough, or a size is no longer known."""
    demand: Counter[int] = Counter()
    for line in lines:
        if line.item_id is None:
            return False
        demand[line.item_id] += line.quantity
    try:
        with transaction.atomic():
            ledger.hold(order.reference, demand)
            # As if it had a cart of its own: its units are held by this database.
            order.cart_token = f"lost-{order.pk.hex}"
            order.save(update_fields=["cart_token"])
    except InsufficientStock:
        return False
    return True


def ask_for_sizes(order: Order, lines: list[OrderLine]) -> None:
    for line in lines:
        if line.needs_size:
            sentence = OTHER_SIZE_GIVEN if line.size else NO_SIZE_GIVEN
            issues.open_issue(
                Issue.Kind.NEEDS_SIZE,
                order.number,
                sentence,
                quantity=line.quantity,
                name=line.name,
                size=line.size,
            )


def _report_unknown(order: Order, lines: list[OrderLine], refusal: str) -> None:
    # Beside goods that are known, a line of nothing known is a charge, such as one for the delivery; not so if the
    # catalog of an agent has it.
    has_goods = _has_goods(lines)
    unknown = [line for line in lines if not line.product and (line.external_reference or not has_goods)]
    if unknown:
        texts = [
            f"{line} ({line.external_reference})" if line.external_reference else str(line)
            for line in unknown
        ]
        issues.open_issue(
            Issue.Kind.UNKNOWN_SALE,
            UNKNOWN_GOODS,
            NOTHING_KNOWN,
            order=order.number,
            lines="; ".join(texts),
        )
    if refusal:
        issues.open_issue(
            Issue.Kind.UNKNOWN_SALE, UNKNOWN_GOODS, NO_REFERENCES, order=order.number, error=refusal
        )
