"""The expected counts, kept from what people, customers and the owner did, independently of the shop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

Key = tuple[str, str]  # (product, metadata key)


@dataclass(frozen=True)
class Verb:
    """An action of the owner in the admin: a delivery, an adjustment, a count, a return."""

    reference: str
    kind: str
    key: Key
    delta: int


@dataclass(frozen=True)
class Edit:
    key: Key
    difference: int
    events: tuple[str, ...]


@dataclass
class Books:
    """Units. `paid`: session to key to units, as paid at Stripe. `edits`: the differences intended at Stripe."""

    opened: dict[Key, int]
    edits: Counter[Key] = field(default_factory=Counter)
    paid: dict[str, Counter[Key]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    verbs: list[Verb] = field(default_factory=list)
    last_readable: dict[Key, int] = field(default_factory=dict)
    # No data at Stripe shows which edit was meant, so the count of these may be anything.
    undecided: set[Key] = field(default_factory=set)
    # If a count of these products differs from the books, an issue must exist.
    doubtful: set[str] = field(default_factory=set)
    # Keys with units removed by hand or sold externally: an oversell after that is not the shop's.
    somebody_took: set[Key] = field(default_factory=set)
    other_keys: dict[str, dict[str, str]] = field(default_factory=dict)
    refunded: set[str] = field(default_factory=set)
    restored: bool = False
    # The intended edits one by one, with the events that report them.
    edit_log: list[Edit] = field(default_factory=list)
    # Edits whose events a restored database had not handled: the lost database may have overwritten them.
    unheard: list[Edit] = field(default_factory=list)
    # Recorded only in the lost database: actions of the owner, and units sold beyond the stock.
    lost_verbs: list[Verb] = field(default_factory=list)

    def sold(self, key: Key) -> int:
        return sum(units[key] for units in self.paid.values())

    def expected(self, key: Key) -> int:
        """The expected count, below 0 if more was sold than was in stock."""
        by_owner = sum(verb.delta for verb in self.verbs if verb.key == key)
        return self.opened[key] + self.edits[key] + by_owner - self.sold(key)
