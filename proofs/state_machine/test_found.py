"""Which schedules broke a promise once? The shortest form of each, so that none of them does again."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from inventory import worker
from inventory.models import Case, Movement
from proofs.state_machine.schedule import empty_database
from proofs.state_machine.world import SHIRT, World


@pytest.fixture
def world(transactional_db: None) -> Iterator[World]:
    """A shop that has read its two products and written its first marks; nothing goes wrong by itself."""
    with World(Random(1), empty_database()) as world:
        worker.drain()
        yield world


def _count(world: World, key: str) -> str:
    return str(world.fake.products[SHIRT]["metadata"][key])


def test_an_edit_whose_event_was_lost_before_the_first_worker_ever_listed_events_is_counted(
    world: World,
) -> None:
    """Imported, edited at Stripe while no event could arrive, and only an hour later does a worker start."""
    world.fake.faults.add("drop", times=1, types=("product.updated",))
    world.fake.dashboard.edit_product(SHIRT, metadata={"stock_S": "77"})
    world.fake.forward(3600)

    worker.start()
    worker.drain(hourly=True)

    assert _count(world, "stock_S") == "77"


def test_a_sale_of_another_door_in_the_second_of_the_first_look_is_counted_or_told(
    transactional_db: None,
) -> None:
    """Stripe counts whole seconds: paid a moment after the look, it seems to have been paid before it."""
    with World(Random(1), empty_database(), head_start=0) as world:
        while not world.books.elsewhere:
            world.customers.buy_elsewhere(Random(5))
        world.fake.forward(60)
        world.deliver()
        worker.drain(hourly=True)

        assert Movement.objects.filter(kind="sale").exists() or Case.objects.exists()
