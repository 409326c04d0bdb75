"""The actors on their stage, and what they can make the shop do: deliveries, worker runs, backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any

from django.test import RequestFactory
from django.utils import timezone

from checkout.recovery import backfill
from config.stripe_client import StripeCallError
from config.worker_tasks import WORKER_TASKS
from inventory import cleanup, views, worker
from inventory.models import Movement, ProcessedRequest, StockUpdate, StripeEvent, VersionSnapshot
from proofs.state_machine import database
from proofs.state_machine.books import Verb
from proofs.state_machine.broken import broken
from proofs.state_machine.customers import Customers
from proofs.state_machine.owner import Owner
from proofs.state_machine.people import People
from proofs.state_machine.stage import Stage

SEASON, STEP = 112, 28  # days: longer than rows are kept, and shorter than Stripe keeps events
FORGOTTEN = (StripeEvent, ProcessedRequest, StockUpdate, VersionSnapshot)


class Cast(Stage):
    def __init__(self, dice: Random) -> None:
        super().__init__(dice)
        self.people, self.customers, self.owner = People(self), Customers(self), Owner(self)
        self.backup: tuple[database.Copy, float] | None = None

    # --- Stripe's calls and the worker's

    def send_to_the_shop(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        request = RequestFactory().post(
            "/stripe/webhook/", data=body, content_type="application/json", headers=without_type(headers)
        )
        answer = self.process("webhook", lambda: views.stripe_webhook(request))
        if answer is None:
            raise ConnectionError("the process died")
        if answer.status_code != 200:
            raise broken("a signed event was refused", answer.content)
        return answer.status_code, answer.content

    def deliver(self) -> int:
        return len(self.fake.deliver_due())

    def work(self, dice: Random) -> None:
        """Run one of the worker's tasks once."""
        task = dice.choice(WORKER_TASKS)
        self.process(f"worker {task.path}", lambda: worker.run_task(task, timezone.now()))

    def work_all(self) -> None:
        self.process("worker", lambda: worker.drain())

    def season_passes(self) -> bool:
        """So many days that rows become old, with a worker that reads Stripe's events as it should. Faults end before."""
        if self.processes.running:
            return False
        self.trouble.off()
        self.trouble.land(all_of_them=True)
        if self.books.restored:
            self.backfill()  # docs/operating.md asks for it after a restore.
        with self._deletions_are_noted():
            # What came before is read, before it is as old as Stripe's events may become.
            for days in [0, *[STEP] * (SEASON // STEP)]:
                self.fake.forward(days * 24 * 3600)
                # Stripe's list shows that the time has passed there as well.
                self.people.write_a_note(self.dice)
                self.deliver()
                while self.process("worker", lambda: worker.drain(hourly=True)) is None:
                    pass  # It was killed, and another one is started at once.
        self.backup = None  # Of a database older than Stripe's events, docs/operating.md promises nothing.
        return True

    def forget(self) -> None:
        """Delete what is old, until nothing is left to delete, unless the worker is killed in between."""
        with self._deletions_are_noted():
            for _round in range(20):
                if not self.process("cleanup", lambda: cleanup.delete_expired(timezone.now())):
                    break

    @contextmanager
    def _deletions_are_noted(self) -> Iterator[None]:
        before = self._rows()
        yield
        after = self._rows()
        for name, keys in before.items():
            self.tally.notes[f"deleted: {name}"] += len(keys - after[name])

    def _rows(self) -> dict[str, set[Any]]:
        with self.processes.aside():
            return {
                model.__name__: set(model._default_manager.values_list("pk", flat=True))
                for model in FORGOTTEN
            }

    def backfill(self) -> None:
        """Fetch from Stripe's lists what never reached the webhook. Idempotent."""
        since = timezone.now() - timedelta(days=29)

        def fetch() -> None:
            try:
                backfill.store_events(since=since)
                applied = backfill.apply_completed(since=since, now=timezone.now())
                if applied.failed:
                    raise broken("a completed session cannot be applied", applied.failed)
            except StripeCallError:
                self.tally.note("backfill failed")

        self.process("backfill", fetch)

    # --- backups

    def take_backup(self) -> bool:
        self.backup = (database.take(), self.fake.clock.exact())
        return True

    def restore(self) -> bool:
        """Replace the database by the last backup and start a new worker. No earlier process may be running."""
        if self.backup is None or self.processes.running:
            return False
        copy, _taken_at = self.backup
        shortfalls = self._shortfalls()
        database.put_back(copy)
        self.tally.faults["database restored"] += 1
        self._strike_out_lost_verbs(shortfalls)
        self.books.restored = True
        self.process("start", worker.start)
        return True

    def _shortfalls(self) -> list[Verb]:
        """The units sold beyond the stock, as recorded in this database."""
        with self.processes.aside():
            rows = Movement.objects.filter(kind=Movement.Kind.OVERSOLD).select_related("item")
            return [
                Verb(row.reference, row.kind, (row.item.product_id, row.item.key), row.delta) for row in rows
            ]

    def _strike_out_lost_verbs(self, shortfalls: list[Verb]) -> None:
        with self.processes.aside():
            references = set(Movement.objects.values_list("reference", flat=True))
            handled = StripeEvent.objects.filter(state=StripeEvent.State.HANDLED)
            handled_ids = set(handled.values_list("pk", flat=True))
        self.books.unheard += [
            edit for edit in self.books.edit_log if not handled_ids.intersection(edit.events)
        ]
        lost = [verb for verb in [*self.books.verbs, *shortfalls] if verb.reference not in references]
        self.books.verbs = [verb for verb in self.books.verbs if verb.reference in references]
        self.books.lost_verbs += lost


def without_type(headers: dict[str, str]) -> dict[str, str]:
    # Django's RequestFactory takes the content type as an argument, not among the headers.
    return {name: text for name, text in headers.items() if name.lower() != "content-type"}
