"""The customers and Dashboard edits of a drop, generated from one seed.

There is enough stock for every regular customer. Latecomers want more than is left: a shop that checks its
stock turns them away, and one that does not oversells. In between, a person edits counts and descriptions in
the Dashboard. A few customers buy another product one at a time, and each of their events is delivered twice:
without concurrent sales no unit can be lost there, so a loss cannot hide a double count.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

SIZES = {"S": 14, "M": 28, "L": 26, "XL": 18, "2XL": 9, "3XL": 5}  # size -> weight
SPARE = 3
LATECOMERS = 20  # customers per latecomer
DELIVERY = 12
QUIET = 10  # customers who buy the other product one at a time, with each event delivered twice


@dataclass(frozen=True)
class Customer:
    """`wants`: size -> units. `pays_at`: seconds from the start of the drop to the payment, if a checkout opened."""

    wants: Mapping[str, int]
    pays_at: float


@dataclass(frozen=True)
class Edit:
    """An edit in the Dashboard: `difference` more units of `size`, or a new description if `size` is empty."""

    at: float
    size: str
    difference: int


@dataclass(frozen=True)
class Drop:
    """A whole drop. `opened`: size -> units at the start. `quiet`: customers of the other product."""

    opened: Mapping[str, int]
    customers: tuple[Customer, ...]
    latecomers: tuple[Customer, ...]
    edits: tuple[Edit, ...]
    quiet: tuple[Customer, ...]


def plan(orders: int, seconds: float, seed: int) -> Drop:
    """A drop of `orders` customers who pay within `seconds`, plus one latecomer for every LATECOMERS of them."""
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
