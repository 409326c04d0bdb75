"""Leases on products, measured by the database's clock so that hosts need not agree on the time.

A lease saves work, since two workers do not process the same product. Correctness does not depend on it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now

from inventory.models import ProductSync

LEASE_DURATION = timedelta(seconds=60)
MAX_WAIT = timedelta(minutes=20)


@dataclass(frozen=True)
class Lease:
    """A lease that was taken. It may have expired since and been taken over: then `holder` differs from the row's."""

    product_id: str
    holder: str

    def renew(self) -> bool:
        # False if another worker has taken it over.
        own_row = ProductSync.objects.filter(pk=self.product_id, lease_holder=self.holder)
        return bool(own_row.update(lease_until=Now() + LEASE_DURATION))


def lease_free() -> Q:
    # Leases further ahead than MAX_WAIT are ignored: the clock has been set back since they were taken.
    unset, expired = Q(lease_until=None), Q(lease_until__lt=Now())
    return unset | expired | Q(lease_until__gt=Now() + MAX_WAIT)


def is_due(column: str, now: datetime, *, longest: timedelta = MAX_WAIT) -> Q:
    """Filter for rows whose `column` has passed. Times beyond `longest` are ignored: the clock was set back since."""
    unset, passed = Q(**{column: None}), Q(**{f"{column}__lte": now})
    return unset | passed | Q(**{f"{column}__gt": now + longest})


@contextmanager
def lease(product_id: str) -> Iterator[Lease | None]:
    """Lease the product for the block; yields None if another worker has the lease."""
    own_lease = Lease(product_id, secrets.token_hex(8))
    taken = ProductSync.objects.filter(lease_free(), pk=product_id).update(
        lease_until=Now() + LEASE_DURATION, lease_holder=own_lease.holder
    )
    if not taken:
        yield None
        return
    try:
        yield own_lease
    finally:
        ProductSync.objects.filter(pk=product_id, lease_holder=own_lease.holder).update(
            lease_until=None, lease_holder=""
        )
