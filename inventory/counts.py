"""What do counts add up to? Totals and shortfall, an edit as a difference, the counts under a mark. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

Counts = Mapping[str, int | None]  # Metadata key to count; None, or no such key, where it is unreadable.

# int() would also take "1_0", "+5" and "٣": nobody who typed one of those meant what int() makes of it.
_COUNT = re.compile(r"[0-9]{1,6}", re.ASCII)
MOST = 999_999


def parse_count(text: str | None) -> int | None:
    """The count that a metadata value says: one to six digits, blanks around them aside. None: unreadable."""
    trimmed = (text or "").strip()
    return int(trimmed) if _COUNT.fullmatch(trimmed) else None


@dataclass(frozen=True)
class Total:
    """What a write carries for one item. `shortfall`: units sold that were not there, 0 or more.

    `surplus`: units more than a count can say, 0 or more.
    """

    count: int
    shortfall: int
    surplus: int = 0


def total(on_hand: int, pending: int) -> Total:
    """The count after `pending`, never below 0 or above MOST; what is missing or too much is said apart, for a person."""
    count = on_hand + pending
    return Total(min(max(0, count), MOST), max(0, -count), max(0, count - MOST))


# --- Counts under a mark ----------------------------------------------------------------------


@dataclass(frozen=True)
class Base:
    """The counts that a form was filled in from. `certain`: False if it could have been others as well."""

    counts: Counts
    certain: bool


def differing(state: Counts, after: Counts) -> int:
    """In how many items does `after` say something else than `state`? What `after` leaves unreadable says nothing."""
    return sum(count is not None and count != state.get(key) for key, count in after.items())


def base_under(states: Sequence[Counts], before: Counts, after: Counts) -> Base | None:
    """From which of the states of its mark was the form filled in that made `after` of `before`? None if none is known.

    `states` begins with what the write left, edits under the mark follow. People change one size at a time, so it
    is the state with the fewest differences; where two differ in one, nothing at Stripe can tell them apart. A form
    that shows what still stood undoes nobody's edit: it is taken for that one, and what was typed stays as it was
    typed. Else it is taken for the earlier, which stood for longer.
    """
    if not states:
        return None
    nearest = min(
        states,
        key=lambda state: (differing(state, after), _same(state) != _same(before)),
    )
    fitting = {_same(state) for state in states if differing(state, after) <= 1}
    return Base(nearest, certain=len(fitting) <= 1)


def may_undo(states: Sequence[Counts], before: Counts, after: Counts) -> bool:
    """Could this edit be a form that undid another edit? Two sizes at once, or back to an earlier state's count."""
    changed = [
        key
        for key, count in after.items()
        if count is not None and before.get(key) is not None and count != before[key]
    ]
    return len(changed) > 1 or any(state.get(key) == after[key] for state in states for key in changed)


def _same(state: Counts) -> frozenset[tuple[str, int | None]]:
    return frozenset((key, count) for key, count in state.items() if count is not None)


# --- Edits, garbled counts among them ---------------------------------------------------------


@dataclass(frozen=True)
class Garble:
    """The open account of a count that somebody made unreadable.

    Edits arrive in any order, so the mending may come first: `times` (garbled less mended) and `units` (what
    they changed) are sums, and only when `times` is back at 0 do the units mean something. `over`: a write
    replaced a garbled count, so that those units are lost on purpose.
    """

    times: int = 0
    units: int = 0
    over: bool = False

    @property
    def closed(self) -> bool:
        return self.times == 0


def edited(account: Garble, before: int | None, after: int | None) -> tuple[int, Garble]:
    """Count one edit of one item: the units that the ledger moves now, and the account as it stands then.

    From a count to a count is a plain difference, whatever the account; so is what stays unreadable (none).
    """
    if (before is None) == (after is None):
        return (after or 0) - (before or 0), account
    return _settled(
        replace(
            account,
            times=account.times + (after is None) - (before is None),
            units=account.units + (after or 0) - (before or 0),
        )
    )


def written_over(account: Garble) -> Garble:
    """A garbled count was replaced by a write or a form that did not know of it: nothing of it moves the ledger."""
    return _settled(replace(account, times=account.times - 1, over=True))[1]


def _settled(account: Garble) -> tuple[int, Garble]:
    if not account.closed:
        return 0, account
    return (0 if account.over else account.units), Garble()


def signed(difference: int) -> str:
    """A difference as people write it: “+3”, “−2”, “0”."""
    return f"{difference:+d}".replace("-", "−") if difference else "0"
