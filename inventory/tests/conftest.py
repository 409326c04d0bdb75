"""Nouns for the tests of stock: a shirt at Stripe, the same shirt in the shop, and ways to say what happens to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from inventory.models import StockItem
from inventory.tests.shirt import Shirt

if TYPE_CHECKING:
    from fake_stripe import FakeStripe


@pytest.fixture
def new_shirt(fake: FakeStripe, db: None) -> Callable[..., Shirt]:
    """A shirt at Stripe that the shop has not read yet: `new_shirt(S=10, M=15)`."""

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
    """10 in S, 15 in M, 5 in L; read by the shop, and marked at Stripe."""
    shirt = new_shirt(S=10, M=15, L=5)
    shirt.sync()
    return shirt


@pytest.fixture
def medium(shirt: Shirt) -> StockItem:
    return shirt.item("M")
