"""The state file, and transactions of the store."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.store import Store, Table
from fake_stripe.tests.conftest import NOW, Receiver, open_session


def test_a_rolled_back_removal_keeps_the_rows_place() -> None:
    store = Store()
    with store.transaction():
        for id in ("a", "b", "c"):
            store.put("thing", id, {"id": id})

    with pytest.raises(ZeroDivisionError), store.transaction():
        store.remove("thing", "a")
        store.remove("thing", "b")
        store.put("thing", "a", {"id": "another"})
        raise ZeroDivisionError

    table = store.table("thing")
    assert [row["id"] for row in table.oldest_first()] == ["a", "b", "c"]
    assert [row["id"] for row in table.newest_first()] == ["c", "b", "a"]


def test_many_rolled_back_removals_keep_every_rows_place() -> None:
    ids = [f"{n:04}" for n in range(2000)]
    store = Store()
    with store.transaction():
        for id in ids:
            store.put("thing", id, {"id": id})

    with pytest.raises(ZeroDivisionError), store.transaction():
        for id in ids[:-1]:
            store.remove("thing", id)
        raise ZeroDivisionError

    assert [row["id"] for row in store.table("thing").oldest_first()] == ids


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state.sqlite3")


def started(path: str) -> tuple[FakeStripe, stripe.StripeClient]:
    fake = FakeStripe(state_path=path, now=NOW)
    return fake, stripe.StripeClient("sk_test_fake", http_client=fake.http_client())


def test_the_state_survives_a_restart(path: str) -> None:
    fake, client = started(path)
    product = fake.add_product(
        name="A", prices=[{"unit_amount": 500, "currency_options": {"eur": {"unit_amount": 4}}}]
    )
    paid = open_session(client, product["default_price"], metadata={"order": "1"})
    fake.pay(paid.id)
    waiting = open_session(client, product["default_price"])
    client.v1.products.update(product["id"], {"metadata": {"a": "1"}}, {"idempotency_key": "k"})
    before = [dict(rows.items()) for rows in (fake.products, fake.prices, fake.sessions, fake.events)]
    fake.close()

    fake, client = started(path)

    assert [dict(rows.items()) for rows in (fake.products, fake.prices, fake.sessions, fake.events)] == before
    assert [s.id for s in client.v1.checkout.sessions.list()] == [waiting.id, paid.id]
    again = client.v1.products.update(product["id"], {"metadata": {"a": "1"}}, {"idempotency_key": "k"})
    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    fake.forward(24 * 3600)
    assert fake.sessions[waiting.id]["status"] == "expired"
    fake.close()


def test_the_pages_of_open_sessions_follow_the_port(path: str) -> None:
    fake, client = started(path)
    product = fake.add_product(name="A", prices=[{"unit_amount": 500}])
    session = open_session(client, product["default_price"])
    fake.close()

    fake, _ = started(path)
    fake.base_url = "http://127.0.0.1:9999/"

    assert fake.sessions[session.id]["url"] == f"http://127.0.0.1:9999/c/pay/{session.id}"
    fake.close()


def test_new_ids_after_a_restart_are_new(path: str) -> None:
    ids = []
    for _ in range(3):
        fake, client = started(path)
        ids.append(client.v1.products.create({"name": "A"}).id)
        fake.close()

    assert len(set(ids)) == 3


def test_waiting_deliveries_are_sent_after_a_restart_with_the_same_secret(path: str) -> None:
    fake, client = started(path)
    secret = fake.add_webhook_endpoint("https://shop.test/")["secret"]
    client.v1.products.create({"name": "A"})
    fake.deliver_to(lambda url, headers, body: (500, b""))
    fake.deliver_due()
    fake.close()

    fake, client = started(path)
    receiver = Receiver(secret=secret)
    fake.deliver_to(receiver)
    assert fake.deliver_due() == []
    fake.forward(2)
    fake.deliver_due()

    assert receiver.types() == ["product.created"]
    (delivery,) = fake.deliveries()
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 200]
    fake.close()


def test_the_clocks_offset_survives_a_restart(path: str) -> None:
    fake, _ = started(path)
    fake.forward(1000)
    fake.close()

    fake, _ = started(path)

    assert fake.clock.now() == NOW + 1000
    fake.close()


def test_a_killed_process_loses_nothing_it_has_answered(path: str) -> None:
    code = (
        "import os, sys\n"
        "from fake_stripe import FakeStripe\n"
        f"fake = FakeStripe(state_path={path!r})\n"
        "for n in range(50):\n"
        "    fake.call('POST', '/v1/products', f'name=N{n}')\n"
        "os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 9

    fake, _ = started(path)

    assert [p["name"] for p in fake.products.values()] == [f"N{n}" for n in range(50)]
    assert len(fake.events) == 50
    fake.close()


def test_a_file_in_use_and_a_foreign_file_are_refused_with_a_message(path: str, tmp_path: Path) -> None:
    fake, _ = started(path)
    with pytest.raises(OSError, match="another process"):
        FakeStripe(state_path=path)
    fake.close()

    other = tmp_path / "notes.txt"
    other.write_text("not a database, and longer than one page of nothing " * 100)
    with pytest.raises(OSError, match="not a state file"):
        FakeStripe(state_path=str(other))


def test_a_file_of_another_format_is_refused(path: str) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(OSError, match="its format is 99"):
        FakeStripe(state_path=path)


def test_a_transaction_is_atomic() -> None:
    store = Store()
    done: list[str] = []
    with store.transaction():
        store.put("thing", "a", {"n": 1})

    with pytest.raises(RuntimeError, match="stop"), store.transaction():
        store.put("thing", "a", {"n": 2})
        store.put("thing", "b", {"n": 3})
        store.remove("thing", "a")
        store.after_commit(lambda: done.append("committed"))
        raise RuntimeError("stop")

    assert store.table("thing").rows == {"a": {"n": 1}}
    assert done == []
    with store.transaction():
        store.after_commit(lambda: done.append("committed"))
    assert done == ["committed"]


def test_rows_can_only_be_changed_inside_a_transaction() -> None:
    store = Store()

    with pytest.raises(RuntimeError, match="transaction"):
        store.put("thing", "a", {})


def test_a_table_keeps_its_order_after_many_removals() -> None:
    store = Store()
    with store.transaction():
        for n in range(3000):
            store.put("thing", str(n), {"n": n})
        for n in range(2500):
            store.remove("thing", str(n))

    table = store.table("thing")
    newest: list[Any] = [row["n"] for row in table.newest_first()]
    assert newest == list(range(2999, 2499, -1))
    assert [row["n"] for row in table.newest_first(before=table.place("2600"))][:2] == [2599, 2598]
    assert [row["n"] for row in table.oldest_first()] == list(range(2500, 3000))
    with store.transaction():
        for n in range(2500, 3000):
            store.remove("thing", str(n))
        store.put("thing", "new", {"n": 1})
    assert list(table.oldest_first()) == list(table.newest_first()) == [{"n": 1}]


def test_the_clock_cannot_move_backward(fake: FakeStripe) -> None:
    with pytest.raises(ValueError, match="forward"):
        fake.forward(-1)


def held_by_another_thread(lock: Any) -> bool:
    """Whether another thread would have to wait for the lock."""

    def attempt() -> bool:
        free = bool(lock.acquire(blocking=False))
        if free:
            lock.release()
        return not free

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(attempt).result()


def test_due_items_are_looked_up_under_the_lock(monkeypatch: Any) -> None:
    """Otherwise another thread could remove the last deadline, or an event, between two accesses."""
    fake = FakeStripe(now=NOW)
    held: list[bool] = []

    class Watched(list[Any]):
        def __getitem__(self, place: Any) -> Any:
            held.append(held_by_another_thread(fake.account.store.lock))
            return super().__getitem__(place)

    def watched(table: Table, after: int | None = None) -> Iterator[Any]:
        held.append(held_by_another_thread(fake.account.store.lock))
        return iter(())

    fake.account.deadlines = Watched([(NOW + 1, "cs_1")])
    monkeypatch.setattr(Table, "oldest_first", watched)

    fake.account.tick()

    assert held == [True, True]
