"""Random schedules against books of our own: sales, edits, old forms, lost and doubled events, cut calls, dead workers.

After everything has healed, the count at Stripe is what stood at first, less what was sold, plus what people
changed; and the shop's ledger says the same. `SCHEDULES=500 pytest inventory/tests/test_random_schedules.py`
runs more of them; a seed that fails is named in the test's id.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F
from django.utils import timezone

from config import fault_points
from inventory import ledger, look
from inventory.counts import parse_count
from inventory.models import Case, Movement, ProductStock, StockItem, StockWrite, StripeEvent
from inventory.tests.shirt import Shirt
from inventory.worker import drain

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

SEEDS = range(int(os.environ.get("SCHEDULES", "8")))
STEPS = 40
SIZES = {"S": 60, "M": 60}


UPDATES = {"types": ("product.updated",)}
TROUBLES: list[tuple[str, dict[str, Any]]] = [
    ("duplicate", {**UPDATES, "copies": 3}),
    ("twin", UPDATES),
    ("drop", UPDATES),
    ("reorder", UPDATES),
    ("delay", {**UPDATES, "seconds": 5}),
    ("cut", {"method": "POST", "when": "before"}),
    ("cut", {"method": "POST", "when": "after"}),
    ("cut", {"method": "GET", "when": "before"}),
    ("error_500", {"method": "POST", "when": "before"}),
    ("error_500", {"method": "POST", "when": "after"}),
    ("error_429", {}),
    ("lock_timeout", {"method": "POST"}),
]


class Died(BaseException):
    """The worker's process ended here."""


class Schedule:
    """One seed's story; `books` is what each count at Stripe should be in the end."""

    def __init__(self, seed: int, shirt: Shirt, monkeypatch: pytest.MonkeyPatch) -> None:
        self.random, self.shirt, self.fake = random.Random(seed), shirt, shirt.fake
        self.books = Counter(SIZES)
        self.form: dict[str, str] | None = None
        self.garbled: dict[str, int] = {}
        self.told: list[str] = []
        self.died = 0
        monkeypatch.setattr(fault_points, "visit", self.visit)
        self.deadly = False

    def visit(self, name: str) -> None:
        if self.deadly and self.random.random() < 0.02:
            self.died += 1
            self.told.append(f"died at {name}")
            raise Died(name)

    def size(self) -> str:
        return self.random.choice(list(SIZES))

    # --- what may happen

    def sell(self) -> None:
        size, quantity = self.size(), self.random.choice([1, 1, 2])
        if (self.shirt.item(size).available or 0) >= quantity:
            self.shirt.sell(size, quantity)
            self.books[size] -= quantity

    def receive(self) -> None:
        size = self.size()
        if self.shirt.item(size).state != StockItem.State.UNLIMITED:
            ledger.receive(self.shirt.item(size).pk, 3, reference=f"form:{self.random.random()}")
            self.books[size] += 3

    def edit(self) -> None:
        size = self.size()
        stands = parse_count(self.shirt.at_stripe(size))
        if stands is not None:
            change = max(-stands, self.random.choice([-3, -1, 2, 5]))
            self.shirt.edit(**{size: stands + change})
            self.books[size] += change

    def garble(self) -> None:
        size = self.size()
        stands = parse_count(self.shirt.at_stripe(size))
        if stands is not None and not self.garbled:
            self.garbled[size] = stands
            garbage = self.random.choice(["ten", "1_0", "", "unlimited"])
            self.shirt.edit_keys({f"stock_{size}": garbage})

    def mend(self) -> None:
        for size, stood in list(self.garbled.items()):
            now_stands = parse_count(self.shirt.at_stripe(size))
            base = stood if now_stands is None else now_stands
            self.shirt.edit(**{size: base + 4})
            self.books[size] += 4
            del self.garbled[size]

    def rename(self) -> None:
        self.fake.dashboard.edit_product("prod_shirt", name=f"Shirt {self.random.randrange(99)}")

    def lose_mark(self) -> None:
        self.shirt.edit_keys({"inventory_version": ""})

    def open_form(self) -> None:
        """Only a form whose state nobody can mistake: right after the shop itself has written."""
        self.heal()
        if not self.garbled:
            self.form = self.shirt.form()

    def save_form(self) -> None:
        if self.form is None or self.garbled or self.form["inventory_version"] == self.shirt.mark:
            return
        if self.shirt.mark is None:
            return
        size = self.size()
        counts = {key: int(text) for key, text in self.form.items() if key.startswith("stock_")}
        self.shirt.save_form(self.form, **{size: counts[f"stock_{size}"] + 2})
        self.books[size] += 2
        self.form = None

    def deliver(self) -> None:
        self.fake.deliver_due()

    def work(self) -> None:
        try:
            self.deadly = True
            drain(timezone.now() + timedelta(seconds=self.random.choice([0, 0, 5, 70])))
        except Died:
            pass
        finally:
            self.deadly = False

    def break_something(self) -> None:
        kind, options = self.random.choice(TROUBLES)
        self.fake.faults.add(kind, **options)

    def heal(self) -> None:
        """Nothing goes wrong any more, the leases of the dead run out, a worker starts, and what was lost is fetched."""
        StripeEvent.objects.update(lease_until=None)
        ProductStock.objects.update(lease_until=None)
        self.fake.faults.clear()
        self.fake.clock.forward(6)
        look.want_all()
        drain(timezone.now() + timedelta(seconds=100), hourly=True)
        self.shirt.settle()

    def run(self) -> None:
        actions: list[tuple[int, Callable[[], None]]] = [
            (8, self.sell),
            (2, self.receive),
            (4, self.edit),
            (1, self.garble),
            (2, self.mend),
            (1, self.rename),
            (1, self.lose_mark),
            (1, self.open_form),
            (1, self.save_form),
            (5, self.deliver),
            (8, self.work),
            (5, self.break_something),
        ]
        weights, verbs = zip(*actions, strict=True)
        for verb in self.random.choices(verbs, weights, k=STEPS):
            self.told.append(verb.__name__)
            verb()
        self.mend()
        self.heal()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_schedule_ends_with_the_right_counts(
    seed: int, fake: FakeStripe, new_shirt: Callable[..., Shirt], monkeypatch: pytest.MonkeyPatch
) -> None:
    shirt = new_shirt(**SIZES)
    shirt.sync()
    StockItem.objects.update(began_at=F("began_at") - timedelta(minutes=1))
    schedule = Schedule(seed, shirt, monkeypatch)

    schedule.run()

    at_stripe = {size: shirt.at_stripe(size) for size in SIZES}
    told = "\n".join([*schedule.told, *(f"CASE {case.kind}: {case.text}" for case in Case.objects.all())])
    assert at_stripe == {size: str(count) for size, count in schedule.books.items()}, told
    assert shirt.is_at_rest(), told
    assert not StockWrite.objects.filter(state="open").exists()
    sales = Movement.objects.filter(kind="sale").values_list("reference", flat=True)
    assert len(sales) == len(set(sales))
