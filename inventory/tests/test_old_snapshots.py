"""Snapshots older than the events received meanwhile: they open no ledger and set no count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from django.utils import timezone

from config import fault_points
from inventory import worker
from inventory.events import inbox
from inventory.models import Hold, Issue, ProductSync, StockItem, StripeEvent
from inventory.stock import ledger
from inventory.stock.ledger import SaleLine
from inventory.stripe_sync import publisher, refresh, snapshot
from inventory.tests.factories import Shirt
from shop import gateway, mirror

Once = Callable[[str, Callable[[], object]], None]


@pytest.fixture
def once_at(monkeypatch: pytest.MonkeyPatch) -> Once:
    """Call `act` when a fault point is first reached."""

    def arrange(point: str, act: Callable[[], object]) -> None:
        def visit(name: str) -> None:
            if name == point:
                monkeypatch.setattr(fault_points, "visit", lambda name: None)
                act()

        monkeypatch.setattr(fault_points, "visit", visit)

    return arrange


def edit_and_hear(shirt: Shirt, **sizes: int | str) -> Callable[[], None]:
    """Edit at Stripe and handle the event before the running refresh ends."""

    def act() -> None:
        shirt.fake.forward(2)
        shirt.edit(**sizes)
        shirt.fake.deliver_due()
        inbox.process_local(timezone.now())

    return act


def come_to_rest(shirt: Shirt) -> None:
    shirt.settle()
    worker.drain(timezone.now() + timedelta(hours=2), hourly=True)
    shirt.settle()


def test_a_size_that_is_edited_while_it_is_first_read_keeps_the_edit(shirt: Shirt, once_at: Once) -> None:
    shirt.edit_keys({"sizes": "S,M,L,XL", "stock_XL": "10"})
    shirt.fake.deliver_due()
    inbox.process_local(timezone.now())
    shirt.fake.forward(2)
    once_at("refresh.read", edit_and_hear(shirt, XL=12))

    refresh.refresh_requested(timezone.now())
    come_to_rest(shirt)

    assert shirt.at_stripe("XL") == "12"
    assert shirt.is_at_rest()


def test_until_it_is_read_again_such_a_size_is_not_for_sale(shirt: Shirt, once_at: Once) -> None:
    shirt.edit_keys({"sizes": "S,M,L,XL", "stock_XL": "10"})
    shirt.fake.deliver_due()
    inbox.process_local(timezone.now())
    once_at("refresh.read", edit_and_hear(shirt, XL=12))

    refresh.refresh_requested(timezone.now())

    assert shirt.item("XL").state == "unknown" and shirt.item("XL").available is None


def test_a_first_refresh_with_an_older_snapshot_keeps_the_edit(
    new_shirt: Callable[..., Shirt], once_at: Once
) -> None:
    """sync_catalog has read 10 and is slow; the event of an edit starts a first refresh in the worker as well."""
    shirt = new_shirt(S=10)
    shirt.fake.deliver_due()
    StripeEvent.objects.all().delete()
    old = gateway.fetch_product(shirt.product_id)
    shirt.fake.forward(2)
    shirt.edit(S=12)
    shirt.fake.deliver_due()

    def the_other_process() -> None:
        mirror.upsert_product(old)
        snapshot.apply_snapshot(old, 0)

    once_at("refresh.read", the_other_process)
    inbox.process_local(timezone.now())
    inbox.process_remote(timezone.now())
    come_to_rest(shirt)

    assert shirt.at_stripe("S") == "12"
    assert shirt.is_at_rest()


def test_a_count_that_was_never_readable_opens_with_its_first_readable_value(
    new_shirt: Callable[..., Shirt], once_at: Once
) -> None:
    shirt = new_shirt(S=10, M="ten")
    shirt.sync()
    StockItem.objects.update(opened_at=F("opened_at") - timedelta(minutes=1))
    shirt.edit(M=10)
    shirt.fake.deliver_due()
    inbox.process_local(timezone.now())
    shirt.fake.forward(2)
    once_at("refresh.read", edit_and_hear(shirt, M=100))

    refresh.refresh_requested(timezone.now())
    come_to_rest(shirt)

    assert shirt.at_stripe("M") == "100"
    assert shirt.is_at_rest()


def test_an_edit_that_arrives_while_counts_are_accepted_is_kept(shirt: Shirt, once_at: Once) -> None:
    ProductSync.objects.update(event_gap=True)
    refresh.request_refresh_of_all()
    shirt.fake.forward(5)
    once_at("refresh.read", edit_and_hear(shirt, M=40))

    refresh.refresh_requested(timezone.now())
    come_to_rest(shirt)

    assert shirt.at_stripe("M") == "40"
    assert shirt.is_at_rest()


def test_a_restored_database_without_a_fresh_snapshot_sends_nothing(shirt: Shirt, once_at: Once) -> None:
    """Stripe is ahead, and an edit arrives during the refresh: an update now would overwrite what was lost."""
    shop, product, _n = str(shirt.version_tag).split("/")
    shirt.fake.call(
        "POST",
        f"/v1/products/{product}",
        f"metadata[stock_M]=9&metadata[inventory_version]={shop}/{product}/7",
        **{"Idempotency-Key": f"{shop}/{product}/7/lost"},
    )
    shirt.sell("S")
    refresh.request_refresh_of_all()
    once_at("refresh.read", edit_and_hear(shirt, M=11))

    refresh.refresh_product(shirt.product_id)
    publisher.publish_product(shirt.product_id, timezone.now())

    assert shirt.at_stripe("M") == "11"
    come_to_rest(shirt)
    assert shirt.at_stripe("M") == "11"
    assert shirt.is_at_rest()


# --- Clocks -----------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_causes_no_endless_requests(shirt: Shirt) -> None:
    ProductSync.objects.update(refreshed_at=timezone.now() + timedelta(hours=1))
    shirt.fake.forget_calls()
    shirt.edit(M=20)

    shirt.settle()

    assert shirt.at_stripe("M") == "20" and shirt.is_at_rest()
    assert len(shirt.fake.calls) < 20


def test_an_update_delayed_by_a_clock_that_was_ahead_is_published(shirt: Shirt) -> None:
    ProductSync.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))
    shirt.sell("M")

    shirt.settle()

    assert shirt.at_stripe("M") == "14"


def test_our_own_order_is_counted_though_the_clock_was_ahead_at_the_first_refresh(shirt: Shirt) -> None:
    paid_at = timezone.now()
    ProductSync.objects.update(sales_cutoff=paid_at + timedelta(minutes=4))
    item = shirt.item("M")
    ledger.hold("order:1", {item.pk: 1})

    ledger.sell(["order:1"], [SaleLine("order:1:0", item.pk, 1, paid_at, ours=True)], now=timezone.now())

    assert shirt.movements("M", "sale") == [-1]
    assert not Hold.objects.exists()


# --- Counting while the count is unreadable ---------------------------------------------------


def test_a_shelf_cannot_be_counted_here_while_its_count_is_unreadable(
    new_shirt: Callable[..., Shirt],
) -> None:
    """A count here and a correction at Stripe would count the same shirts twice."""
    shirt = new_shirt(S=10, M="ten")
    shirt.sync()

    with pytest.raises(ValueError, match="at Stripe"):
        ledger.set_count(shirt.item("M").pk, 10, reference="form:1")
    shirt.edit(M=10)
    come_to_rest(shirt)

    assert shirt.at_stripe("M") == "10" and shirt.movements("M") == [10]


# --- A sale during a recovery -----------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_sale_during_the_recovery_counts_its_units_once(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During its first refresh a restored database receives a sale that the lost database had already published."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one writer in at a time")
    paid_at = timezone.now()
    shop, product, _n = str(shirt.version_tag).split("/")
    shirt.fake.call(
        "POST",
        f"/v1/products/{product}",
        f"metadata[stock_M]=13&metadata[inventory_version]={shop}/{product}/7",
        **{"Idempotency-Key": f"{shop}/{product}/7/lost"},
    )
    inserted, go_on = threading.Event(), threading.Event()

    def visit(name: str) -> None:
        if name == "sell.inserted" and threading.current_thread().name == "seller":
            inserted.set()
            go_on.wait(0.5)  # Time for the refresh to finish, if no lock blocks it.

    monkeypatch.setattr(fault_points, "visit", visit)
    line = SaleLine("order:lost:0", shirt.item("M").pk, 2, paid_at)

    def sell() -> Any:
        ledger.sell(["order:lost"], [line], now=timezone.now())
        connections.close_all()

    seller = threading.Thread(target=sell, name="seller")
    seller.start()
    assert inserted.wait(20)
    refresh.refresh_product(shirt.product_id)
    go_on.set()
    seller.join()
    come_to_rest(shirt)

    assert shirt.at_stripe("M") == "13"
    assert Issue.objects.filter(kind="restored_database").exists()


def test_an_interrupted_first_refresh_is_finished_by_the_worker(new_shirt: Callable[..., Shirt]) -> None:
    """The process crashed after it created the product row and before it read the counts."""
    shirt = new_shirt(S=10)
    mirror.upsert_product(gateway.fetch_product("prod_shirt"))

    shirt.settle()

    assert shirt.item("S").on_hand == 10 and shirt.is_at_rest()


def test_a_product_with_slashes_in_its_id_is_counted(
    new_shirt: Callable[..., Shirt],
) -> None:
    shirt = new_shirt("shirts/2026/balm", M=15)
    shirt.sync()

    shirt.sell("M", 2)
    shirt.settle()
    refresh.request_refresh_of_all()
    shirt.settle()

    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()
    assert shirt.stock.number == 2 and not shirt.stock.differs
    shirt.edit_keys({"inventory_version": "them/shirts/2026/balm/4"})
    shirt.settle()
    assert shirt.stock.pause_reason == "foreign"
