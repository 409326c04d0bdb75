"""Adopt what the customer changed on Stripe's page: lines that were added, quantities, and the currency.

Owners switch on cross-sells and optional items in Stripe's Dashboard, for all eligible sessions at once.
https://docs.stripe.com/payments/checkout/cross-sells
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext_noop as _

from checkout import gateway
from checkout.models import Order, OrderLine
from checkout.orders.sold_lines import order_lines, read_products
from checkout.stripe_objects import CheckoutSession, SessionLine
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue

logger = logging.getLogger(__name__)

ADDED_WITHOUT_SIZE = _(
    "%(quantity)d × %(name)s were added on Stripe's page, which does not ask for a size. "
    "Open the order and choose the size."
)


# Stripe may have charged another currency of the same price, or another amount: only the amount in a price's own currency
# never changes.
CHANGEABLE = ("quantity", "unit_amount", "currency")


@dataclass(frozen=True)
class LineChanges:
    """`added`: lines to insert. `changed`: lines of the order with other values than before, by `CHANGEABLE`."""

    added: list[OrderLine] = field(default_factory=list)
    changed: list[OrderLine] = field(default_factory=list)


def find_changes(order: Order, session: CheckoutSession) -> LineChanges:
    """What the session sold otherwise than our order says. Empty if the order is paid already.

    Reads the session's lines only where its subtotal is not the order's. Raises inbox.NeedsStripeAccess and
    StripeCallError.
    """
    if order.is_external or order.state in {Order.State.PAID, Order.State.REFUNDED}:
        return LineChanges()
    if order.has_subtotal(session.subtotal, session.currency):
        return LineChanges()
    own = list(order.lines.all())
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    lines = gateway.session_lines(session.id) if session.lines is None else session.lines
    new, pairs = match_lines(own, lines)
    # The session's metadata lists our own lines.
    products = read_products(new, {})
    position = max(line.position for line in own) + 1 if own else 0
    added = order_lines(order, replace(session, metadata={}), new, products, first_position=position)
    for line in added:
        line.added_at_stripe = True
    changed = []
    for own_line, other in pairs:
        before = [getattr(own_line, name) for name in CHANGEABLE]
        own_line.quantity = other.quantity
        if other.currency and other.currency != own_line.amount_currency:
            own_line.unit_amount, own_line.currency = other.unit_amount, other.currency
        elif other.unit_amount is not None:
            own_line.unit_amount = other.unit_amount
        if before != [getattr(own_line, name) for name in CHANGEABLE]:
            changed.append(own_line)
    return LineChanges(added, changed)


def match_lines(
    own: Sequence[OrderLine], lines: Sequence[SessionLine]
) -> tuple[list[SessionLine], list[tuple[OrderLine, SessionLine]]]:
    """The session's lines that are not ours, and our lines with those that are theirs at Stripe."""
    unmatched, left, pairs = list(own), list(lines), list[tuple[OrderLine, SessionLine]]()
    for likeness in (4, 3, 2, 1):
        for line in list(unmatched):
            other = next((other for other in left if _likeness(line, other) == likeness), None)
            if other is not None:
                unmatched.remove(line)
                left.remove(other)
                pairs.append((line, other))
    return left, pairs


def _likeness(line: OrderLine, other: SessionLine) -> int:
    # How sure it is that Stripe's line is ours, from 0 (not ours) to 4.
    # Ours have size and color in their metadata, which Stripe keeps since 2025-12-15.clover.
    told = (other.metadata.get("size", ""), other.metadata.get("color", ""))
    is_other_size = bool(other.metadata) and told != (line.size, line.color)
    if other.price_id != line.price_id or is_other_size or other.quantity < 1:
        return 0
    return 1 + 2 * bool(other.metadata) + (other.quantity == line.quantity)


def adopt(order: Order, changes: LineChanges) -> None:
    """Save the changes, in the transaction that marks the order as paid."""
    OrderLine.objects.bulk_create(changes.added)
    for line in changes.changed:
        line.save(update_fields=CHANGEABLE)
    for line in changes.added:
        logger.info("Order %s: %s was added on Stripe's page.", order.number, line)
        if line.needs_size:
            issues.open_issue(
                Issue.Kind.NEEDS_SIZE,
                order.number,
                ADDED_WITHOUT_SIZE,
                quantity=line.quantity,
                name=line.name,
            )
