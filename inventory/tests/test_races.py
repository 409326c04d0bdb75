"""Races on PostgreSQL: the last unit, opposite lock orders, one event eight times, two workers.

Threads meet at a barrier, each with its own connection. SQLite serializes writers (IMMEDIATE), so there is nothing
to race; the drop benchmark covers it. Two control tests remove a guard and must see the damage, which proves
that the race can happen.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone

from config.stripe_events import EVENTS
from inventory.db import insert_new
from inventory.events import inbox
from inventory.models import Hold, Movement, StockItem, StockUpdate, StripeEvent
from inventory.stock import ledger
from inventory.stock.ledger import InsufficientStock, SaleLine
from inventory.stripe_sync import product_events, publisher, updates
from inventory.tests.factories import Shirt
from inventory.tests.test_webhook import an_event, signed
from inventory.worker import drain

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="races need PostgreSQL"),
]

MANY = 8


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run all functions at the same moment; returns what each returned or raised, in order."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait(10)
        try:
            return act()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.fixture
def shirt(fake: FakeStripe, transactional_db: None) -> Iterator[Shirt]:
    fake.add_product(
        id="prod_shirt",
        name="Shirt",
        metadata={"sizes": "S,M,L", "stock_S": "10", "stock_M": "15", "stock_L": "1"},
    )
    shirt = Shirt(fake, "prod_shirt")
    shirt.sync()
    StockItem.objects.update(opened_at=F("opened_at") - timedelta(minutes=1))
    yield shirt
    # Movements are append-only, which applies to the flush of a test as well.
    Movement.objects.all()._raw_delete("default")


def hold_one(item: StockItem, number: int) -> Callable[[], None]:
    return lambda: ledger.hold(f"order:{number}", {item.pk: 1})


def test_the_last_unit_goes_to_one_of_eight(shirt: Shirt) -> None:
    last = shirt.item("L")

    answers = at_once(*(hold_one(last, number) for number in range(MANY)))

    assert answers.count(None) == 1
    assert sum(isinstance(answer, InsufficientStock) for answer in answers) == MANY - 1
    assert Hold.objects.count() == 1 and shirt.item("L").held == 1


def test_control_check_then_act_sells_the_last_unit_twice(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the atomic UPDATE: read what is left, decide, write. The race must oversell."""
    looked = threading.Barrier(2)

    def look_then_leap(item_id: int, quantity: int, rush: object) -> bool:
        item = StockItem.objects.get(pk=item_id)
        looked.wait(10)
        if (item.available or 0) < quantity:
            return False
        return bool(StockItem.objects.filter(pk=item_id).update(held=F("held") + quantity))

    monkeypatch.setattr(ledger, "_reserve", look_then_leap)

    answers = at_once(*(hold_one(shirt.item("L"), number) for number in range(2)))

    assert answers == [None, None] and shirt.item("L").held == 2


def test_carts_with_the_same_sizes_in_opposite_order_do_not_deadlock(shirt: Shirt) -> None:
    one, other = shirt.item("S").pk, shirt.item("M").pk

    def buy(number: int) -> None:
        sizes = [one, other] if number % 2 else [other, one]
        for turn in range(10):
            reference = f"order:{number}:{turn}"
            ledger.hold(reference, dict.fromkeys(sizes, 1))
            ledger.release(reference)

    answers = at_once(*(partial(buy, number) for number in range(MANY)))

    assert answers == [None] * MANY
    assert shirt.item("S").held == shirt.item("M").held == 0


def test_all_or_nothing_holds_under_pressure(shirt: Shirt) -> None:
    """Each cart wants one S and the only L. Carts without the L must not keep an S."""
    demand = {shirt.item("S").pk: 1, shirt.item("L").pk: 1}

    at_once(*(partial(ledger.hold, f"order:{number}", demand) for number in range(MANY)))

    assert shirt.item("S").held == shirt.item("L").held == 1


def test_one_session_settled_by_eight_at_once_is_sold_once(shirt: Shirt) -> None:
    item = shirt.item("M")
    ledger.hold("order:1", {item.pk: 2})
    lines = [SaleLine("order:1:0", item.pk, 2)]

    at_once(*(lambda: ledger.sell(["order:1"], lines, now=timezone.now()) for _worker in range(MANY)))

    item = shirt.item("M")
    assert (item.pending, item.held) == (-2, 0)
    assert ledger.find_drift() == []


def test_sessions_with_several_lines_settled_twice_at_once_do_not_deadlock(shirt: Shirt) -> None:
    pks = [shirt.item(size).pk for size in "SML"]

    def settle(number: int) -> list[Movement]:
        order = f"order:{number // 2}"
        turned = pks if number % 2 else pks[::-1]
        lines = [SaleLine(f"{order}:{pk}", pk, 1) for pk in turned]
        return ledger.sell(order, lines, now=timezone.now())

    answers = at_once(*(partial(settle, number) for number in range(MANY)))

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert shirt.item("S").pending == shirt.item("M").pending == -MANY // 2
    assert ledger.find_drift() == []


def test_a_release_and_a_payment_at_once_end_the_hold_once(shirt: Shirt) -> None:
    item = shirt.item("M")
    for number in range(10):
        order = f"order:{number}"
        ledger.hold(order, {item.pk: 1})

        at_once(
            partial(ledger.release, order),
            partial(ledger.sell, order, [SaleLine(f"{order}:0", item.pk, 1)], now=timezone.now()),
        )

    item = shirt.item("M")
    assert (item.held, item.pending) == (0, -10)


def test_returns_at_once_give_back_no_more_than_was_sold(shirt: Shirt) -> None:
    shirt.sell("M", 3, order="order:1")

    answers = at_once(
        *(partial(ledger.restock, "order:1:0", 2, reference=f"refund:{number}") for number in range(MANY))
    )

    assert sum(answers) == 3 and shirt.item("M").pending == 0


def test_a_stocktake_during_sales_is_correct(shirt: Shirt) -> None:
    """In any order: the count sets 11 at its moment, and three sales take one each."""
    item = shirt.item("M")
    # Not 12: after three sales nothing would differ, and no movement would be recorded.
    acts: list[Callable[[], Any]] = [lambda: ledger.set_count(item.pk, 11, reference="form:1")]
    acts += [partial(shirt.sell, "M", order=f"order:{number}") for number in range(3)]

    at_once(*acts)

    movement = Movement.objects.get(kind="counted")
    assert ledger.find_drift() == []
    assert 15 + movement.delta - 3 == (shirt.item("M").on_hand or 0) + shirt.item("M").pending


# --- Events -----------------------------------------------------------------------------------


def test_one_event_delivered_eight_times_at_once_is_stored_once(shirt: Shirt) -> None:
    body = json.dumps(an_event("evt_race"))

    def deliver() -> int:
        answer: Any = Client().post(
            "/stripe/webhook/",
            body,
            content_type="application/json",
            headers={"Stripe-Signature": signed(body)},
        )
        return int(answer.status_code)

    answers = at_once(*[deliver] * MANY)

    assert answers == [200] * MANY
    assert StripeEvent.objects.filter(pk="evt_race").count() == 1


def test_one_event_taken_by_eight_workers_at_once_is_handled_by_one(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setitem(EVENTS, "test.happened", ["the handler"])
    monkeypatch.setattr(inbox, "import_string", lambda path: lambda event: calls.append(event.pk))
    inbox.store_events([an_event("evt_race", type="test.happened")])

    at_once(*(lambda: inbox.handle("evt_race", timezone.now()) for _worker in range(MANY)))

    assert calls == ["evt_race"]


def test_twin_events_counted_at_once_are_one_edit(shirt: Shirt) -> None:
    shirt.edit(M=20)
    event = list(shirt.fake.events.values())[-1]

    answers = at_once(
        *(
            partial(product_events.apply_product_updated, {**event, "id": f"evt_twin_{number}"})
            for number in range(MANY)
        )
    )

    assert answers == [None] * MANY
    assert shirt.movements("M", "edited") == [5] and shirt.item("M").on_hand == 20


def test_control_asking_whether_a_request_was_counted_lets_twins_count_twice(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the row lock, and with a SELECT in place of the unique constraint."""
    from inventory.models import ProcessedRequest, ProductSync

    asked = threading.Barrier(2)

    def ask_first(rows: list[Any], *, unique: Any) -> list[Any]:
        if isinstance(rows[0], ProcessedRequest):
            known = ProcessedRequest.objects.filter(request=rows[0].request).exists()
            asked.wait(10)
            return [] if known else rows
        rows[0].reference += str(threading.get_ident())
        return real_insert(rows, unique=unique)

    real_insert = insert_new
    monkeypatch.setattr(product_events, "insert_new", ask_first)
    monkeypatch.setattr(product_events, "lock_sync", lambda pk: ProductSync.objects.get(pk=pk))
    monkeypatch.setattr(product_events, "lock_items", lambda pk: list(StockItem.objects.filter(product=pk)))
    shirt.edit(M=20)
    event = list(shirt.fake.events.values())[-1]

    at_once(*(lambda: product_events.apply_product_updated(event) for _twin in range(2)))

    assert shirt.item("M").on_hand == 25


# --- Publishing -------------------------------------------------------------------------------


def test_two_workers_update_a_product_one_after_the_other(shirt: Shirt) -> None:
    shirt.sell("M", 2)
    shirt.fake.forget_calls()
    now = timezone.now() + timedelta(seconds=3)

    answers = at_once(*(lambda: publisher.publish_product("prod_shirt", now) for _worker in range(4)))

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert len(shirt.updates_sent()) == 1
    assert shirt.at_stripe("M") == "13"


def test_an_update_applied_by_response_and_event_at_once_is_published_once(shirt: Shirt) -> None:
    shirt.sell("M", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "_send", lambda *_: None)
        publisher.publish_product("prod_shirt", timezone.now() + timedelta(seconds=3))
    update = StockUpdate.objects.get(state="open")

    answers = at_once(*(lambda: updates.apply_update(update, timezone.now()) for _worker in range(MANY)))

    assert answers.count(True) == 1
    assert (shirt.item("M").on_hand, shirt.item("M").pending) == (13, 0)


def test_movements_made_during_an_update_belong_to_it_or_to_the_next(shirt: Shirt) -> None:
    stop = threading.Event()

    def publishing() -> int:
        rounds = 0
        while not stop.is_set() and rounds < 500:
            publisher.publish_product("prod_shirt", timezone.now() + timedelta(seconds=3 + rounds))
            rounds += 1
        return rounds

    def selling(number: int) -> None:
        try:
            for turn in range(4):
                shirt.sell("M", order=f"order:{number}:{turn}")
        finally:
            if number == 0:
                stop.set()

    at_once(publishing, *(partial(selling, number) for number in range(3)))
    shirt.settle()

    assert shirt.at_stripe("M") == "3"
    assert shirt.is_at_rest()
    assert not Movement.objects.filter(published_at=None).exists()


def test_concurrent_edits_sales_and_updates_add_up(shirt: Shirt) -> None:
    """Two workers drain during edits and sales."""
    acts: list[Callable[[], Any]] = [drain, drain]
    acts += [partial(shirt.sell, "M", order=f"order:{number}") for number in range(5)]
    acts.append(lambda: shirt.edit(S=12))

    answers = at_once(*acts)
    shirt.settle()

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert (shirt.at_stripe("S"), shirt.at_stripe("M")) == ("12", "10")
    assert shirt.is_at_rest()


def test_a_waiting_transaction_decides_on_the_committed_row(shirt: Shirt) -> None:
    """READ COMMITTED: the UPDATE that waited re-evaluates its condition on the new row."""
    item, held = shirt.item("L"), threading.Event()

    def first() -> None:
        with transaction.atomic():
            ledger.hold("order:first", {item.pk: 1})
            held.set()
            # The other transaction finds the row locked or already changed, depending on the timing.
            threading.Event().wait(0.05)

    def second() -> None:
        held.wait(10)
        ledger.hold("order:second", {item.pk: 1})

    answers = at_once(first, second)

    assert answers[0] is None and isinstance(answers[1], InsufficientStock)
