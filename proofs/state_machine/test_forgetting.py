"""What the worker deletes after 90 days is missed by no event, form, replay or restored backup."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.utils import timezone

from checkout.recovery.reconcile import reconcile
from inventory import cleanup, worker
from inventory.events import inbox
from inventory.models import (
    Issue,
    Movement,
    ProcessedRequest,
    ProductSync,
    StockItem,
    StockUpdate,
    StripeEvent,
    VersionSnapshot,
)
from inventory.stock import explain, ledger
from inventory.stock.ledger import SaleLine
from inventory.stripe_sync import updates
from proofs.state_machine import database, safety
from proofs.state_machine.schedule import empty_database
from proofs.state_machine.stage import POSTER, SHIRT
from proofs.state_machine.world import World

DAY = 24 * 3600


@pytest.fixture
def world(transactional_db: None) -> Iterator[World]:
    """A shop that has read its two products and sent its first version tags, without random faults."""
    with World(Random(1), empty_database()) as world:
        worker.drain()
        yield world


def _rest(world: World) -> None:
    for _turn in range(2):
        while world.deliver():
            pass
        worker.drain(hourly=True)
        world.clock.let_pass(61)


def _days_pass(world: World, days: int) -> None:
    """The shop runs, a person edits the poster now and then, and the worker deletes what is old."""
    for passed in range(0, days, 14):
        world.fake.forward(min(14, days - passed) * DAY)
        _set(world, POSTER, "stock", 50 + passed)
        while cleanup.delete_expired(timezone.now()):
            pass


def _set(world: World, product: str, key: str, count: object) -> None:
    world.fake.dashboard.edit_product(product, metadata={key: str(count)})
    _rest(world)


def _sell(key: str, name: str, units: int = 1) -> None:
    item = StockItem.objects.get(product=SHIRT, key=key)
    ledger.sell([name], [SaleLine(f"{name}:0", item.pk, units)], now=timezone.now())


def _count(world: World, key: str) -> str:
    return str(world.fake.products[SHIRT]["metadata"][key])


def _twin_of_the_edit(world: World) -> dict[str, Any]:
    """A second event that reports the last request of a person."""
    edits = [event for event in world.fake.events.values() if not event["request"]["idempotency_key"]]
    return copy.deepcopy(edits[-1]) | {"id": "evt_twin"}


def test_after_a_season_only_the_newest_version_is_left_and_every_movement(world: World) -> None:
    for number in range(4):
        _sell("stock_S", f"order:{number}")
        _rest(world)
        _set(world, SHIRT, "stock_M", 20 + number)
    before = list(
        Movement.objects.order_by("pk").values_list("pk", "kind", "delta", "reference", "published_at")
    )
    newest = ProductSync.objects.get(pk=SHIRT).number

    _days_pass(world, 95)

    kept = Movement.objects.order_by("pk").values_list("pk", "kind", "delta", "reference", "published_at")
    assert list(kept)[: len(before)] == before
    assert list(StockUpdate.objects.filter(product=SHIRT).values_list("number", flat=True)) == [newest]
    assert {row.number for row in VersionSnapshot.objects.filter(product=SHIRT)} == {newest}
    assert not ProcessedRequest.objects.filter(product=SHIRT).exists()
    assert not StripeEvent.objects.filter(object_id=SHIRT).exists()
    safety.check_rows()
    assert "MISMATCH" not in "\n".join(explain.explain_item(StockItem.objects.get(key="stock_S")))
    report = reconcile(since=timezone.now() - timedelta(days=29), now=timezone.now())
    assert report.agrees, report.differences


def test_a_shop_that_sells_keeps_as_many_rows_after_months_as_after_a_season(world: World) -> None:
    sizes = []
    for week in range(30):
        world.fake.forward(7 * DAY)
        _sell("stock_S", f"order:{week}") if week < 3 else ledger.receive(
            StockItem.objects.get(key="stock_S").pk, 1, reference=f"delivery:{week}"
        )
        _set(world, SHIRT, "stock_M", 30 + week)
        while cleanup.delete_expired(timezone.now()):
            pass
        models = (StripeEvent, ProcessedRequest, StockUpdate, VersionSnapshot)
        sizes.append([model._default_manager.count() for model in models])

    assert all(later <= early for early, later in zip(sizes[15], sizes[29], strict=True)), sizes
    assert Movement.objects.filter(item__key="stock_S").count() == 1 + 30


def test_a_twin_of_an_event_that_comes_after_29_days_counts_nothing(world: World) -> None:
    """An edit that made a count invalid has no movement, whose reference would be unique."""
    _set(world, SHIRT, "stock_M", "twelve")
    twin = _twin_of_the_edit(world)
    _days_pass(world, 29)

    inbox.store_events([twin])
    _rest(world)

    assert StockItem.objects.get(key="stock_M").invalid_edits == 1


def test_a_failed_event_that_is_replayed_after_four_months_counts_nothing_twice(world: World) -> None:
    _set(world, SHIRT, "stock_M", "twelve")
    twin = _twin_of_the_edit(world)
    inbox.store_events([twin])
    StripeEvent.objects.filter(pk="evt_twin").update(state=StripeEvent.State.FAILED)
    _days_pass(world, 125)

    inbox.replay(["evt_twin"], timezone.now())
    _rest(world)

    assert StockItem.objects.get(key="stock_M").invalid_edits == 1


def test_the_version_that_stands_is_kept_however_old_it_is(world: World) -> None:
    _sell("stock_S", "order:1")
    _rest(world)
    form = world.fake.dashboard.read_form(SHIRT)
    _days_pass(world, 125)
    _sell("stock_S", "order:2")
    _rest(world)
    expected = int(form["stock_M"]) + 7

    world.fake.dashboard.save_stale_form(SHIRT, {**form, "stock_M": str(expected)})
    _rest(world)

    assert _count(world, "stock_M") == str(expected)
    assert _count(world, "stock_S") == str(int(form["stock_S"]) - 1)
    assert not Issue.objects.filter(kind="ambiguous_edit").exists()


def test_a_form_that_was_open_for_59_days_is_counted_exactly(world: World) -> None:
    _days_pass(world, 95)
    form = world.fake.dashboard.read_form(SHIRT)
    _sell("stock_S", "order:1")
    _rest(world)
    _days_pass(world, 59)

    world.fake.dashboard.save_stale_form(SHIRT, {**form, "stock_M": str(int(form["stock_M"]) + 2)})
    _rest(world)

    assert _count(world, "stock_S") == str(int(form["stock_S"]) - 1)
    assert _count(world, "stock_M") == str(int(form["stock_M"]) + 2)


def test_a_form_that_is_older_than_any_version_kept_becomes_an_issue(world: World) -> None:
    form = world.fake.dashboard.read_form(SHIRT)
    _sell("stock_S", "order:1")
    _rest(world)
    _days_pass(world, 95)

    world.fake.dashboard.save_stale_form(SHIRT, form)
    _rest(world)

    assert _count(world, "stock_S") == str(int(form["stock_S"]) - 1)
    assert Issue.objects.filter(kind="ambiguous_edit", subject=SHIRT).exists()


def test_a_version_that_a_form_has_brought_back_is_kept_like_a_new_one(world: World) -> None:
    form = world.fake.dashboard.read_form(SHIRT)
    _sell("stock_S", "order:1")
    _rest(world)
    _days_pass(world, 85)
    world.fake.dashboard.save_stale_form(SHIRT, form)
    again = world.fake.dashboard.read_form(SHIRT)
    _rest(world)
    _days_pass(world, 20)

    world.fake.dashboard.save_stale_form(SHIRT, {**again, "stock_M": str(int(again["stock_M"]) + 3)})
    _rest(world)

    assert _count(world, "stock_S") == str(int(form["stock_S"]) - 1)
    assert _count(world, "stock_M") == str(int(form["stock_M"]) + 3)
    assert not Issue.objects.filter(kind="ambiguous_edit").exists()


@pytest.mark.parametrize(
    "state",
    [{"pause_reason": ProductSync.PauseReason.REFUSED}, {"event_gap": True}, {"needs_version_bump": True}],
)
def test_while_counts_are_not_at_rest_no_version_is_deleted(world: World, state: dict[str, Any]) -> None:
    _sell("stock_S", "order:1")
    _rest(world)
    _set(world, SHIRT, "stock_M", 31)
    world.fake.forward(95 * DAY)
    ProductSync.objects.filter(pk=SHIRT).update(**state)
    rows = StockUpdate.objects.filter(product=SHIRT)
    before = rows.count()

    cleanup._delete_versions(timezone.now() - cleanup.RETENTION)
    assert rows.count() == before
    ProductSync.objects.filter(pk=SHIRT).update(pause_reason="", event_gap=False, needs_version_bump=False)
    cleanup._delete_versions(timezone.now() - cleanup.RETENTION)

    assert rows.count() == 1 < before


def test_a_clock_that_jumps_ahead_deletes_nothing_that_a_count_depends_on(world: World) -> None:
    _sell("stock_S", "order:1")
    _rest(world)
    _set(world, SHIRT, "stock_M", "twelve")
    twin = _twin_of_the_edit(world)
    rows = [ProcessedRequest.objects.count(), StockUpdate.objects.count(), VersionSnapshot.objects.count()]

    while cleanup.delete_expired(timezone.now() + timedelta(days=3650)):
        pass
    inbox.store_events([twin])
    _rest(world)

    assert rows == [
        ProcessedRequest.objects.count(),
        StockUpdate.objects.count(),
        VersionSnapshot.objects.count(),
    ]
    assert StockItem.objects.get(key="stock_M").invalid_edits == 1


def test_a_backup_from_before_a_deletion_is_restored_without_a_difference(world: World) -> None:
    for number in range(3):
        _sell("stock_S", f"order:{number}")
        _rest(world)
    _days_pass(world, 88)
    form = world.fake.dashboard.read_form(SHIRT)
    backup = database.take()
    world.fake.forward(5 * DAY)
    _days_pass(world, 1)
    _sell("stock_S", "order:lost")
    _rest(world)
    database.put_back(backup)

    worker.start()
    _rest(world)
    _days_pass(world, 10)
    world.fake.dashboard.save_stale_form(SHIRT, {**form, "stock_M": str(int(form["stock_M"]) + 2)})
    _rest(world)

    assert _count(world, "stock_M") == str(int(form["stock_M"]) + 2)
    assert _count(world, "stock_S") == str(int(form["stock_S"]) - 1)
    safety.check_rows()


def test_updates_are_deleted_with_few_movements_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        for unit in range(2):
            _sell("stock_S", f"order:{number}-{unit}")
        _rest(world)
    monkeypatch.setattr(cleanup, "MOVEMENTS_PER_BATCH", 3)
    rows = StockUpdate.objects.filter(product=SHIRT).exclude(number=ProductSync.objects.get(pk=SHIRT).number)

    first = cleanup._with_few_movements(rows)

    assert first == list(rows.order_by("number").values_list("pk", flat=True)[:2])
    assert updates.open_update(SHIRT) is None
