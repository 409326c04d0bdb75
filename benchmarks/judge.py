"""Count lost, doubled and oversold units from Stripe's side alone.

The judge knows the initial counts, the payments, the edits by people and the final counts. It imports nothing
from the shop, so a bug there cannot affect the verdict.

The three faults, in units:

- *lost*: a payment is missing from the count, which is too high.
- *doubled*: the count was lowered without a payment, and is too low.
- *oversold*: units were paid for that were not in stock.

A lost and a doubled unit of the same size cancel out in the final count. Doubled units are therefore also
detected during the run (a count may lag behind the payments, but never run ahead of them), and all figures
are lower bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

# Where a count is stored: the product's id and the metadata key, such as ("prod_1", "stock_M").
Place = tuple[str, str]


@dataclass(frozen=True)
class Paid:
    """A session was paid. The same session twice is one payment."""

    session: str
    units: Mapping[Place, int]


@dataclass(frozen=True)
class Edited:
    """A person raised (or lowered) a count by `difference`."""

    place: Place
    difference: int


@dataclass(frozen=True)
class Shown:
    """From now on Stripe shows this count. None: it is missing or invalid."""

    place: Place
    count: int | None


Happening = Paid | Edited | Shown


@dataclass
class Tally:
    """The units of one place."""

    opened: int
    sold: int = 0
    edited: int = 0
    lowered: int = 0
    oversold: int = 0
    ahead: int = 0
    shown: int | None = None

    def __post_init__(self) -> None:
        self.shown = self.opened

    @property
    def due(self) -> int:
        """The correct count; below 0 if the size was oversold."""
        return self.opened + self.edited - self.sold

    def pay(self, units: int) -> None:
        before = max(0, -self.due)
        self.sold += units
        self.oversold += max(0, -self.due) - before

    def edit(self, difference: int) -> None:
        self.edited += difference
        self.lowered += min(0, difference)

    def show(self, count: int | None) -> None:
        """Record a count that Stripe shows now. It ran ahead if it is lower than all payments so far explain.

        Increases by a person are ignored here: a stock update in flight may overwrite one for a moment.
        """
        self.shown = count
        if count is not None:
            self.ahead = max(self.ahead, max(0, self.opened + self.lowered - self.sold) - count)

    @property
    def gap(self) -> int:
        """The final count minus the correct one, which is at least 0. A missing count counts as 0."""
        return (self.shown or 0) - max(0, self.due)

    @property
    def doubled(self) -> int:
        return max(self.ahead, -self.gap)

    @property
    def lost(self) -> int:
        return max(0, self.gap + self.ahead)


@dataclass(frozen=True)
class Verdict:
    """The judge's findings, in units; `unreadable` and `wrong` are numbers of places."""

    orders: int
    units: int
    lost: int
    doubled: int
    oversold: int
    unreadable: int
    wrong: int

    @property
    def guilty(self) -> bool:
        return bool(self.lost or self.doubled or self.oversold or self.unreadable)

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class BlindJudge(Exception):
    """The judge missed a kind of fault that the control is known to have."""


@dataclass
class Judge:
    """Receives the happenings in order, and then gives its verdict."""

    opened: Mapping[Place, int]
    tallies: dict[Place, Tally] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tallies = {place: Tally(count) for place, count in self.opened.items()}

    def hear(self, happening: Happening) -> None:
        """Raises KeyError for a place without an initial count."""
        if isinstance(happening, Paid):
            self._hear_payment(happening)
        elif isinstance(happening, Edited):
            self.tallies[happening.place].edit(happening.difference)
        else:
            self.tallies[happening.place].show(happening.count)

    def _hear_payment(self, paid: Paid) -> None:
        if paid.session in self.sessions:
            return
        self.sessions.add(paid.session)
        for place, units in paid.units.items():
            self.tallies[place].pay(units)

    def verdict(self) -> Verdict:
        books = self.tallies.values()
        return Verdict(
            orders=len(self.sessions),
            units=sum(t.sold for t in books),
            lost=sum(t.lost for t in books),
            doubled=sum(t.doubled for t in books),
            oversold=sum(t.oversold for t in books),
            unreadable=sum(t.shown is None for t in books),
            wrong=sum(t.gap != 0 or t.shown is None for t in books),
        )


def judge(opened: Mapping[Place, int], happened: Iterable[Happening]) -> Verdict:
    """The verdict on `happened`, in the order of Stripe's events."""
    court = Judge(opened)
    for happening in happened:
        court.hear(happening)
    return court.verdict()


def must_have_eyes(control: Verdict) -> None:
    """Raises BlindJudge unless lost, doubled and oversold units were all found in the control."""
    missed = [name for name in ("lost", "doubled", "oversold") if not getattr(control, name)]
    if missed:
        raise BlindJudge(
            f"The control is known to be wrong, and the judge found no unit {' and none '.join(missed)}. "
            "The schedule was too easy or the judge is broken; do not trust its other verdicts."
        )
