"""Races between processes at a barrier, on an SQLite file and on PostgreSQL.

Each race has a control: the same race without its guard must go wrong, or the race proves nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.utils import timezone

from checkout.models import Order
from checkout.orders import fulfillment
from inventory import leases, views
from inventory.db import insert_new
from inventory.events import inbox
from inventory.models import ProcessedRequest, StockItem, StripeEvent
from inventory.stock import ledger
from inventory.stripe_sync import product_events
from proofs.children import ChildDatabase, new_child_database
from proofs.races import shop
from proofs.races.gate import alone, race
from proofs.races.guards import take_out

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]

SIZES = {f"S{number}": 1 for number in range(12)}
Meet = Callable[[], None]


@pytest.fixture
def child_db(tmp_path: Path) -> ChildDatabase:
    return new_child_database(tmp_path)


def open_shop(child_db: ChildDatabase, counts: dict[str, int]) -> list[int]:
    items: list[int] = alone(child_db, lambda: shop.open_shop(counts))
    return items


def books(child_db: ChildDatabase) -> dict[str, Any]:
    rows: dict[str, Any] = alone(child_db, shop.books)
    return rows


# --- the last unit ----------------------------------------------------------------------------


def hold_one(items: list[int], racer: int) -> Callable[[int, Meet], bool]:
    def act(number: int, meet: Meet) -> bool:
        ledger.hold(f"racer:{racer}:{number}", {items[number]: 1})
        return True

    return act


def test_the_last_one_goes_to_one_of_eight(child_db: ChildDatabase) -> None:
    items = open_shop(child_db, SIZES)

    rounds = race(child_db, [hold_one(items, racer) for racer in range(8)], rounds=len(items))

    assert [sorted(map(str, outcomes)) for outcomes in rounds] == [
        ["InsufficientStock"] * 7 + ["True"]
    ] * len(items)
    assert books(child_db)["broken"] == ""


def test_control_a_separate_check_holds_the_last_unit_twice(child_db: ChildDatabase) -> None:
    items = open_shop(child_db, SIZES)

    def check_then_hold(number: int, meet: Meet) -> bool:
        _without_transaction("hold")
        take_out(
            ledger,
            "_reserve",
            "return bool(\n        StockItem.objects.filter(enough, pk=item_id, is_listed=True).update(",
            "is_enough = StockItem.objects.filter(enough, pk=item_id, is_listed=True).exists()\n    meet()\n"
            "    return is_enough and bool(\n        StockItem.objects.filter(pk=item_id).update(",
            meet=meet,
        )
        return hold_one(items, os.getpid())(number, meet)

    outcomes = race(child_db, [check_then_hold] * 4)[0]

    assert outcomes.count(True) > 1


def _without_transaction(function: str) -> None:
    # On SQLite the transaction alone would exclude the other processes.
    take_out(ledger, function, "transaction.atomic()", "nullcontext()", nullcontext=nullcontext)


# --- opposite orders --------------------------------------------------------------------------


def hold_both(first: int, second: int, racer: int) -> Callable[[int, Meet], bool]:
    def act(number: int, meet: Meet) -> bool:
        name = f"racer:{racer}:{number}"
        ledger.hold(name, {first: 1, second: 1})
        ledger.release(name)
        return True

    return act


def test_two_carts_with_their_lines_in_opposite_order_never_wait_in_a_circle(child_db: ChildDatabase) -> None:
    one, other = open_shop(child_db, {"S": 50, "M": 50})
    racers = [
        hold_both(one, other, 0),
        hold_both(other, one, 1),
        hold_both(one, other, 2),
        hold_both(other, one, 3),
    ]

    rounds = race(child_db, racers, rounds=25)

    assert {outcome for outcomes in rounds for outcome in outcomes} == {True}
    assert books(child_db)["items"] == {"S": [50, 0, 0], "M": [50, 0, 0]}


@pytest.mark.postgres
def test_control_without_the_order_of_primary_keys_two_carts_deadlock(child_db: ChildDatabase) -> None:
    """PostgreSQL only: SQLite serializes writers, so they cannot deadlock."""
    one, other = open_shop(child_db, {"S": 50, "M": 50})

    def in_any_order(first: int, second: int) -> Callable[[int, Meet], bool]:
        def act(number: int, meet: Meet) -> bool:
            take_out(ledger, "hold", "in sorted(demand)", "in demand")
            take_out(
                ledger,
                "_reserve",
                "return bool(\n        StockItem.objects.filter(enough, pk=item_id, is_listed=True)"
                '.update(held=F("held") + quantity)\n    )',
                "updated = StockItem.objects.filter(enough, pk=item_id, is_listed=True)"
                '.update(held=F("held") + quantity)\n    meet()\n    return bool(updated)',
                meet=meet,
            )
            ledger.hold(f"racer:{os.getpid()}", {first: 1, second: 1})
            return True

        return act

    outcomes = race(child_db, [in_any_order(one, other), in_any_order(other, one)])[0]

    assert "OperationalError" in outcomes


# --- one event, eight times at once -----------------------------------------------------------


def receive(number: int, meet: Meet) -> int:
    body = json.dumps(shop.event(f"evt_{number}", f"cs_nobody_{number}")).encode()
    return views.stripe_webhook(shop.signed(body)).status_code


def test_an_event_delivered_eight_times_at_once_is_stored_once(child_db: ChildDatabase) -> None:
    rounds = race(child_db, [receive] * 8, rounds=6)

    assert rounds == [[200] * 8] * 6
    assert alone(child_db, lambda: StripeEvent.objects.count()) == 6


def test_control_a_separate_check_refuses_some_deliveries(child_db: ChildDatabase) -> None:
    def check_then_insert(number: int, meet: Meet) -> int:
        def insert(rows: Any, *, unique: Any) -> list[StripeEvent]:
            new = [row for row in rows if not StripeEvent.objects.filter(pk=row.pk).exists()]
            meet()
            for row in new:
                row.save(force_insert=True)
            return new

        mock.patch.object(inbox, "insert_new", insert).start()
        return receive(number, meet)

    outcomes = race(child_db, [check_then_insert] * 4)[0]

    assert outcomes.count(200) < 4


def handle(number: int, meet: Meet) -> bool:
    return inbox.handle(f"evt_{number}", timezone.now())


def store_payments(child_db: ChildDatabase, item: int, how_many: int, *, twins: bool = False) -> list[str]:
    def act() -> list[str]:
        sessions = shop.open_orders(item, how_many)
        for number, session in enumerate(sessions):
            inbox.store_events([shop.event(f"evt_{number}", session)])
            if twins:
                inbox.store_events([shop.event(f"twin_{number}", session)])
        return sessions

    sessions: list[str] = alone(child_db, act)
    return sessions


def test_an_event_is_handled_by_one_of_eight_workers(child_db: ChildDatabase) -> None:
    (item,) = open_shop(child_db, {"S": 50})
    store_payments(child_db, item, 8)

    rounds = race(child_db, [handle] * 8, rounds=8)

    assert [sorted(outcomes) for outcomes in rounds] == [[False] * 7 + [True]] * 8
    assert books(child_db) == {"broken": "", "items": {"S": [50, -8, 0]}, "orders": ["paid"] * 8}


def test_workers_with_overlapping_batches_handle_each_event_once(child_db: ChildDatabase) -> None:
    (item,) = open_shop(child_db, {"S": 150})
    store_payments(child_db, item, 120, twins=True)

    def work(number: int, meet: Meet) -> int:
        meet()
        return sum(iter(lambda: inbox.process_local(timezone.now()), 0))

    (taken,) = race(child_db, [work] * 3)

    assert sum(taken) == 240
    assert books(child_db) == {"broken": "", "items": {"S": [150, -120, 0]}, "orders": ["paid"] * 120}


# --- twins ------------------------------------------------------------------------------------


def handle_twin(number: int, meet: Meet) -> bool:
    return inbox.handle(f"twin_{number}", timezone.now())


def test_twin_events_of_one_payment_sell_once(child_db: ChildDatabase) -> None:
    (item,) = open_shop(child_db, {"S": 50})
    store_payments(child_db, item, 10, twins=True)

    race(child_db, [handle, handle_twin], rounds=10)

    assert books(child_db) == {"broken": "", "items": {"S": [50, -10, 0]}, "orders": ["paid"] * 10}


def without_unique_sales(meet: Meet) -> None:
    """Check the order's state before the transaction instead of in it, and give every sale a reference of its own."""

    def read_without_lock(orders: Any) -> list[Order]:
        found = list(orders)
        meet()
        return found

    take_out(
        fulfillment,
        "_settle",
        "found.select_for_update(no_key=True)",
        "read_without_lock(found)",
        read_without_lock=read_without_lock,
    )
    mock.patch.object(fulfillment, "transaction", mock.Mock(atomic=nullcontext)).start()
    own_reference = f'f"{{line.reference}}/{os.getpid()}"'
    take_out(ledger, "sell", "reference=line.reference,", f"reference={own_reference},")


def test_control_without_the_condition_and_the_unique_reference_twin_events_sell_twice(
    child_db: ChildDatabase,
) -> None:
    (item,) = open_shop(child_db, {"S": 50})
    store_payments(child_db, item, 1, twins=True)

    def act(event: str) -> Callable[[int, Meet], bool]:
        def handled(number: int, meet: Meet) -> bool:
            without_unique_sales(meet)
            return inbox.handle(event, timezone.now())

        return handled

    race(child_db, [act("evt_0"), act("twin_0")])

    assert books(child_db)["items"]["S"][1] == -2


def an_edit(name: str) -> dict[str, Any]:
    """The event `name` of one request that changed S from 50 to 57."""
    return {
        "id": name,
        "type": "product.updated",
        "created": 4_000_000_000,
        "livemode": False,
        "request": {"id": "req_1", "idempotency_key": None},
        "data": {
            "object": {
                "id": shop.SHIRT,
                "updated": 4_000_000_000,
                "metadata": {"sizes": "S", "stock_S": "57"},
            },
            "previous_attributes": {"metadata": {"stock_S": "50"}},
        },
    }


def count_edit(name: str) -> Callable[[int, Meet], bool]:
    return lambda number, meet: inbox.handle(name, timezone.now())


def test_twin_events_of_one_edit_count_once(child_db: ChildDatabase) -> None:
    open_shop(child_db, {"S": 50})
    names = [f"evt_{number}" for number in range(6)]
    alone(child_db, lambda: inbox.store_events([an_edit(name) for name in names]))

    race(child_db, [count_edit(name) for name in names])

    assert books(child_db)["items"] == {"S": [57, 0, 0]}


def test_control_without_the_unique_request_an_edit_counts_twice(child_db: ChildDatabase) -> None:
    open_shop(child_db, {"S": 50})
    alone(child_db, lambda: inbox.store_events([an_edit("evt_0"), an_edit("evt_1")]))

    def patches() -> None:
        def always_new(rows: Any, *, unique: Any) -> Any:
            if isinstance(rows[0], ProcessedRequest):
                return rows
            rows[0].reference = f"{rows[0].reference}/{os.getpid()}"
            return insert_new(rows, unique=unique)

        mock.patch.object(product_events, "insert_new", always_new).start()

    race(child_db, [count_edit("evt_0"), count_edit("evt_1")], patches=patches)

    assert books(child_db)["items"]["S"][0] == 64


# --- the end of a checkout --------------------------------------------------------------------


def test_a_payment_wins_against_an_expiry(child_db: ChildDatabase) -> None:
    """Stripe reports only one of them, but an old answer may arrive while the customer pays."""
    (item,) = open_shop(child_db, {"S": 50})
    sessions = alone(child_db, lambda: shop.open_orders(item, 12))

    race(
        child_db,
        [lambda number, _: shop.paid(sessions[number]), lambda number, _: shop.expired(sessions[number])],
        rounds=12,
    )

    assert books(child_db) == {"broken": "", "items": {"S": [50, -12, 0]}, "orders": ["paid"] * 12}


def test_control_without_the_condition_an_expiry_undoes_a_payment(child_db: ChildDatabase) -> None:
    (item,) = open_shop(child_db, {"S": 50})
    (session,) = alone(child_db, lambda: shop.open_orders(item, 1))

    def expire(number: int, meet: Meet) -> str:
        def check_then_release(order: Order, *, because: str) -> bool:
            may = Order.objects.filter(id=order.pk, state=Order.State.OPEN).exists()
            meet()  # The payment is applied here.
            meet()
            return may and bool(Order.objects.filter(id=order.pk).update(state=Order.State.CANCELED))

        with mock.patch.object(fulfillment, "release_order", check_then_release):
            return shop.expired(session)

    def pay(number: int, meet: Meet) -> str:
        meet()
        state = shop.paid(session)
        meet()
        return state

    race(child_db, [pay, expire])

    assert books(child_db)["orders"] == ["canceled"]


def test_the_return_page_against_the_webhook_sells_once(child_db: ChildDatabase) -> None:
    (item,) = open_shop(child_db, {"S": 50})
    sessions = store_payments(child_db, item, 12)

    race(child_db, [handle, lambda number, _: shop.paid(sessions[number])], rounds=12)

    assert books(child_db) == {"broken": "", "items": {"S": [50, -12, 0]}, "orders": ["paid"] * 12}


# --- sums -------------------------------------------------------------------------------------


def test_releases_against_new_movements_keep_the_sums(child_db: ChildDatabase) -> None:
    (item,) = open_shop(child_db, {"S": 50})
    sessions = alone(child_db, lambda: shop.open_orders(item, 20))

    def deliver(number: int, meet: Meet) -> bool:
        ledger.receive(item, 2, reference=f"delivery:{number}")
        return True

    race(child_db, [lambda number, _: shop.expired(sessions[number]), deliver, deliver], rounds=20)

    assert books(child_db) == {"broken": "", "items": {"S": [50, 40, 0]}, "orders": ["canceled"] * 20}


def write_back(changes: dict[int, list[int]], meet: Meet) -> None:
    rows = {pk: StockItem.objects.get(pk=pk) for pk in changes}
    meet()
    for pk, (pending, held) in changes.items():
        StockItem.objects.filter(pk=pk).update(pending=rows[pk].pending + pending, held=rows[pk].held + held)


def test_control_reading_a_sum_and_writing_it_back_loses_a_delivery(child_db: ChildDatabase) -> None:
    (item,) = open_shop(child_db, {"S": 50})

    def deliver(number: int, meet: Meet) -> bool:
        _without_transaction("receive")
        take_out(ledger, "_record", "_locked(item_id)", "StockItem.objects.get(pk=item_id)")
        take_out(
            ledger,
            "_count",
            'StockItem.objects.filter(pk__in=ids).update(pending=F("pending") + pending, held=F("held") + units)',
            "write_back(changes)",
            write_back=lambda changes: write_back(changes, meet),
        )
        ledger.receive(item, 2, reference=f"delivery:{os.getpid()}")
        return True

    race(child_db, [deliver, deliver])

    assert books(child_db)["broken"].startswith("9: a sum is not the sum of its rows")


# --- leases -----------------------------------------------------------------------------------


def lease_product(number: int, meet: Meet) -> bool:
    """Lease the product as a publishing worker does, and keep it until the others have tried."""
    with leases.lease(shop.SHIRT) as lease:
        meet()
        return lease is not None


def test_a_product_is_leased_by_one_of_four_workers(child_db: ChildDatabase) -> None:
    open_shop(child_db, {"S": 50})

    outcomes = race(child_db, [lease_product] * 4)[0]

    assert sorted(outcomes) == [False, False, False, True]


def test_control_a_separate_check_of_the_lease_lets_several_workers_in(child_db: ChildDatabase) -> None:
    open_shop(child_db, {"S": 50})

    def check_then_lease(number: int, meet: Meet) -> bool:
        take_out(
            leases,
            "lease",
            "taken = ProductSync.objects.filter(lease_free(), pk=product_id).update(",
            "there = ProductSync.objects.filter(lease_free(), pk=product_id).exists()\n    meet()\n"
            "    taken = there and ProductSync.objects.filter(pk=product_id).update(",
            meet=meet,
        )
        return lease_product(number, meet)

    outcomes = race(child_db, [check_then_lease] * 4)[0]

    assert outcomes.count(True) > 1


def test_the_races_run_on_a_shared_database(child_db: ChildDatabase) -> None:
    """On SQLite the children share a file, not the parent's database in memory."""
    where = alone(child_db, lambda: str(connection.settings_dict["NAME"]))

    assert where.endswith("shop.sqlite3") or connection.vendor == "postgresql"
