"""Who wants what, and when do they pay? A drop's customers, drawn from one seed.

Every customer of the crowd gets what they want; the latecomers want more than is left, so a shop that looks at its
stock sends them away, and one that does not sells them what is not there. Meanwhile a person at the Dashboard counts
deliveries in, and mends a description in between. Beside the rush a few people buy something else, one by one, and
each of their events is sent a second time a little later: there nothing is lost in a race that could make up for
what is counted twice.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

SIZES = {"S": 14, "M": 28, "L": 26, "XL": 18, "2XL": 9, "3XL": 5}  # size -> how often it is asked for
SPARE = 3
LATECOMERS = 20  # one for each so many customers
DELIVERY = 12
QUIET = 10  # customers of another product, who come one after the other and of whom Stripe tells twice


@dataclass(frozen=True)
class Customer:
    """Wants so many of each size, and pays `pays_at` seconds after the drop began, if there is something to pay."""

    wants: Mapping[str, int]
    pays_at: float


@dataclass(frozen=True)
class Edit:
    """A person at the Dashboard: so many more of a size; without a size, another description."""

    at: float
    size: str
    difference: int


@dataclass(frozen=True)
class Drop:
    """A whole drop: what stands at the beginning, who comes (latecomers last), what is edited."""

    opened: Mapping[str, int]
    customers: tuple[Customer, ...]
    latecomers: tuple[Customer, ...]
    edits: tuple[Edit, ...]
    quiet: tuple[Customer, ...]


def plan(orders: int, seconds: float, seed: int) -> Drop:
    """A drop of `orders` customers who pay within `seconds`, and a twentieth more who come too late."""
    chance = random.Random(seed)
    customers = tuple(_customer(chance, seconds) for _ in range(orders))
    late = tuple(
        Customer({size: SPARE + 1 + chance.randrange(2)}, chance.uniform(0, seconds))
        for size in chance.choices(list(SIZES), k=max(1, orders // LATECOMERS))
    )
    demand: Counter[str] = Counter()
    for customer in customers:
        demand.update(customer.wants)
    opened = {size: demand[size] + SPARE for size in SIZES}
    quiet = tuple(Customer({size: 1}, 0.0) for size in itertools.islice(itertools.cycle(SIZES), QUIET))
    return Drop(opened, customers, late, _edits(chance, seconds), quiet)


def _customer(chance: random.Random, seconds: float) -> Customer:
    """Most want one shirt, some two of a size, some two sizes."""
    kinds = 2 if chance.random() < 0.15 else 1
    sizes = set(chance.choices(list(SIZES), weights=list(SIZES.values()), k=kinds))
    return Customer(
        {size: 2 if chance.random() < 0.1 else 1 for size in sorted(sizes)}, chance.uniform(0, seconds)
    )


def _edits(chance: random.Random, seconds: float) -> tuple[Edit, ...]:
    moments = sorted(chance.uniform(0.1 * seconds, 0.9 * seconds) for _ in range(6))
    sizes = chance.sample(list(SIZES), 4)
    counted = [Edit(at, size, DELIVERY) for at, size in zip(moments[::2], sizes, strict=False)]
    return tuple(sorted([*counted, *(Edit(at, "", 0) for at in moments[1::2])], key=lambda edit: edit.at))
