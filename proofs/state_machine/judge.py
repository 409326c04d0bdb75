"""Check the invariants after healing: counts, sales and holds against the world's own books."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from django.db.models import Sum

from checkout.models import Order
from inventory.models import Hold, Issue, Movement, ProductSync, StockItem, StockUpdate, StripeEvent
from proofs.state_machine.books import Key
from proofs.state_machine.broken import broken
from proofs.state_machine.stage import Stage
from proofs.state_machine.wire import is_count

TELL = {
    Issue.Kind.AMBIGUOUS_EDIT,
    Issue.Kind.EDIT_TO_REVIEW,
    Issue.Kind.UNREADABLE_COUNT,
    Issue.Kind.RESTORED_DATABASE,
}


class Judge:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.books, self.fake = stage, stage.books, stage.fake

    def everything(self) -> None:
        """Check every invariant. Raises BrokenPromise."""
        with self.stage.processes.aside():
            self._nothing_is_left()
            self._at_rest()
            self._sales_are_those_that_were_paid()
            for key in self.stage.keys:
                self._count_is_right(key)
            self._edits_are_counted_once()
            self._oversold_only_by_others()
            self._replaced_counts_were_reported()
            self._refunds_were_reported()

    def _nothing_is_left(self) -> None:
        left = {
            "7: an update stays open": StockUpdate.objects.filter(state=StockUpdate.State.OPEN),
            "7: movements stay pending": Movement.objects.filter(published_at=None),
            "8: a hold outlives its session": Hold.objects.all(),
            "an event was not handled": StripeEvent.objects.exclude(state=StripeEvent.State.HANDLED),
            "7: a product stays paused": ProductSync.objects.exclude(
                pause_reason=ProductSync.PauseReason.NOT
            ),
            "an order stays open": Order.objects.filter(
                state__in=[Order.State.OPEN, Order.State.AWAITING_PAYMENT]
            ),
        }
        for promise, found in left.items():
            if found.exists():
                raise broken(
                    promise,
                    [(row, getattr(row, "error", "") or getattr(row, "why_parked", "")) for row in found],
                )

    def _at_rest(self) -> None:
        """2: Stripe's count = on_hand = the sum of the movements."""
        for key in self.stage.keys:
            item = StockItem.objects.get(product=key[0], key=key[1])
            text = self.fake.products[key[0]]["metadata"].get(key[1])
            total = item.movements.aggregate(units=Sum("delta"))["units"] or 0
            if not is_count(text) or not int(text or 0) == item.on_hand == total or item.pending:
                seen = f"{key}: at Stripe {text!r}, on_hand {item.on_hand}, movements {total}, pending {item.pending}"
                raise broken("2: at rest the counts are not equal", seen)

    def _sales_are_those_that_were_paid(self) -> None:
        """1: at most one sale per line, and in the end every paid session has its sales, or an issue lists it."""
        reported = self._report_of_restore()
        for session, units in self.books.paid.items():
            order = Order.objects.filter(session_id=session).first()
            if order is None:
                raise broken("1: a paid session has no order", session)
            counted = self._counted(order, reported)
            if counted != units:
                raise broken(
                    "1: the units paid are not the units counted",
                    f"{session}: paid {units}, counted {counted}",
                )
        self._nothing_else_was_sold()

    def _counted(self, order: Order, reported: str) -> Counter[Key]:
        """Units by the ledger. A line without a sale counts too if the issue of a restore lists it (`reported`)."""
        counted: Counter[Key] = Counter()
        for line in order.lines.select_related("item"):
            sales = list(
                Movement.objects.filter(kind="sale", reference=line.reference).select_related("item")
            )
            for sale in sales:
                counted[sale.item.product_id, sale.item.key] -= sale.delta
            if not sales and line.item is not None and line.reference in reported:
                counted[line.item.product_id, line.item.key] += line.quantity
        return counted

    def _nothing_else_was_sold(self) -> None:
        sold = Movement.objects.filter(kind="sale").values_list("reference", flat=True)
        paid = {f"order:{order.pk}" for order in Order.objects.filter(session_id__in=list(self.books.paid))}
        if extra := [reference for reference in sold if reference.rpartition(":")[0] not in paid]:
            raise broken("1: a sale without a payment", extra)

    def _report_of_restore(self) -> str:
        return "\n".join(
            Issue.objects.filter(kind=Issue.Kind.RESTORED_DATABASE).values_list("text", flat=True)
        )

    # --- the counts themselves

    def _count_is_right(self, key: Key) -> None:
        actual = int(self.fake.products[key[0]]["metadata"][key[1]])
        expected = self.books.expected(key) + self._oversold(key)
        if actual == expected or key in self.books.undecided:
            return
        if self._is_reported(key):
            self.stage.tally.note("wrong, with an issue")
            return
        if self.books.restored and (actual - expected) in self._what_may_be_missing(key):
            self.stage.tally.note("restored: listed in an issue")
            return
        raise broken(
            "2: the count at Stripe is wrong", f"{key}: {actual}, should be {expected}; books {self.books}"
        )

    def _oversold(self, key: Key) -> int:
        rows = Movement.objects.filter(kind="oversold", item__product=key[0], item__key=key[1])
        return rows.aggregate(units=Sum("delta"))["units"] or 0

    def _is_reported(self, key: Key) -> bool:
        if key[0] not in self.books.doubtful:
            return False
        subjects = [key[0], f"{key[0]} {key[1]}"]
        return Issue.objects.filter(kind__in=TELL, subject__in=subjects).exists()

    def _what_may_be_missing(self, key: Key) -> set[int]:
        """After a restore: every sum of changes that the issue lists or that only the lost database recorded."""
        reported = self._report_of_restore()
        parts = [verb.delta for verb in self.books.lost_verbs if verb.key == key]
        # The issue asks to check edits made in between: each edit whose event the restored database had not handled.
        parts += [-edit.difference for edit in self.books.unheard if edit.key == key]
        parts += [-verb.delta for verb in self.books.verbs if verb.key == key and verb.reference in reported]
        for session, units in self.books.paid.items():
            order = Order.objects.filter(session_id=session).first()
            if order is None or not units[key]:
                continue
            if any(line.reference in reported for line in order.lines.all()):
                parts.append(units[key])
        return {sum(some) for size in range(len(parts[:14]) + 1) for some in combinations(parts[:14], size)}

    def _edits_are_counted_once(self) -> None:
        """4, by the ledger: its edits equal those in the books, except for doubtful products."""
        if self.books.restored:
            return
        for key in self.stage.keys:
            if key in self.books.undecided or key[0] in self.books.doubtful:
                continue
            rows = Movement.objects.filter(kind="edited", item__product=key[0], item__key=key[1])
            counted = rows.aggregate(units=Sum("delta"))["units"] or 0
            if counted != self.books.edits[key]:
                raise broken(
                    "4: edits were not counted once",
                    f"{key}: {counted}, intended {self.books.edits[key]}",
                )

    def _oversold_only_by_others(self) -> None:
        """3: without reductions by hand or external sales, a size is never oversold."""
        if self.books.restored:
            return
        for key in self.stage.keys:
            if key in self.books.somebody_took or key[0] in self.books.doubtful:
                continue
            if self._oversold(key):
                raise broken("3: oversold by the shop alone", f"{key}: {self._oversold(key)}")

    def _replaced_counts_were_reported(self) -> None:
        """10: an invalid count that our update replaced has an issue."""
        for product, key in self.stage.wire.replaced:
            if not Issue.objects.filter(
                kind=Issue.Kind.UNREADABLE_COUNT, subject=f"{product} {key}"
            ).exists():
                raise broken("10: an invalid count was replaced without an issue", f"{product} {key}")

    def _refunds_were_reported(self) -> None:
        for session in self.books.refunded:
            order = Order.objects.filter(session_id=session).first()
            if (
                order is not None
                and not Issue.objects.filter(
                    kind__startswith="refund", subject__contains=order.number
                ).exists()
            ):
                raise broken("a refund opened no issue", f"{session} {order}")
