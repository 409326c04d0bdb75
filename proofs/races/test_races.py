"""Races between processes at a barrier, on an SQLite file and on PostgreSQL.

Each race has a control: the same race without its guard must go wrong, or the race proves nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
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
from inventory.models import Movement, ProcessedRequest, StripeEvent
from inventory.stock import ledger
from inventory.stripe_sync import product_events
from proofs.children import House, new_house
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
def house(tmp_path: Path) -> House:
    return new_house(tmp_path)


def open_shop(house: House, counts: dict[str, int]) -> list[int]:
    items: list[int] = alone(house, lambda: shop.open_shop(counts))
    return items


def books(house: House) -> dict[str, Any]:
    rows: dict[str, Any] = alone(house, shop.books)
    return rows


# --- the last unit ----------------------------------------------------------------------------


def hold_one(items: list[int], racer: int) -> Callable[[int, Meet], bool]:
    def act(number: int, meet: Meet) -> bool:
        ledger.hold(f"racer:{racer}:{number}", {items[number]: 1})
        return True

    return act


def test_the_last_one_goes_to_one_of_eight(house: House) -> None:
    items = open_shop(house, SIZES)

    rounds = race(house, [hold_one(items, racer) for racer in range(8)], rounds=len(items))

    assert [sorted(map(str, outcomes)) for outcomes in rounds] == [
        ["InsufficientStock"] * 7 + ["True"]
    ] * len(items)
    assert books(house)["broken"] == ""


def test_control_a_separate_check_holds_the_last_unit_twice(house: House) -> None:
    items = open_shop(house, SIZES)

    def check_then_hold(number: int, meet: Meet) -> bool:
        _without_transaction("hold")
        take_out(
            ledger,
            "_reserve",
            "return bool(StockItem.objects.filter(enough, pk=item_id, is_listed=True).update(",
            "there = StockItem.objects.filter(enough, pk=item_id, is_listed=True).exists()\n    meet()\n"
            "    return there and bool(StockItem.objects.filter(pk=item_id).update(",
            meet=meet,
        )
        return hold_one(items, os.getpid())(number, meet)

    outcomes = race(house, [check_then_hold] * 4)[0]

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


def test_two_carts_with_their_lines_in_opposite_order_never_wait_in_a_circle(house: House) -> None:
    one, other = open_shop(house, {"S": 50, "M": 50})
    racers = [
        hold_both(one, other, 0),
        hold_both(other, one, 1),
        hold_both(one, other, 2),
        hold_both(other, one, 3),
    ]

    rounds = race(house, racers, rounds=25)

    assert {outcome for outcomes in rounds for outcome in outcomes} == {True}
    assert books(house)["items"] == {"S": [50, 0, 0], "M": [50, 0, 0]}


@pytest.mark.postgres
def test_control_without_the_order_of_primary_keys_two_carts_deadlock(house: House) -> None:
    """PostgreSQL only: SQLite serializes writers, so they cannot deadlock."""
    one, other = open_shop(house, {"S": 50, "M": 50})

    def in_any_order(first: int, second: int) -> Callable[[int, Meet], bool]:
        def act(number: int, meet: Meet) -> bool:
            take_out(ledger, "hold", "in sorted(demand)", "in demand")
            take_out(
                ledger,
                "_reserve",
                'return bool(StockItem.objects.filter(enough, pk=item_id, is_listed=True).update(held=F("held") + quantity))',
                'done = StockItem.objects.filter(enough, pk=item_id, is_listed=True).update(held=F("held") + quantity)\n'
                "    meet()\n    return bool(done)",
                meet=meet,
            )
            ledger.hold(f"racer:{os.getpid()}", {first: 1, second: 1})
            return True

        return act

    outcomes = race(house, [in_any_order(one, other), in_any_order(other, one)])[0]

    assert "OperationalError" in outcomes


# --- one event, eight times at once -----------------------------------------------------------


def receive(number: int, meet: Meet) -> int:
    body = json.dumps(shop.event(f"evt_{number}", f"cs_nobody_{number}")).encode()
    return views.stripe_webhook(shop.signed(body)).status_code


def test_an_event_delivered_eight_times_at_once_is_stored_once(house: House) -> None:
    rounds = race(house, [receive] * 8, rounds=6)

    assert rounds == [[200] * 8] * 6
    assert alone(house, lambda: StripeEvent.objects.count()) == 6


def test_control_a_separate_check_refuses_some_deliveries(house: House) -> None:
    def check_then_insert(number: int, meet: Meet) -> int:
        def insert(rows: Any) -> list[StripeEvent]:
            new = [row for row in rows if not StripeEvent.objects.filter(pk=row.pk).exists()]
            meet()
            for row in new:
                row.save(force_insert=True)
            return new

        inbox._insert = insert
        return receive(number, meet)

    outcomes = race(house, [check_then_insert] * 4)[0]

    assert outcomes.count(200) < 4


def handle(number: int, meet: Meet) -> bool:
    return inbox.handle(f"evt_{number}", timezone.now())


def remember_payments(house: House, item: int, how_many: int, *, twins: bool = False) -> list[str]:
    def act() -> list[str]:
        sessions = shop.open_orders(item, how_many)
        for number, session in enumerate(sessions):
            inbox.store_events([shop.event(f"evt_{number}", session)])
            if twins:
                inbox.store_events([shop.event(f"twin_{number}", session)])
        return sessions

    sessions: list[str] = alone(house, act)
    return sessions


def test_an_event_is_handled_by_one_of_eight_workers(house: House) -> None:
    (item,) = open_shop(house, {"S": 50})
    remember_payments(house, item, 8)

    rounds = race(house, [handle] * 8, rounds=8)

    assert [sorted(outcomes) for outcomes in rounds] == [[False] * 7 + [True]] * 8
    assert books(house) == {"broken": "", "items": {"S": [50, -8, 0]}, "orders": ["paid"] * 8}


# --- twins ------------------------------------------------------------------------------------


def handle_twin(number: int, meet: Meet) -> bool:
    return inbox.handle(f"twin_{number}", timezone.now())


def test_twin_events_of_one_payment_sell_once(house: House) -> None:
    (item,) = open_shop(house, {"S": 50})
    remember_payments(house, item, 10, twins=True)

    race(house, [handle, handle_twin], rounds=10)

    assert books(house) == {"broken": "", "items": {"S": [50, -10, 0]}, "orders": ["paid"] * 10}


def without_unique_sales(meet: Meet) -> None:
    """Check the order's state and update it in two steps, and give every sale a reference of its own."""

    def check_then_go(order_id: Any, *from_states: str, to: str, **facts: Any) -> bool:
        may = Order.objects.filter(id=order_id, state__in=from_states).exists()
        meet()
        return may and bool(Order.objects.filter(id=order_id).update(state=to, **facts))

    true_sale = ledger._sale

    def nameless(item: Any, line: Any, now: Any, actor: str) -> Movement:
        sale = true_sale(item, line, now, actor)
        sale.reference = f"{sale.reference}/{os.getpid()}"
        return sale

    fulfillment._transition, ledger._sale = check_then_go, nameless
    # SQLite allows one writing transaction at a time, so the check must come before the transaction.
    mock.patch.object(fulfillment, "transaction", _no_transaction()).start()


def _no_transaction() -> Any:
    return SimpleNamespace(atomic=nullcontext)


def test_control_without_the_condition_and_the_unique_reference_twin_events_sell_twice(house: House) -> None:
    (item,) = open_shop(house, {"S": 50})
    remember_payments(house, item, 1, twins=True)

    def act(event: str) -> Callable[[int, Meet], bool]:
        def handled(number: int, meet: Meet) -> bool:
            without_unique_sales(meet)
            return inbox.handle(event, timezone.now())

        return handled

    race(house, [act("evt_0"), act("twin_0")])

    assert books(house)["items"]["S"][1] == -2


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


def test_twin_events_of_one_edit_count_once(house: House) -> None:
    open_shop(house, {"S": 50})
    names = [f"evt_{number}" for number in range(6)]
    alone(house, lambda: inbox.store_events([an_edit(name) for name in names]))

    race(house, [count_edit(name) for name in names])

    assert books(house)["items"] == {"S": [57, 0, 0]}


def test_control_without_the_unique_request_an_edit_counts_twice(house: House) -> None:
    open_shop(house, {"S": 50})
    alone(house, lambda: inbox.store_events([an_edit("evt_0"), an_edit("evt_1")]))

    def patches() -> None:
        def always_new(rows: Any, *, unique: Any) -> Any:
            if isinstance(rows[0], ProcessedRequest):
                return rows
            rows[0].reference = f"{rows[0].reference}/{os.getpid()}"
            return insert_new(rows, unique=unique)

        mock.patch.object(product_events, "insert_new", always_new).start()

    race(house, [count_edit("evt_0"), count_edit("evt_1")], patches=patches)

    assert books(house)["items"]["S"][0] == 64


# --- the end of a checkout --------------------------------------------------------------------


def test_a_payment_wins_against_an_expiry(house: House) -> None:
    """Stripe reports only one of them, but an old answer may arrive while the customer pays."""
    (item,) = open_shop(house, {"S": 50})
    sessions = alone(house, lambda: shop.open_orders(item, 12))

    race(
        house,
        [lambda number, _: shop.paid(sessions[number]), lambda number, _: shop.expired(sessions[number])],
        rounds=12,
    )

    assert books(house) == {"broken": "", "items": {"S": [50, -12, 0]}, "orders": ["paid"] * 12}


def test_control_without_the_condition_an_expiry_undoes_a_payment(house: House) -> None:
    (item,) = open_shop(house, {"S": 50})
    (session,) = alone(house, lambda: shop.open_orders(item, 1))

    def expire(number: int, meet: Meet) -> str:
        true_go = fulfillment._transition

        def check_then_go(order_id: Any, *from_states: str, to: str, **facts: Any) -> bool:
            may = Order.objects.filter(id=order_id, state__in=from_states).exists()
            meet()  # The payment is applied here.
            meet()
            return may and bool(Order.objects.filter(id=order_id).update(state=to, **facts))

        mock.patch.object(fulfillment, "transaction", _no_transaction()).start()
        fulfillment._transition = check_then_go
        try:
            return shop.expired(session)
        finally:
            fulfillment._transition = true_go

    def pay(number: int, meet: Meet) -> str:
        meet()
        state = shop.paid(session)
        meet()
        return state

    race(house, [pay, expire])

    assert books(house)["orders"] == ["canceled"]


def test_the_return_page_against_the_webhook_sells_once(house: House) -> None:
    (item,) = open_shop(house, {"S": 50})
    sessions = remember_payments(house, item, 12)

    race(house, [handle, lambda number, _: shop.paid(sessions[number])], rounds=12)

    assert books(house) == {"broken": "", "items": {"S": [50, -12, 0]}, "orders": ["paid"] * 12}


# --- sums -------------------------------------------------------------------------------------


def test_releases_against_new_movements_keep_the_sums(house: House) -> None:
    (item,) = open_shop(house, {"S": 50})
    sessions = alone(house, lambda: shop.open_orders(item, 20))

    def deliver(number: int, meet: Meet) -> bool:
        ledger.receive(item, 2, reference=f"delivery:{number}")
        return True

    race(house, [lambda number, _: shop.expired(sessions[number]), deliver, deliver], rounds=20)

    assert books(house) == {"broken": "", "items": {"S": [50, 40, 0]}, "orders": ["canceled"] * 20}


def test_control_reading_a_sum_and_writing_it_back_loses_a_delivery(house: House) -> None:
    (item,) = open_shop(house, {"S": 50})

    def deliver(number: int, meet: Meet) -> bool:
        _without_transaction("receive")
        take_out(ledger, "_record", "_locked(item_id)", "StockItem.objects.get(pk=item_id)")
        take_out(
            ledger,
            "_move",
            "StockItem.objects.filter(pk=item_id).update(\n"
            '            pending=F("pending") + pending.get(item_id, 0), held=F("held")',
            "row = StockItem.objects.get(pk=item_id)\n        meet()\n"
            "        StockItem.objects.filter(pk=item_id).update(\n"
            "            pending=row.pending + pending.get(item_id, 0), held=row.held",
            meet=meet,
        )
        ledger.receive(item, 2, reference=f"delivery:{os.getpid()}")
        return True

    race(house, [deliver, deliver])

    assert books(house)["broken"].startswith("9: a sum is not the sum of its rows")


# --- claims -----------------------------------------------------------------------------------


def claim_product(number: int, meet: Meet) -> bool:
    """Claim the product as a publishing worker does, and keep it until the others have tried."""
    with leases.lease(shop.SHIRT) as claim:
        meet()
        return claim is not None


def test_a_product_is_claimed_by_one_of_four_workers(house: House) -> None:
    open_shop(house, {"S": 50})

    outcomes = race(house, [claim_product] * 4)[0]

    assert sorted(outcomes) == [False, False, False, True]


def test_control_a_separate_check_of_the_lease_lets_several_workers_in(house: House) -> None:
    open_shop(house, {"S": 50})

    def check_then_claim(number: int, meet: Meet) -> bool:
        take_out(
            leases,
            "lease",
            "taken = ProductSync.objects.filter(lease_free(), pk=product_id).update(",
            "there = ProductSync.objects.filter(lease_free(), pk=product_id).exists()\n    meet()\n"
            "    taken = there and ProductSync.objects.filter(pk=product_id).update(",
            meet=meet,
        )
        return claim_product(number, meet)

    outcomes = race(house, [check_then_claim] * 4)[0]

    assert outcomes.count(True) > 1


def test_the_races_run_on_a_shared_database(house: House) -> None:
    """On SQLite the children share a file, not the parent's database in memory."""
    where = alone(house, lambda: str(connection.settings_dict["NAME"]))

    assert where.endswith("shop.sqlite3") or connection.vendor == "postgresql"
