"""Create orders for paid sessions that this shop did not open: payment links, invoice pages, an older site.

The lines are read from Stripe once. The order's id is derived from the session's, so reading it again creates no second
order, even after the database was restored from a backup.
"""

from __future__ import annotations

import logging
from uuid import NAMESPACE_URL, uuid5

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as _

from checkout import gateway
from checkout.models import Order, OrderLine
from checkout.orders.size_detection import SessionLineFacts, SoldUnits, matching_size, sizes_sold
from checkout.stripe_objects import CheckoutSession, SessionLine
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue, ProductSync, StockItem
from inventory.stripe_sync import refresh
from shop.models import Product

logger = logging.getLogger(__name__)

NO_SIZE_GIVEN = _(
    "%(quantity)d × %(name)s were sold outside the shop, without a size. Open the order and choose the size."
)
OTHER_SIZE_GIVEN = _(
    "%(quantity)d × %(name)s were sold outside the shop, in the unknown size “%(size)s”. "
    "Open the order and choose the size."
)
COUNT_KEYS = ("sizes", "stock")
MODES_WITHOUT_GOODS = {"subscription", "setup"}


def create_external_order(session: CheckoutSession) -> Order | None:
    """Return the order of a completed session that this shop did not open. None if it sold nothing that is counted.

    Raises inbox.NeedsStripeAccess in the worker task that must not call Stripe, and StripeCallError.
    """
    if session.status != "complete":
        return None
    if session.mode in MODES_WITHOUT_GOODS:
        logger.info("Session %s is of mode %s and sold no goods.", session.id, session.mode)
        return None
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    session_lines = gateway.session_lines(session.id)
    ids = {line.product_id for line in session_lines if line.product_id}
    # Checked by ProductSync: a process that crashed during a refresh leaves a product without its stock items.
    for product_id in ids - set(ProductSync.objects.filter(pk__in=ids).values_list("pk", flat=True)):
        refresh.refresh_product(product_id)
    products = Product.objects.prefetch_related("stock_items").in_bulk(list(ids))
    if not any(_is_counted(product) for product in products.values()):
        logger.info("Session %s sold nothing that is counted here.", session.id)
        return None
    return _insert_order(session, session_lines, products)


def _is_counted(product: Product) -> bool:
    """Whether its metadata names sizes or stock, or did so before. Products of tests and other businesses do not.

    The only key of a product without sizes may be missing for a while, but its ledger goes on.
    """
    has_keys = any(key.casefold().startswith(COUNT_KEYS) for key in product.metadata)
    return has_keys or any(item.on_hand is not None for item in product.stock_items.all())


def _order_lines(
    order: Order, session: CheckoutSession, session_lines: list[SessionLine], products: dict[str, Product]
) -> list[OrderLine]:
    facts = [
        SessionLineFacts(
            line.product_id,
            line.quantity,
            line.metadata,
            line.price_metadata,
            has_sizes=line.product_id in products and bool(products[line.product_id].sizes),
        )
        for line in session_lines
    ]
    sold = sizes_sold(facts, session.metadata, session.custom_fields)
    return [
        _order_line(order, position, units, session_lines[units.line], products.get(units.product_id))
        for position, units in enumerate(sold)
        if units.quantity > 0
    ]


def _order_line(
    order: Order, position: int, sold: SoldUnits, line: SessionLine, product: Product | None
) -> OrderLine:
    item: StockItem | None = None
    if product:
        items = {item.size: item for item in product.stock_items.all() if item.is_listed}
        if not product.sizes:
            item = items.get("")
        elif sold.names:
            item = items.get(matching_size(sold.names, items) or "")
        elif len(items) == 1:
            (item,) = items.values()  # There is nothing to ask.
    size = item.size if item else " / ".join(sold.names)
    return OrderLine(
        order=order,
        position=position,
        product=product,
        item=item,
        name=(product.name if product else line.description) or line.product_id,
        size=size[:500],
        color=(line.metadata.get("color") or line.metadata.get("colour") or "")[:500],
        quantity=sold.quantity,
        unit_amount=line.unit_amount,
        price_id=line.price_id,
        needs_size=bool(product and item is None and _is_counted(product)),
    )


def _insert_order(
    session: CheckoutSession, session_lines: list[SessionLine], products: dict[str, Product]
) -> Order:
    order = Order(
        id=uuid5(NAMESPACE_URL, f"https://api.stripe.com/v1/checkout/sessions/{session.id}"),
        session_id=session.id,
        is_external=True,
        currency=session.currency,
        expires_at=session.expires_at,
    )
    lines = _order_lines(order, session, session_lines, products)
    try:
        with transaction.atomic():
            order.save(force_insert=True)
            OrderLine.objects.bulk_create(lines)
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
    except IntegrityError:
        # Another process inserted the same order first.
        return Order.objects.get(session_id=session.id)
    return order
