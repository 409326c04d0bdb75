"""Make order lines of the lines of a session: find what each sold, and which of our stock items that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from checkout.models import Order, OrderLine
from checkout.orders.product_detection import named_products, products_sold
from checkout.orders.size_detection import SessionLineFacts, SoldUnits, matching_size, sizes_sold
from checkout.stripe_objects import CheckoutSession, SessionLine
from inventory.models import ProductSync, StockItem
from inventory.stripe_sync import refresh
from shop.models import Product

COUNT_KEYS = ("sizes", "stock")


def read_products(lines: Sequence[SessionLine], session_metadata: Mapping[str, str]) -> dict[str, Product]:
    """The products that the lines belong to or name, by id. Those that were never read are fetched from Stripe."""
    ids = {line.product_id for line in lines if line.product_id} | named_products(lines, session_metadata)
    # Checked by ProductSync: a process that crashed during a refresh leaves a product without its stock items.
    for product_id in ids - set(ProductSync.objects.filter(pk__in=ids).values_list("pk", flat=True)):
        refresh.refresh_product(product_id)
    return Product.objects.prefetch_related("stock_items").in_bulk(list(ids))


def is_counted(product: Product) -> bool:
    """Whether its metadata names sizes or stock, or did so before. Products of tests and other businesses do not.

    The only key of a product without sizes may be missing for a while, but its ledger goes on.
    """
    has_keys = any(key.casefold().startswith(COUNT_KEYS) for key in product.metadata)
    return has_keys or any(item.on_hand is not None for item in product.stock_items.all())


def resolve_references(lines: Sequence[SessionLine]) -> list[SessionLine]:
    """The lines with product and size where an agent's catalog calls the line's article by a name of ours.

    Such a name is a size's id in our feeds or its `sku_<size>`, or a product's `sku` or id, which leaves the size open
    if it has several.
    """
    named: dict[str, set[tuple[str, str]]] = {line.reference: set() for line in lines if line.reference}
    for product in Product.objects.filter(deleted=False).prefetch_related("stock_items") if named else ():
        for name in (product.pk, product.metadata.get("sku")):
            if name in named:
                named[name].add((product.pk, ""))
        for item in product.stock_items.all():
            for name in (item.catalog_id, product.metadata.get(f"sku_{item.size}")):
                if name in named:
                    named[name].add((product.pk, item.size))
    resolved = []
    for line in lines:
        meant = named.get(line.reference, set())
        if len(meant) == 1:
            product_id, size = next(iter(meant))
            metadata = {**line.metadata, "size": size} if size else line.metadata
            line = replace(line, product_id=product_id, metadata=metadata)
        resolved.append(line)
    return resolved


def order_lines(
    order: Order,
    session: CheckoutSession,
    session_lines: Sequence[SessionLine],
    products: Mapping[str, Product],
    *,
    first_position: int = 0,
) -> list[OrderLine]:
    """The lines of an order, not saved. `products`: those of `read_products`.

    A line that sold nothing we know has no product and no item. What is paid repeatedly is not taken from stock.
    """
    counted = [product_id for product_id, product in products.items() if is_counted(product)]
    product_ids = products_sold(session_lines, session.metadata, counted)
    facts = [
        SessionLineFacts(
            product_id or line.product_id,
            line.quantity,
            line.metadata,
            line.price_metadata,
            has_sizes=bool(product_id and products[product_id].sizes),
        )
        for product_id, line in zip(product_ids, session_lines, strict=True)
    ]
    return [
        _order_line(order, first_position + number, units, session_lines[units.line], products)
        for number, units in enumerate(sizes_sold(facts, session.metadata, session.custom_fields))
        if units.quantity > 0
    ]


def _order_line(
    order: Order, position: int, sold: SoldUnits, line: SessionLine, products: Mapping[str, Product]
) -> OrderLine:
    product = products.get(sold.product_id)
    is_stock = product is not None and is_counted(product) and not line.is_recurring
    item: StockItem | None = None
    if product and is_stock:
        items = {item.size: item for item in product.stock_items.all() if item.is_listed}
        if not product.sizes:
            item = items.get("")
        elif sold.names:
            item = items.get(matching_size(sold.names, items) or "")
        elif len(items) == 1:
            (item,) = items.values()  # There is nothing to ask.
    if product and not is_stock and (line.reference or not product.active):
        product = None  # Stripe made it for this session: for an inline price, or for an agent.
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
        currency=line.currency or order.currency,
        price_id=line.price_id,
        external_reference=line.reference,
        needs_size=is_stock and item is None,
    )
