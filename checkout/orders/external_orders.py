"""What was sold in a session that this shop did not open? A payment link, an invoice page, an older site.

Its lines are read from Stripe once and become an order here, under an id that is made of the session's, so
that reading it again, even by a database restored from a backup, makes no second one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as _

from checkout import gateway
from checkout.gateway import CheckoutSession, SessionLine
from checkout.models import Order, OrderLine
from checkout.orders.size_detection import SessionLineFacts, SoldUnits, matching_size, sizes_sold
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue, ProductSync, StockItem
from inventory.stripe_sync import refresh
from shop.models import Product

logger = logging.getLogger(__name__)

NO_SIZE_GIVEN = _(
    "%(quantity)d × %(name)s were sold outside this shop. It does not say which size. "
    "Open the order and choose the size."
)
OTHER_SIZE_GIVEN = _(
    "%(quantity)d × %(name)s were sold outside this shop. It says “%(size)s”. "
    "Open the order and choose the size."
)
COUNT_KEYS = ("sizes", "stock")
NO_GOODS = {"subscription", "setup"}


def create_external_order(session: CheckoutSession) -> Order | None:
    """Make the order that a completed foreign session stands for, or find it; None if it sold nothing counted.

    Raises inbox.NeedsStripe in the duty that must not ask Stripe, and StripeCallError.
    """
    if session.status != "complete":
        return None
    if session.mode in NO_GOODS:
        logger.info("Session %s is of mode %s: nothing from the shelf.", session.id, session.mode)
        return None
    if not inbox.stripe_calls_allowed():
        raise inbox.NeedsStripeAccess
    lines = gateway.session_lines(session.id)
    products = _products(lines)
    if not any(_is_counted(product) for product in products.values()):
        logger.info("Session %s sold nothing that is counted here.", session.id)
        return None
    order = Order(
        id=_order_id(session),
        session_id=session.id,
        is_external=True,
        currency=session.currency,
        expires_at=session.expires_at,
    )
    return _insert_order(order, _order_lines(order, session, lines, products))


def _insert_order(order: Order, lines: list[OrderLine]) -> Order:
    try:
        with transaction.atomic():
            order.save(force_insert=True)
            OrderLine.objects.bulk_create(lines)
            for line in lines:
                if line.needs_size:
                    _ask_for_the_size(order, line)
    except IntegrityError:
        # Another process was quicker; what it wrote is the same.
        return Order.objects.get(session_id=order.session_id)
    return order


def _order_id(session: CheckoutSession) -> UUID:
    return uuid5(NAMESPACE_URL, f"https://api.stripe.com/v1/checkout/sessions/{session.id}")


def _products(lines: list[SessionLine]) -> dict[str, Product]:
    """The products of the lines; one that was not looked at to the end yet is read."""
    ids = {line.product_id for line in lines if line.product_id}
    # By their desks: a process that died in between has left a product without its sizes.
    for product_id in ids - set(ProductSync.objects.filter(pk__in=ids).values_list("pk", flat=True)):
        refresh.refresh_product(product_id)
    return Product.objects.prefetch_related("stock_items").in_bulk(list(ids))


def _is_counted(product: Product) -> bool:
    """Does it say anything of sizes or stock, or did it once? What a mere test or another business sells is not ours.

    The one key of a product without sizes may be gone for a while; its ledger is there, and counts on.
    """
    says = any(key.casefold().startswith(COUNT_KEYS) for key in product.metadata)
    return says or any(item.on_hand is not None for item in product.stock_items.all())


def _order_lines(
    order: Order, session: CheckoutSession, lines: list[SessionLine], products: Mapping[str, Product]
) -> list[OrderLine]:
    seen = [_as_line(line, products.get(line.product_id)) for line in lines]
    sold = sizes_sold(seen, session.metadata, session.custom_fields)
    return [
        _order_line(order, place, part, lines[part.line], products.get(part.product_id))
        for place, part in enumerate(sold)
        if part.quantity > 0
    ]


def _as_line(line: SessionLine, product: Product | None) -> SessionLineFacts:
    has_sizes = bool(product and product.sizes)
    return SessionLineFacts(line.product_id, line.quantity, line.metadata, line.price_metadata, has_sizes)


def _order_line(
    order: Order, place: int, sold: SoldUnits, line: SessionLine, product: Product | None
) -> OrderLine:
    item = _item_of(product, sold.size) if product else None
    size = item.size if item else sold.size or ""
    return OrderLine(
        order=order,
        position=place,
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


def _item_of(product: Product, size: str | None) -> StockItem | None:
    """The stock item of `size`; a product that comes in one size only needs none."""
    items = {item.size: item for item in product.stock_items.all() if item.is_listed}
    if not product.sizes:
        return items.get("")
    found = matching_size(size, items) if size else None
    return items[found] if found is not None else None


def _ask_for_the_size(order: Order, line: OrderLine) -> None:
    sentence = OTHER_SIZE_GIVEN if line.size else NO_SIZE_GIVEN
    issues.open_issue(
        Issue.Kind.NEEDS_SIZE, order.number, sentence, quantity=line.quantity, name=line.name, size=line.size
    )
