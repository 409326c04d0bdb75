"""Regression tests for the schedules that once broke an invariant, each in its shortest form."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from checkout.models import Order, OrderLine
from checkout.orders.assign_size import assign_size
from checkout.recovery import backfill
from checkout.recovery.reconcile import reconcile
from inventory import leases, worker
from inventory.models import Issue, Movement, ProductSync, StockItem
from inventory.stock import ledger
from inventory.stock.ledger import SaleLine
from inventory.stripe_sync import catalog_sync, updates
from proofs.state_machine import database
from proofs.state_machine.schedule import empty_database
from proofs.state_machine.stage import SHIRT
from proofs.state_machine.world import World


@pytest.fixture
def world(transactional_db: None) -> Iterator[World]:
    """A shop that has read its two products and sent its first version tags, without random faults."""
    with World(Random(1), empty_database()) as world:
        worker.drain()
        yield world


def _count(world: World, key: str) -> str:
    return str(world.fake.products[SHIRT]["metadata"][key])


def test_an_edit_whose_event_was_lost_before_the_first_worker_ever_listed_events_is_counted(
    world: World,
) -> None:
    """Imported, then edited at Stripe while no event could arrive. The first worker starts an hour later."""
    world.fake.faults.add("drop", times=1, types=("product.updated",))
    world.fake.dashboard.edit_product(SHIRT, metadata={"stock_S": "77"})
    world.fake.forward(3600)

    worker.start()
    worker.drain(hourly=True)

    assert _count(world, "stock_S") == "77"


def test_an_external_sale_in_the_second_of_the_first_refresh_is_counted_or_reported(
    transactional_db: None,
) -> None:
    """Stripe's times are whole seconds: a payment just after the refresh seems to precede it."""
    with World(Random(1), empty_database(), head_start=0) as world:
        while not world.books.elsewhere:
            world.customers.buy_elsewhere(Random(5))
        world.fake.forward(60)
        world.deliver()
        worker.drain(hourly=True)

        assert Movement.objects.filter(kind="sale").exists() or Issue.objects.exists()


# --- Gaps and restored databases --------------------------------------------------------------

MONTH = 31 * 24 * 3600


def _item(key: str) -> StockItem:
    return StockItem.objects.get(product=SHIRT, key=key)


def _set(world: World, key: str, count: int) -> None:
    """Edit a count at Stripe and let all events and tasks finish."""
    world.fake.dashboard.edit_product(SHIRT, metadata={key: str(count)})
    _rest(world)


def _rest(world: World) -> None:
    for _turn in range(3):
        while world.deliver():
            pass
        worker.drain(hourly=True)
        world.clock.let_pass(61)


def _sell(key: str, name: str) -> None:
    ledger.sell([name], [SaleLine(f"{name}:0", _item(key).pk, 1)], now=timezone.now())


def _buy_elsewhere(world: World, how_many: int, **metadata: str) -> None:
    """Pay through a payment link, which the shop did not open."""
    for _one in range(how_many):
        form = {
            "mode": "payment",
            "success_url": "https://elsewhere.test/",
            "line_items[0][price]": world.fake.products[SHIRT]["default_price"],
            "line_items[0][quantity]": "1",
            **{f"line_items[0][metadata][{key}]": text for key, text in metadata.items()},
        }
        _status, session = world.fake.call("POST", "/v1/checkout/sessions", urlencode(form))
        world.fake.pay(session["id"])


def test_after_a_month_away_a_delivery_does_not_overwrite_an_edit_whose_event_was_lost(world: World) -> None:
    _rest(world)
    world.fake.faults.add("drop", times=1, types=("product.updated",))
    world.fake.dashboard.edit_product(SHIRT, metadata={"stock_S": "500"})
    world.fake.forward(MONTH)
    ledger.receive(_item("stock_S").pk, 3, reference="delivery:1")

    worker.start()
    _rest(world)

    assert _count(world, "stock_S") == "503"


def test_payments_made_while_no_worker_ran_for_a_month_are_counted(world: World) -> None:
    """The database lost nothing, so Stripe's count cannot include these sales."""
    _set(world, "stock_S", 50)
    world.fake.forward(MONTH - 3600)
    _buy_elsewhere(world, 7, size="S")
    while world.deliver():
        pass
    world.fake.forward(3600)

    worker.start()
    _rest(world)

    assert _count(world, "stock_S") == "43"


def test_a_list_of_events_that_always_fails_is_no_gap(world: World) -> None:
    """Otherwise a worker with a restricted key would accept Stripe's counts every hour and skip sales around that time."""
    _set(world, "stock_S", 50)
    world.fake.forward(MONTH)
    world.fake.faults.add("error_500", path="/v1/events", when="before", times=None)

    worker.drain(hourly=True)

    assert not ProductSync.objects.filter(event_gap=True).exists()


def test_a_restored_update_that_was_never_sent_is_not_sent_before_a_refresh(world: World) -> None:
    """The backup was made between preparing and sending. The lost database sent the update and went on."""
    _rest(world)
    _sell("stock_S", "order:a")
    with leases.lease(SHIRT) as lease:
        assert lease
        updates.prepare_update(lease)
    backup = database.take()
    _rest(world)
    for number in range(2):
        _sell("stock_S", f"order:b{number}")
        _rest(world)
    left = _count(world, "stock_S")

    for hours in (2, 26):
        world.fake.forward(hours * 3600)
        database.put_back(backup)
        worker.start()
        _rest(world)

        assert _count(world, "stock_S") == left, f"restored after {hours} hours"
        assert Issue.objects.filter(kind="restored_database").exists()


def test_the_issue_of_a_restored_database_lists_sales_and_edits_made_in_between(world: World) -> None:
    _rest(world)
    backup = database.take()
    before = timezone.now()
    _buy_elsewhere(world, 1, size="S")
    _rest(world)
    _set(world, "stock_L", 44)
    database.put_back(backup)

    worker.start()
    _rest(world)
    backfill.apply_completed(since=before - timedelta(hours=1), now=timezone.now())

    text = Issue.objects.get(kind="restored_database", subject=SHIRT).text
    assert "→ 44" in text and "1 of stock_S were paid for" in text
    assert "backfill_events --since" in text
    doubts = [
        each.kind for each in reconcile(since=before - timedelta(days=1), now=timezone.now()).differences
    ]
    assert doubts == ["sale_in_doubt"]


def test_assigning_the_size_of_a_sale_from_before_the_first_refresh_takes_nothing(
    transactional_db: None,
) -> None:
    """The session named no size. Once the owner assigns it, the sale is treated like one that named it."""
    with World(Random(1), empty_database(), head_start=0) as world:
        world.fake.dashboard.edit_product(SHIRT, metadata={"inventory_version": ""})
        database.put_back(empty_database())
        _buy_elsewhere(world, 1)
        world.fake.forward(3600)
        catalog_sync.sync_catalog()
        _rest(world)
        stood = _count(world, "stock_S")
        backfill.apply_completed(since=timezone.now() - timedelta(days=30), now=timezone.now())

        assign_size(
            OrderLine.objects.get(needs_size=True), _item("stock_S"), now=timezone.now(), actor="owner"
        )
        _rest(world)

        assert _count(world, "stock_S") == stood


def test_reconcile_fetches_an_edit_whose_event_was_lost(world: World) -> None:
    _rest(world)
    world.fake.faults.add("drop", times=1, types=("product.updated",))
    world.fake.dashboard.edit_product(SHIRT, metadata={"stock_S": "77"})
    world.clock.let_pass(3)

    report = reconcile(since=timezone.now() - timedelta(days=2), now=timezone.now())

    assert report.events >= 1
    assert report.agrees, report.differences


def test_a_form_opened_right_after_an_edit_and_saved_after_our_next_update_keeps_the_typed_count(
    world: World,
) -> None:
    """A person sets 12, then 14. In between, the shop sends its version tag. Seed 1795651393226."""
    _rest(world)
    world.fake.dashboard.edit_product(SHIRT, metadata={"stock_S": "12"})
    form = world.fake.dashboard.read_form(SHIRT)
    _rest(world)

    world.fake.dashboard.save_stale_form(SHIRT, {**form, "stock_S": "14"})
    _rest(world)

    assert _count(world, "stock_S") == "14"
    assert Issue.objects.filter(kind="ambiguous_edit", subject=SHIRT).exists()


def test_order_ids_are_repeatable_within_a_schedule_and_random_after_it(transactional_db: None) -> None:
    """Otherwise a process forked later would reuse the order ids of another child."""
    names = []
    for _time in range(2):
        with World(Random(1), empty_database()):
            names.append(Order().pk)

    assert names[0] == names[1]
    assert Order().pk not in names and Order._meta.get_field("id").__dict__["_get_default"] is uuid.uuid4
