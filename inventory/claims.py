"""Who works on a product now? A claim with a lease, by the database's clock, so that hosts need not agree on theirs.

The lease saves work: two workers do not read and write the same product. Safety does not rest on it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now

from inventory.models import ProductStock

LEASE = timedelta(seconds=60)
LONGER_THAN_ANY_WAIT = timedelta(minutes=20)


@dataclass(frozen=True)
class Claim:
    product_id: str
    holder: str

    def is_ours(self, stock: ProductStock) -> bool:
        """Does the locked row still name us? A worker that slept past its lease finds another name there."""
        return stock.lease_holder == self.holder

    def renew(self) -> bool:
        """Begin the lease anew; False if somebody else has taken the product over."""
        ours = ProductStock.objects.filter(pk=self.product_id, lease_holder=self.holder)
        return bool(ours.update(lease_until=Now() + LEASE))


def free() -> Q:
    """The rows (products, events) that nobody works on. No lease is so long that it ends beyond LONGER_THAN_ANY_WAIT:
    such a one was taken by a clock since set back."""
    never, over = Q(lease_until=None), Q(lease_until__lt=Now())
    return never | over | Q(lease_until__gt=Now() + LONGER_THAN_ANY_WAIT)


def due(column: str, now: datetime, *, longest: timedelta = LONGER_THAN_ANY_WAIT) -> Q:
    """The rows whose wait is over. What seems to wait for `longest` or more was put off by a clock since set back."""
    never, over = Q(**{column: None}), Q(**{f"{column}__lte": now})
    return never | over | Q(**{f"{column}__gt": now + longest})


@contextmanager
def claimed(product_id: str) -> Iterator[Claim | None]:
    """Work on a product alone for the length of the block; None if somebody else does."""
    claim = Claim(product_id, secrets.token_hex(8))
    taken = ProductStock.objects.filter(free(), pk=product_id).update(
        lease_until=Now() + LEASE, lease_holder=claim.holder
    )
    if not taken:
        yield None
        return
    try:
        yield claim
    finally:
        ProductStock.objects.filter(pk=product_id, lease_holder=claim.holder).update(
            lease_until=None, lease_holder=""
        )
