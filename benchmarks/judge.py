"""How many units were lost, doubled or oversold? Worked out from Stripe's side alone.

The judge knows what stood at the beginning, who paid for what, what people edited, and what stands now. It imports
nothing of the shop, so a mistake there cannot excuse itself here.

The three faults, in units:

- *lost*: somebody paid, and the count does not show it: it is too high.
- *doubled*: the count fell, and nobody paid: it is too low.
- *oversold*: somebody paid for units that were not there.

A unit lost and a unit doubled in the same size cancel out at the end. What is doubled is therefore also looked for on
the way (a count may lag behind the payments, but never run ahead of them), and the figures are *at least*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

# A count's place: the product's id and the metadata key, such as ("prod_1", "stock_M").
Place = tuple[str, str]


@dataclass(frozen=True)
class Paid:
    """A session was paid for. The same session twice is one payment."""

    session: str
    units: Mapping[Place, int]


@dataclass(frozen=True)
class Edited:
    """A person raised (or lowered) a count by `difference`."""

    place: Place
    difference: int


@dataclass(frozen=True)
class Shown:
    """From now on Stripe shows this count. None: it is missing or unreadable."""

    place: Place
    count: int | None


Happening = Paid | Edited | Shown


@dataclass
class Tally:
    """The books of one place."""

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
        """What the count should come to: below 0 if it was oversold."""
        return self.opened + self.edited - self.sold

    def pay(self, units: int) -> None:
        before = max(0, -self.due)
        self.sold += units
        self.oversold += max(0, -self.due) - before

    def edit(self, difference: int) -> None:
        self.edited += difference
        self.lowered += min(0, difference)

    def show(self, count: int | None) -> None:
        """A count below everything that was paid for ran ahead.

        Raises by a person are left out of this line: a write that was on its way may cover one for a moment.
        """
        self.shown = count
        if count is not None:
            self.ahead = max(self.ahead, max(0, self.opened + self.lowered - self.sold) - count)

    @property
    def gap(self) -> int:
        """How far the count ended above (or below) what it should be. A missing count counts as 0."""
        return (self.shown or 0) - max(0, self.due)

    @property
    def doubled(self) -> int:
        return max(self.ahead, -self.gap)

    @property
    def lost(self) -> int:
        return max(0, self.gap + self.ahead)


@dataclass(frozen=True)
class Verdict:
    """What the judge found, in units; `unreadable` and `wrong` are numbers of places."""

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
    """Nothing was found where something is known to be wrong."""


@dataclass
class Judge:
    """Hears what happened, in order, and then gives its verdict."""

    opened: Mapping[Place, int]
    tallies: dict[Place, Tally] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tallies = {place: Tally(count) for place, count in self.opened.items()}

    def hear(self, happening: Happening) -> None:
        """Raises KeyError for a place that was not there at the beginning."""
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
    """The verdict on `happened`, which is in the order in which Stripe saw it."""
    court = Judge(opened)
    for happening in happened:
        court.hear(happening)
    return court.verdict()


def must_have_eyes(control: Verdict) -> None:
    """Raise BlindJudge unless lost, doubled and oversold units were all found in the control."""
    missed = [name for name in ("lost", "doubled", "oversold") if not getattr(control, name)]
    if missed:
        raise BlindJudge(
            f"The control is known to be wrong, and the judge found no unit {' and none '.join(missed)}: "
            "either the schedule was too gentle, or the judge sees nothing. Do not believe its other verdicts."
        )
