"""Locks of a product's rows, until the transaction ends.

Order everywhere: the product's row in ProductSync first, then its items by primary key.
"""

from __future__ import annotations

from config.kept_queries import KeptQuery
from inventory.models import ProductSync, StockItem

_SYNC = KeptQuery(lambda product_id: ProductSync.objects.filter(pk=product_id).select_for_update())
_ITEMS = KeptQuery(
    lambda product_id: StockItem.objects.filter(product=product_id).select_for_update().order_by("pk")
)


def lock_sync(product_id: str) -> ProductSync:
    """Raises ProductSync.DoesNotExist."""
    return _SYNC.get(product_id)


def lock_known_sync(product_id: str) -> ProductSync | None:
    """None if the product was never read."""
    return _SYNC.first(product_id)


def lock_items(product_id: str) -> list[StockItem]:
    return _ITEMS.all(product_id)
