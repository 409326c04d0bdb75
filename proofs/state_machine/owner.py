"""The owner's actions in the admin: deliveries, adjustments, counts and returns, each possibly clicked twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random

from django.db.models import Sum

from inventory.models import Movement, ProductSync, StockItem
from inventory.stock import ledger
from inventory.stripe_sync import snapshot
from proofs.state_machine.books import Key, Verb
from proofs.state_machine.broken import broken
from proofs.state_machine.stage import Stage


class Owner:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.books = stage, stage.books
        self._numbers = itertools.count(1)

    def _item(self, key: Key) -> StockItem:
        with self.stage.processes.aside():
            return StockItem.objects.get(product=key[0], key=key[1])

    def _say(self, kind: str, key: Key, delta: int, act: Callable[[str], object]) -> None:
        """Do it, possibly twice or killed, then check that it was recorded at most once, and correctly."""
        reference = f"click:{next(self._numbers)}"
        for _click in range(self.stage.dice.choice([1, 1, 2])):
            self.stage.process(kind, lambda: act(reference))
        with self.stage.processes.aside():
            rows = list(Movement.objects.filter(kind=kind, reference__endswith=reference))
        if len(rows) > 1 or any(row.delta != delta for row in rows):
            raise broken("1: a click was counted twice, or wrongly", f"{kind} {delta} {key}: {rows}")
        if rows:
            self.books.verbs.append(Verb(rows[0].reference, kind, key, delta))
            if delta < 0:
                self.books.somebody_took.add(key)

    def _may_be_refused(
        self, refusal: type[Exception], note: str, verb: Callable[..., object], item: int, units: int
    ) -> Callable[[str], object]:
        """Wrap the verb for `_say`. Its refusal is a valid outcome, which is noted in the tally."""

        def act(name: str) -> None:
            try:
                verb(item, units, reference=name)
            except refusal:
                self.stage.tally.note(note)

        return act

    def receive(self, dice: Random) -> bool:
        key, units = dice.choice(self.stage.keys), dice.randint(1, 6)
        item = self._item(key)
        self._say("received", key, units, lambda name: ledger.receive(item.pk, units, reference=name))
        return True

    def adjust(self, dice: Random) -> bool:
        key, units = dice.choice(self.stage.keys), dice.choice([-4, -2, -1, 1, 2])
        item = self._item(key)
        act = self._may_be_refused(ledger.NotEnoughUnits, "adjustment refused", ledger.adjust, item.pk, units)
        self._say("adjusted", key, units, act)
        return True

    def count(self, dice: Random) -> bool:
        key, counted = dice.choice(self.stage.keys), dice.randint(0, 12)
        item = self._item(key)
        delta = counted - (item.on_hand or 0) - item.pending
        act = self._may_be_refused(
            ledger.CountUnreadable, "count refused", ledger.set_count, item.pk, counted
        )
        self._say("counted", key, delta, act)
        return True

    def restock(self, dice: Random) -> bool:
        """Return units of a sale. All returns together may never exceed it."""
        with self.stage.processes.aside():
            sales = list(
                Movement.objects.filter(kind="sale", delta__lt=0).select_related("item").order_by("pk")
            )
            if not sales:
                return False
            sale = dice.choice(sales)
            key = (sale.item.product_id, sale.item.key)
            room = -sale.delta - self._returned(sale.reference)
        asked = dice.randint(1, 4)
        units = min(asked, room)
        if units > 0:
            self._say_restock(key, sale.reference, asked, room)
        else:
            name = f"click:{next(self._numbers)}"
            self.stage.process("returned", lambda: ledger.restock(sale.reference, asked, reference=name))
        with self.stage.processes.aside():
            if self._returned(sale.reference) > -sale.delta:
                raise broken("more was returned than was sold", sale.reference)
        return True

    def _say_restock(self, key: Key, sale: str, asked: int, room: int) -> None:
        name = f"click:{next(self._numbers)}"
        for _click in range(self.stage.dice.choice([1, 1, 2])):
            self.stage.process("returned", lambda: ledger.restock(sale, asked, reference=name))
        with self.stage.processes.aside():
            rows = list(Movement.objects.filter(kind="returned", reference=f"{sale}/{name}"))
        if len(rows) > 1 or any(row.delta != min(asked, room) for row in rows):
            raise broken("1: a return was counted twice, or wrongly", f"{asked} of {room}: {rows}")
        self.books.verbs += [Verb(row.reference, "returned", key, row.delta) for row in rows]

    def _returned(self, sale: str) -> int:
        rows = Movement.objects.filter(kind="returned", reference__startswith=f"{sale}/")
        return rows.aggregate(units=Sum("delta"))["units"] or 0

    def take_over(self, dice: Random) -> bool:
        """Make this shop the writer of a product that another shop's version tag paused."""
        with self.stage.processes.aside():
            foreign = ProductSync.objects.filter(pause_reason=ProductSync.PauseReason.FOREIGN)
            paused = list(foreign.values_list("pk", flat=True))
        if not paused:
            return False
        product = dice.choice(sorted(paused))
        self.stage.process("take over", lambda: snapshot.accept_stripe_counts(product))
        return True
