"""Fixtures of the stock tests: a shirt at Stripe, and the same shirt synced to the shop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db.models import F

from inventory.models import StockItem
from inventory.tests.factories import Shirt

if TYPE_CHECKING:
    from fake_stripe import FakeStripe


@pytest.fixture
def new_shirt(fake: FakeStripe, db: None) -> Callable[..., Shirt]:
    """A shirt at Stripe that the shop has not synced yet: `new_shirt(S=10, M=15)`."""

    def make(product_id: str = "prod_shirt", **counts: int | str) -> Shirt:
        stock = {f"stock_{size}": str(count) for size, count in counts.items()}
        fake.add_product(
            id=product_id,
            name="BALM T-Shirt",
            metadata={"category": "art", "sizes": ",".join(counts), **stock},
            prices=[{"unit_amount": 2500, "currency": "usd", "default": True}],
        )
        return Shirt(fake, product_id)

    return make


@pytest.fixture
def shirt(new_shirt: Callable[..., Shirt]) -> Shirt:
    """10 in S, 15 in M, 5 in L; synced and tagged at Stripe, opened a minute ago."""
    shirt = new_shirt(S=10, M=15, L=5)
    shirt.sync()
    StockItem.objects.update(opened_at=F("opened_at") - timedelta(minutes=1))
    return shirt


@pytest.fixture
def medium(shirt: Shirt) -> StockItem:
    return shirt.item("M")
