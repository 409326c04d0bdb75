"""What should the counts be? The world's own books, kept from what people, customers and the owner did, not from the shop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

Key = tuple[str, str]  # (product, metadata key)


@dataclass(frozen=True)
class Verb:
    """Something the owner did in the admin: a delivery, an adjustment, a count, goods taken back."""

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
    """Units. `paid`: session to key to units, as Stripe's page took the money; `edits`: what people at Stripe meant."""

    opened: dict[Key, int]
    edits: Counter[Key] = field(default_factory=Counter)
    paid: dict[str, Counter[Key]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    verbs: list[Verb] = field(default_factory=list)
    last_readable: dict[Key, int] = field(default_factory=dict)
    # Nothing at Stripe can tell which edit was meant: the count of these may be anything.
    undecided: set[Key] = field(default_factory=set)
    # A person must be told if the count of this product is not what the books say.
    doubtful: set[str] = field(default_factory=set)
    # What somebody took off the shelf by hand: an oversell after that is not the shop's.
    somebody_took: set[Key] = field(default_factory=set)
    other_keys: dict[str, dict[str, str]] = field(default_factory=dict)
    refunded: set[str] = field(default_factory=set)
    restored: bool = False
    # What people meant, edit by edit, with the events that tell of it.
    edit_log: list[Edit] = field(default_factory=list)
    # Edits of which a restored database had not heard: a lost one may have written over them.
    unheard: list[Edit] = field(default_factory=list)
    # What only the lost database knew: what the owner did, and what was sold that was not there.
    lost_verbs: list[Verb] = field(default_factory=list)

    def sold(self, key: Key) -> int:
        return sum(units[key] for units in self.paid.values())

    def expected(self, key: Key) -> int:
        """What the count should be, below 0 if more was sold than there was."""
        said = sum(verb.delta for verb in self.verbs if verb.key == key)
        return self.opened[key] + self.edits[key] + said - self.sold(key)
