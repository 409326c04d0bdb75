"""Pages, structured data, JSON catalog and feeds say the same of each size at every moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone

from inventory.models import StockItem
from inventory.stock import ledger
from inventory.stripe_sync import refresh
from inventory.tests.factories import Shirt
from shop.tests.channels import assert_channels_agree

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db


@pytest.fixture
def shirt(fake: FakeStripe) -> Shirt:
    """One unit of S, two of M, L not tracked and more expensive, XL without a count; and a poster without sizes."""
    image = ["https://cdn.example/1.jpg"]
    counts = {"stock_S": "1", "stock_M": "2", "stock_L": "unlimited"}
    fake.add_product(
        id="prod_shirt",
        name="BALM T-Shirt",
        images=image,
        metadata={"category": "art", "sizes": "S,M,L,XL", **counts},
        prices=[
            {"unit_amount": 2500, "currency": "usd", "default": True},
            {"unit_amount": 2800, "currency": "usd", "metadata": {"size": "L"}},
        ],
    )
    fake.add_product(
        id="prod_poster",
        name="Poster",
        images=image,
        metadata={"stock": "1"},
        prices=[{"unit_amount": 900, "currency": "usd", "default": True}],
    )
    shirt = Shirt(fake, "prod_shirt")
    shirt.sync()
    Shirt(fake, "prod_poster").sync()
    return shirt


@pytest.fixture
def available(client: Client) -> Callable[[], str]:
    """The sizes that every channel calls available, such as "S M L poster"."""

    def sizes() -> str:
        said = assert_channels_agree(client)
        assert {key: price for key, (_is_available, price) in said.items()} == {
            ("prod_shirt", "S"): "25.00",
            ("prod_shirt", "M"): "25.00",
            ("prod_shirt", "L"): "28.00",
            ("prod_shirt", "XL"): "25.00",
            ("prod_poster", ""): "9.00",
        }
        order = ["S", "M", "L", "XL", ""]
        names = sorted(
            (size for (_id, size), (is_available, _price) in said.items() if is_available), key=order.index
        )
        return " ".join(name or "poster" for name in names)

    return sizes


def test_channels_agree_through_holds_sales_edits_and_outages(
    shirt: Shirt, available: Callable[[], str]
) -> None:
    assert available() == "S M L poster"

    ledger.hold("order:1", {shirt.item("S").pk: 1, shirt.item("M").pk: 1})
    assert available() == "M L poster"

    ledger.release("order:1")
    assert available() == "S M L poster"

    poster = StockItem.objects.get(product="prod_poster")
    ledger.sell(
        ["order:2"],
        [ledger.SaleLine(reference="order:2:0", item_id=poster.pk, quantity=1)],
        now=timezone.now(),
    )
    shirt.sell("M", 2)
    assert available() == "S L"

    shirt.fake.faults.add("error_500", path="/v1/*", when="before", times=None)
    shirt.sell("S", 1)
    assert available() == "L"
    shirt.fake.faults.clear()
    shirt.settle()
    assert available() == "L"

    shirt.edit(S="4", M="a few", L="0", XL="3")
    shirt.settle()
    refresh.refresh_product("prod_shirt")
    assert available() == "S XL"


def test_oversold_units_are_available_nowhere(shirt: Shirt, available: Callable[[], str]) -> None:
    shirt.sell("S", 5)

    assert available() == "M L poster"
