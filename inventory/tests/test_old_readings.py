"""What if a reading is older than what was heard meanwhile? No ledger begins with it, and no count is taken from it."""

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
from inventory import inbox, ledger, look, publish, taking_in, worker
from inventory.ledger import SaleLine
from inventory.models import Case, Hold, ProductStock, StockItem, StripeEvent
from inventory.tests.shirt import Shirt
from shop import gateway, mirror

Once = Callable[[str, Callable[[], object]], None]


@pytest.fixture
def once_at(monkeypatch: pytest.MonkeyPatch) -> Once:
    """Let something happen when a fault point is reached for the first time."""

    def arrange(point: str, act: Callable[[], object]) -> None:
        def visit(name: str) -> None:
            if name == point:
                monkeypatch.setattr(fault_points, "visit", lambda name: None)
                act()

        monkeypatch.setattr(fault_points, "visit", visit)

    return arrange


def edit_and_hear(shirt: Shirt, **sizes: int | str) -> Callable[[], None]:
    """Somebody edits at Stripe, and the inbox is quicker than the look that is under way."""

    def act() -> None:
        shirt.fake.forward(2)
        shirt.edit(**sizes)
        shirt.fake.deliver_due()
        inbox.handle_waiting(timezone.now())

    return act


def come_to_rest(shirt: Shirt) -> None:
    shirt.settle()
    worker.drain(timezone.now() + timedelta(hours=2), hourly=True)
    shirt.settle()


def test_a_size_that_is_edited_while_it_is_first_read_keeps_the_edit(shirt: Shirt, once_at: Once) -> None:
    shirt.edit_keys({"sizes": "S,M,L,XL", "stock_XL": "10"})
    shirt.fake.deliver_due()
    inbox.handle_waiting(timezone.now())
    shirt.fake.forward(2)
    once_at("look.read", edit_and_hear(shirt, XL=12))

    look.look_at_wanted(timezone.now())
    come_to_rest(shirt)

    assert shirt.at_stripe("XL") == "12"
    assert shirt.is_at_rest()


def test_until_it_is_read_again_such_a_size_is_not_for_sale(shirt: Shirt, once_at: Once) -> None:
    shirt.edit_keys({"sizes": "S,M,L,XL", "stock_XL": "10"})
    shirt.fake.deliver_due()
    inbox.handle_waiting(timezone.now())
    once_at("look.read", edit_and_hear(shirt, XL=12))

    look.look_at_wanted(timezone.now())

    assert shirt.item("XL").state == "unknown" and shirt.item("XL").available is None


def test_a_first_look_with_an_older_reading_than_another_process_keeps_the_edit(
    new_shirt: Callable[..., Shirt], once_at: Once
) -> None:
    """sync_catalog has read 10 and is slow; the event of an edit makes the worker look for the first time too."""
    shirt = new_shirt(S=10)
    shirt.fake.deliver_due()
    StripeEvent.objects.all().delete()
    old = gateway.fetch_product(shirt.product_id)
    shirt.fake.forward(2)
    shirt.edit(S=12)
    shirt.fake.deliver_due()

    def the_other_process() -> None:
        mirror.store(old)
        taking_in.take_in(old, 0)

    once_at("look.read", the_other_process)
    inbox.handle_waiting(timezone.now())
    inbox.handle_with_stripe(timezone.now())
    come_to_rest(shirt)

    assert shirt.at_stripe("S") == "12"
    assert shirt.is_at_rest()


def test_a_count_that_was_never_readable_opens_with_what_stands_at_last(
    new_shirt: Callable[..., Shirt], once_at: Once
) -> None:
    shirt = new_shirt(S=10, M="ten")
    shirt.sync()
    StockItem.objects.update(began_at=F("began_at") - timedelta(minutes=1))
    shirt.edit(M=10)
    shirt.fake.deliver_due()
    inbox.handle_waiting(timezone.now())
    shirt.fake.forward(2)
    once_at("look.read", edit_and_hear(shirt, M=100))

    look.look_at_wanted(timezone.now())
    come_to_rest(shirt)

    assert shirt.at_stripe("M") == "100"
    assert shirt.is_at_rest()


def test_an_edit_that_is_heard_while_counts_are_adopted_is_not_adopted_away(
    shirt: Shirt, once_at: Once
) -> None:
    ProductStock.objects.update(gap=True)
    look.want_all()
    shirt.fake.forward(5)
    once_at("look.read", edit_and_hear(shirt, M=40))

    look.look_at_wanted(timezone.now())
    come_to_rest(shirt)

    assert shirt.at_stripe("M") == "40"
    assert shirt.is_at_rest()


def test_while_a_restored_database_has_no_fresh_reading_nothing_is_written(
    shirt: Shirt, once_at: Once
) -> None:
    """Stripe is ahead, and an edit is heard during the look: what would be written now would undo what was lost."""
    shop, product, _n = str(shirt.mark).split("/")
    shirt.fake.call(
        "POST",
        f"/v1/products/{product}",
        f"metadata[stock_M]=9&metadata[inventory_version]={shop}/{product}/7",
        **{"Idempotency-Key": f"{shop}/{product}/7/lost"},
    )
    shirt.sell("S")
    look.want_all()
    once_at("look.read", edit_and_hear(shirt, M=11))

    look.look_at(shirt.product_id)
    publish.publish_product(shirt.product_id, timezone.now())

    assert shirt.at_stripe("M") == "11"
    come_to_rest(shirt)
    assert shirt.at_stripe("M") == "11"
    assert shirt.is_at_rest()


# --- Clocks -----------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_does_not_make_the_worker_ask_without_end(shirt: Shirt) -> None:
    ProductStock.objects.update(looked_at=timezone.now() + timedelta(hours=1))
    shirt.fake.forget_calls()
    shirt.edit(M=20)

    shirt.settle()

    assert shirt.at_stripe("M") == "20" and shirt.is_at_rest()
    assert len(shirt.fake.calls) < 20


def test_what_was_put_off_by_a_clock_that_was_ahead_is_published_all_the_same(shirt: Shirt) -> None:
    ProductStock.objects.update(not_before=timezone.now() + timedelta(hours=1))
    shirt.sell("M")

    shirt.settle()

    assert shirt.at_stripe("M") == "14"


def test_an_order_of_our_own_is_counted_though_the_clock_was_ahead_at_the_first_look(shirt: Shirt) -> None:
    paid_at = timezone.now()
    ProductStock.objects.update(fence=paid_at + timedelta(minutes=4))
    item = shirt.item("M")
    ledger.hold("order:1", {item.pk: 1})

    ledger.sell("order:1", [SaleLine("order:1:0", item.pk, 1, paid_at, ours=True)], now=timezone.now())

    assert shirt.movements("M", "sale") == [-1]
    assert not Hold.objects.exists()


# --- Counting what cannot be read -------------------------------------------------------------


def test_a_shelf_cannot_be_counted_here_while_its_count_is_unreadable(
    new_shirt: Callable[..., Shirt],
) -> None:
    """Counted here and mended at Stripe, both would be the same shirts, and would count twice."""
    shirt = new_shirt(S=10, M="ten")
    shirt.sync()

    with pytest.raises(ValueError, match="at Stripe"):
        ledger.count(shirt.item("M").pk, 10, reference="form:1")
    shirt.edit(M=10)
    come_to_rest(shirt)

    assert shirt.at_stripe("M") == "10" and shirt.movements("M") == [10]


# --- A sale against an adoption ---------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_sale_and_an_adoption_at_the_same_moment_count_its_units_once(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restored database hears again of a sale that the lost one had published, while it looks for the first time."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one writer in at a time")
    paid_at = timezone.now()
    shop, product, _n = str(shirt.mark).split("/")
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
            go_on.wait(0.5)  # As long as the look may need, if nothing keeps it waiting.

    monkeypatch.setattr(fault_points, "visit", visit)
    line = SaleLine("order:lost:0", shirt.item("M").pk, 2, paid_at)

    def sell() -> Any:
        ledger.sell("order:lost", [line], now=timezone.now())
        connections.close_all()

    seller = threading.Thread(target=sell, name="seller")
    seller.start()
    assert inserted.wait(20)
    look.look_at(shirt.product_id)
    go_on.set()
    seller.join()
    come_to_rest(shirt)

    assert shirt.at_stripe("M") == "13"
    assert Case.objects.filter(kind="restored database").exists()


def test_a_first_look_that_ended_half_way_is_finished_by_the_worker(new_shirt: Callable[..., Shirt]) -> None:
    """The process died with the product's row made, and its counts not yet read."""
    shirt = new_shirt(S=10)
    mirror.store(gateway.fetch_product("prod_shirt"))

    shirt.settle()

    assert shirt.item("S").on_hand == 10 and shirt.is_at_rest()


def test_a_product_whose_id_somebody_chose_with_slashes_is_counted_like_any_other(
    new_shirt: Callable[..., Shirt],
) -> None:
    shirt = new_shirt("shirts/2026/balm", M=15)
    shirt.sync()

    shirt.sell("M", 2)
    shirt.settle()
    look.want_all()
    shirt.settle()

    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()
    assert shirt.stock.n == 2 and not shirt.stock.differs
    shirt.edit_keys({"inventory_version": "them/shirts/2026/balm/4"})
    shirt.settle()
    assert shirt.stock.parked == "foreign"
