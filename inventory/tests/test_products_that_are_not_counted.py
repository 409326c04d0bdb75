"""Products that are only a link, such as an album to listen to, have no count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inventory.models import StockItem
from inventory.stripe_sync import refresh

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db
ALBUM = {"category": "music", "streamUrl": "https://music.example/slow-weather"}


def test_a_link_without_a_price_has_nothing_to_count_and_no_problem(fake: FakeStripe) -> None:
    fake.add_product(id="prod_album", name="Slow Weather", metadata=ALBUM)

    refresh.refresh_product("prod_album")

    assert not StockItem.objects.exists()


def test_an_album_that_is_sold_as_well_must_say_how_many_there_are(fake: FakeStripe) -> None:
    price = {"unit_amount": 1800, "currency": "usd", "default": True}
    fake.add_product(id="prod_album", name="Slow Weather", metadata=ALBUM, prices=[price])

    refresh.refresh_product("prod_album")

    item = StockItem.objects.get()
    assert (item.state, item.problem) == ("unknown", "stock is missing.")
