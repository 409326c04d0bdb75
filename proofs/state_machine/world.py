"""The simulated world of a schedule: one shop with its database, one fake Stripe, the actors, and one clock."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from random import Random
from typing import Any
from unittest import mock
from uuid import UUID

from django.test import RequestFactory
from django.utils import timezone

from checkout.models import Order
from checkout.orders import failures
from checkout.recovery import backfill
from config import stripe_client
from config.stripe_client import StripeCallError
from config.worker_tasks import WORKER_TASKS
from fake_stripe import FakeStripe
from inventory import views, worker
from inventory.models import Movement, StripeEvent
from inventory.stripe_sync import backoff, catalog_sync
from proofs.state_machine import actions, database, safety
from proofs.state_machine.books import Books, Key, Verb
from proofs.state_machine.broken import broken
from proofs.state_machine.clock import WorldClock
from proofs.state_machine.customers import Customers
from proofs.state_machine.judge import Judge
from proofs.state_machine.owner import Owner
from proofs.state_machine.people import People
from proofs.state_machine.processes import Processes
from proofs.state_machine.trouble import Tally, Trouble
from proofs.state_machine.wire import Wire

START = 1_790_000_000.0
SECRET = "whsec_test"  # noqa: S105
SHIRT, POSTER = "prod_shirt", "prod_poster"
# Seconds before each round of healing. Either leases, then retries, then checkouts end one after the other, or (three
# times out of four) a worker returns after an hour, when all of them have ended.
BY_AND_BY, AT_ONCE = [0.0, 61.0, 2400.0], [3200.0]
# Then rounds until one has nothing to do, with gaps longer than the longest backoff.
LAST_ROUNDS, APART = 30, 700.0


class World:
    """The world of one schedule, a context manager. `do` plays a rule, `heal_and_judge` ends the schedule."""

    people: People
    customers: Customers
    owner: Owner
    trouble: Trouble

    def __init__(self, dice: Random, empty: database.Copy, *, head_start: float = 4.0) -> None:
        """`head_start`: seconds from the first refresh to the first rule, to separate them in Stripe's whole seconds."""
        self.dice, self.empty, self.head_start = dice, empty, head_start
        self.tally = Tally(schedules=1)
        self.fake = FakeStripe(secret_key="sk_test_fake", seed=0, base_url="http://stripe.test", now=START)  # noqa: S106
        self.clock = WorldClock(self.fake, skew=dice.choice([0.0, 0.0, 0.0, -1.5, 1.5]))
        self.trouble = Trouble(self.fake, self.tally)
        self.processes = Processes(self._interrupt, self._at_point)
        self.wire = Wire(
            self.fake, self.processes, self.trouble.arrives_late, lambda: self.dice.uniform(0.02, 0.3)
        )
        self.products = [SHIRT, POSTER]
        self.keys = self._stock_the_shelf(dice)
        self.books = Books({key: int(self.fake.products[key[0]]["metadata"][key[1]]) for key in self.keys})
        self.books.last_readable = dict(self.books.opened)
        self.people, self.customers, self.owner = People(self), Customers(self), Owner(self)
        self.backup: tuple[database.Copy, float] | None = None
        self._stack = ExitStack()
        self._interruptions = 0
        self._steps_to_live: int | None = None

    def _stock_the_shelf(self, dice: Random) -> list[Key]:
        few = dice.random() < 0.3
        most, least = (3, 0) if few else (15, 4)
        price = {"unit_amount": 2500, "currency": "usd", "default": True}
        sizes = ["S", "M", "L"]
        counts = {f"stock_{size}": str(dice.randint(least, most)) for size in sizes}
        self.fake.add_product(
            id=SHIRT, name="BALM T-Shirt", metadata={"sizes": ",".join(sizes), **counts}, prices=[dict(price)]
        )
        self.fake.add_product(
            id=POSTER, name="Poster", metadata={"stock": str(dice.randint(least, most))}, prices=[dict(price)]
        )
        return [*((SHIRT, key) for key in counts), (POSTER, "stock")]

    def keys_of(self, product: str) -> list[Key]:
        return [key for key in self.keys if key[0] == product]

    # --- set-up and tear-down

    def __enter__(self) -> World:
        database.put_back(self.empty)
        self._stack.enter_context(_quiet())
        self._stack.enter_context(self.clock.told_to_everybody())
        self._stack.enter_context(mock.patch.object(stripe_client, "http_client", lambda: self.wire))
        self._stack.enter_context(mock.patch.object(views, "_warn_rarely", lambda: None))
        self._stack.enter_context(mock.patch.object(backoff, "report_failure", _hide_nothing))
        self._stack.enter_context(mock.patch.object(failures, "report_failure", _hide_nothing))
        self._stack.enter_context(self.processes.watched())
        self._stack.enter_context(_names_are_repeatable(self.dice.randrange(2**32)))
        stripe_client._client.cache_clear()
        self.fake.add_webhook_endpoint("http://shop.test/stripe/webhook/", secret=SECRET)
        self.fake.deliver_to(self._to_the_shop)
        catalog_sync.sync_catalog()
        if self.dice.random() < 0.8:
            worker.drain(hourly=True)
        self.clock.let_pass(self.head_start)
        return self

    def __exit__(self, *_: object) -> None:
        self.trouble.off()
        stripe_client._client.cache_clear()
        self._stack.close()
        for outcome, times in self.customers.outcomes.items():
            self.tally.notes[f"checkout: {outcome}"] += times
        self.tally.calls += self.fake.api._answered
        self.fake.close()

    # --- rules

    def do(self, name: str, dice: Random) -> None:
        """Play one rule, then check the safety invariants. Raises BrokenPromise."""
        self.dice = dice
        self.clock.let_pass(dice.choice([0.05, 0.4, 1.2, 3.0]))
        self.trouble.land()
        self._fate(dice)
        if actions.ACTIONS[name].play(self, dice):
            self.tally.rules[name] += 1
        self._steps_to_live, self._interruptions = None, 0
        safety.check(self)

    def _fate(self, dice: Random) -> None:
        # Decide whether the next process may be killed (one in four) or interrupted (one in four).
        chance = dice.random()
        self._steps_to_live = dice.choice([1, 2, 3, 5, 8, 13, 21, 34, 55, 89]) if chance < 0.25 else None
        self._interruptions = dice.choice([1, 1, 2, 4]) if 0.2 < chance < 0.45 else 0

    def process(self, name: str, act: Callable[[], Any]) -> Any:
        """Run `act` as a process of the shop, which may be killed."""
        deaths = len(self.processes.deaths)
        steps, self._steps_to_live = self._steps_to_live, None
        result = self.processes.run(name, act, steps=steps)
        self.tally.faults["process killed"] += len(self.processes.deaths) - deaths
        return result

    def _interrupt(self, where: str) -> None:
        """Let another action run while the current process sleeps."""
        if not self._interruptions or self.dice.random() > 0.3:
            return
        self._interruptions -= 1
        self.tally.faults["process interrupted"] += 1
        name = self.dice.choice(actions.IN_BETWEEN)
        if actions.ACTIONS[name].play(self, self.dice):
            self.tally.rules[f"{name} (in between)"] += 1

    def _at_point(self, name: str) -> None:
        if name == "hold.set_aside":
            safety.a_hold_was_made(self)

    # --- Stripe's calls and the worker's

    def _to_the_shop(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
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
        duty = dice.choice(WORKER_TASKS)
        self.process(f"worker {duty.path}", lambda: worker.run_task(duty, timezone.now()))

    def work_all(self) -> None:
        self.process("worker", lambda: worker.drain())

    def backfill(self) -> None:
        """Fetch from Stripe's lists what never reached the webhook. Idempotent."""
        since = timezone.now() - timedelta(days=29)

        def fetch() -> None:
            try:
                backfill.store_events(since=since)
                settled = backfill.apply_completed(since=since, now=timezone.now())
                if settled.failed:
                    raise broken("a completed session cannot be applied", settled.failed)
            except StripeCallError:
                self.tally.note("backfill failed")

        self.process("backfill", fetch)

    def on_its_way(self, session: str) -> bool:
        """Whether the payment of this session has not been received, or not been handled, by the shop."""
        with self.processes.aside():
            waiting = StripeEvent.objects.filter(object_id=session).exclude(state=StripeEvent.State.HANDLED)
            received = StripeEvent.objects.filter(
                object_id=session, payload__data__object__payment_status="paid"
            )
            return waiting.exists() or not received.exists()

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

    # --- the end

    def heal_and_judge(self) -> None:
        """End all faults, deliver all events, let the clock and the worker run, then check every invariant."""
        self.trouble.off()
        self.trouble.land(all_of_them=True)
        self._steps_to_live, self._interruptions = None, 0
        self.clock.let_pass(61)
        self.process("start", worker.start)
        for seconds in AT_ONCE if self.dice.random() < 0.75 else BY_AND_BY:
            self.fake.forward(seconds)
            self.backfill()
            self._heal_a_little()
        for _round in range(LAST_ROUNDS):
            self.fake.forward(APART)
            if not self._heal_a_little():
                break
        safety.check(self)
        Judge(self).everything()

    def _heal_a_little(self) -> int:
        """End everything that is open at Stripe, deliver all events, run the worker. Returns how much was done."""
        done = 0
        for play in actions.AT_THE_END:
            while play(self, self.dice):
                done += 1
        done += self.deliver()
        done += self.process("worker", lambda: worker.drain(hourly=True)) or 0
        return done + self.deliver()


def _hide_nothing(*told: object, **_more: object) -> None:
    # The shop survives an exception in one product or order, but a proof must fail with it.
    raise next(each for each in told if isinstance(each, Exception))


def without_type(headers: dict[str, str]) -> dict[str, str]:
    # Django's RequestFactory takes the content type as an argument, not among the headers.
    return {name: text for name, text in headers.items() if name.lower() != "content-type"}


@contextmanager
def _names_are_repeatable(seed: int) -> Iterator[None]:
    """Make the random ids of orders, claims and keys the same whenever a schedule is repeated."""
    names = Random(seed)
    order_id = Order._meta.get_field("id")
    with (
        # Not `default`: the field caches it, beyond the end of this schedule.
        mock.patch.object(order_id, "_get_default", lambda: UUID(int=names.getrandbits(128), version=4)),
        mock.patch.object(secrets, "token_hex", lambda size=16: names.randbytes(size).hex()),
        mock.patch.object(secrets, "token_urlsafe", lambda size=16: names.randbytes(size).hex()),
    ):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    # Ten thousand schedules would log a million lines.
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
