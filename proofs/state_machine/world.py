"""The simulated world of a schedule: one shop with its database, one fake Stripe, the actors, and one clock."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from unittest import mock
from uuid import UUID

from django.test import override_settings

from checkout.models import Order
from config import stripe_client
from inventory import heartbeat, worker
from inventory.stripe_sync import backoff, catalog_sync
from proofs.state_machine import actions, database, safety
from proofs.state_machine.cast import Cast
from proofs.state_machine.judge import Judge
from shop.feeds import cache as feed_cache

SECRET = "whsec_test"  # noqa: S105
# Seconds before each round of healing. Either leases, then retries, then checkouts end one after the other, or (three
# times out of four) a worker returns after an hour, when all of them have ended.
BY_AND_BY, AT_ONCE = [0.0, 61.0, 2400.0], [3200.0]
# Then rounds until one has nothing to do, with gaps longer than the longest backoff.
LAST_ROUNDS, APART = 30, 700.0
CHANNELS_EVERY = 10  # rules; comparing them takes as long as several rules.


class World(Cast):
    """The world of one schedule, a context manager. `do` plays a rule, `heal_and_judge` ends the schedule."""

    def __init__(self, dice: Random, empty: database.Copy, *, head_start: float = 4.0) -> None:
        """`head_start`: seconds from the first refresh to the first rule, to separate them in Stripe's whole seconds."""
        super().__init__(dice)
        self.empty, self.head_start = empty, head_start
        self._stack = ExitStack()
        self._interruptions = self._played = 0

    # --- set-up and tear-down

    def __enter__(self) -> World:
        database.put_back(self.empty)
        feed_cache.clear()
        self._stack.enter_context(override_settings(AGENT_CATALOG="show"))
        self._stack.enter_context(_quiet())
        self._stack.enter_context(self.clock.patched_everywhere())
        self._stack.enter_context(mock.patch.object(stripe_client, "http_client", lambda: self.wire))
        self._stack.enter_context(mock.patch.object(heartbeat, "warn_if_no_worker", lambda *_: None))
        self._stack.enter_context(mock.patch.object(backoff, "report_failure", _hide_nothing))
        self._stack.enter_context(self.processes.watched())
        self._stack.enter_context(_names_are_repeatable(self.dice.randrange(2**32)))
        stripe_client._client.cache_clear()
        self.fake.add_webhook_endpoint("http://shop.test/stripe/webhook/", secret=SECRET)
        self.fake.deliver_to(self.send_to_the_shop)
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
        self.steps_to_live, self._interruptions = None, 0
        safety.check(self)
        self._played += 1
        if self._played % CHANNELS_EVERY == 0:
            safety.channels_agree(self)

    def _fate(self, dice: Random) -> None:
        # Decide whether the next process may be killed (one in four) or interrupted (one in four).
        chance = dice.random()
        self.steps_to_live = dice.choice([1, 2, 3, 5, 8, 13, 21, 34, 55, 89]) if chance < 0.25 else None
        self._interruptions = dice.choice([1, 1, 2, 4]) if 0.2 < chance < 0.45 else 0

    def between_steps(self, where: str) -> None:
        """Let another action run while the current process sleeps."""
        if not self._interruptions or self.dice.random() > 0.3:
            return
        self._interruptions -= 1
        self.tally.faults["process interrupted"] += 1
        name = self.dice.choice(actions.IN_BETWEEN)
        if actions.ACTIONS[name].play(self, self.dice):
            self.tally.rules[f"{name} (in between)"] += 1

    def at_fault_point(self, name: str) -> None:
        if name == "hold.set_aside":
            safety.a_hold_was_made(self)

    # --- the end

    def heal_and_judge(self) -> None:
        """End all faults, deliver all events, let the clock and the worker run, then check every invariant."""
        self.trouble.off()
        self.trouble.land(all_of_them=True)
        self.steps_to_live, self._interruptions = None, 0
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
        if self.books.restored:
            # The restored database may know an earlier file with the same counts. The file of the next day corrects it.
            self.fake.forward(25 * 3600)
            for _round in range(LAST_ROUNDS):
                if not self._heal_a_little():
                    break
                self.fake.forward(APART)
        safety.check(self)
        safety.agents_are_told_the_same(self, safety.channels_agree(self))
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


def _hide_nothing(*reported: object, **_more: object) -> None:
    # The shop survives an exception in one product or order, but a proof must fail with it.
    raise next(each for each in reported if isinstance(each, Exception))


@contextmanager
def _names_are_repeatable(seed: int) -> Iterator[None]:
    """Make the random ids of orders, leases and keys the same whenever a schedule is repeated."""
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
