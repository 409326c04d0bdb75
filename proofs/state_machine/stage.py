"""The stage of a schedule: one database, one fake Stripe, one clock, and what the actors share."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fake_stripe import FakeStripe
from inventory.models import StripeEvent
from proofs.state_machine.books import Books, Key
from proofs.state_machine.clock import WorldClock
from proofs.state_machine.processes import Processes
from proofs.state_machine.trouble import Tally, Trouble
from proofs.state_machine.wire import Wire

START = 1_790_000_000.0
SHIRT, POSTER = "prod_shirt", "prod_poster"
IMAGES = ["https://cdn.example/1.jpg"]  # Feeds leave out products without an image.


class Stage:
    """Actors, invariants and the judge see no more of the world than this."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.tally = Tally(schedules=1)
        self.fake = FakeStripe(secret_key="sk_test_fake", seed=0, base_url="http://stripe.test", now=START)  # noqa: S106
        self.clock = WorldClock(self.fake, skew=dice.choice([0.0, 0.0, 0.0, -1.5, 1.5]))
        self.trouble = Trouble(self.fake, self.tally)
        self.processes = Processes(self.between_steps, self.at_fault_point)
        self.wire = Wire(
            self.fake, self.processes, self.trouble.arrives_late, lambda: self.dice.uniform(0.02, 0.3)
        )
        self.products = [SHIRT, POSTER]
        self.keys = self._stock_the_shelf(dice)
        self.books = Books({key: int(self.fake.products[key[0]]["metadata"][key[1]]) for key in self.keys})
        self.books.last_readable = dict(self.books.opened)
        self.steps_to_live: int | None = None

    def _stock_the_shelf(self, dice: Random) -> list[Key]:
        few = dice.random() < 0.3
        most, least = (3, 0) if few else (15, 4)
        price = {"unit_amount": 2500, "currency": "usd", "default": True}
        sizes = ["S", "M", "L"]
        counts = {f"stock_{size}": str(dice.randint(least, most)) for size in sizes}
        self.fake.add_product(
            id=SHIRT,
            name="BALM T-Shirt",
            metadata={"category": "clothing", "sizes": ",".join(sizes), **counts},
            prices=[dict(price)],
            images=IMAGES,
        )
        self.fake.add_product(
            id=POSTER,
            name="Poster",
            metadata={"category": "art", "stock": str(dice.randint(least, most))},
            prices=[dict(price)],
            images=IMAGES,
        )
        return [*((SHIRT, key) for key in counts), (POSTER, "stock")]

    def keys_of(self, product: str) -> list[Key]:
        return [key for key in self.keys if key[0] == product]

    def process(self, name: str, act: Callable[[], Any]) -> Any:
        """Run `act` as a process of the shop, which may be killed."""
        deaths = len(self.processes.deaths)
        steps, self.steps_to_live = self.steps_to_live, None
        result = self.processes.run(name, act, steps=steps)
        self.tally.faults["process killed"] += len(self.processes.deaths) - deaths
        return result

    def between_steps(self, where: str) -> None:
        """Called while a process sleeps or waits."""

    def at_fault_point(self, name: str) -> None:
        """Called at each fault point that a process passes."""

    def on_its_way(self, session: str) -> bool:
        """Whether the payment of this session has not been received, or not been handled, by the shop."""
        with self.processes.aside():
            waiting = StripeEvent.objects.filter(object_id=session).exclude(state=StripeEvent.State.HANDLED)
            received = StripeEvent.objects.filter(
                object_id=session, payload__data__object__payment_status="paid"
            )
            return waiting.exists() or not received.exists()
