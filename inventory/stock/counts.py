"""Arithmetic of counts: totals and shortfalls, edits as differences, the counts behind a version tag. No Django."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

Counts = Mapping[str, int | None]  # Metadata key to count; None, or a missing key, without a valid count.

# int() would also accept "1_0", "+5" and "٣", which are more likely typing errors than counts.
_COUNT = re.compile(r"[0-9]{1,6}", re.ASCII)
MAX_COUNT = 999_999


def parse_count(text: str | None) -> int | None:
    """Parse one to six digits with optional blanks around them. None if the value is not a valid count."""
    trimmed = (text or "").strip()
    return int(trimmed) if _COUNT.fullmatch(trimmed) else None


@dataclass(frozen=True)
class PublishedTotal:
    """The count that a stock update carries for one item. `shortfall`: units sold beyond the stock, 0 or more.

    `surplus`: units above MAX_COUNT, 0 or more.
    """

    count: int
    shortfall: int
    surplus: int = 0


def published_total(on_hand: int, pending: int) -> PublishedTotal:
    """Clamp `on_hand + pending` to 0..MAX_COUNT. The rest is returned as shortfall or surplus, for an issue."""
    count = on_hand + pending
    return PublishedTotal(min(max(0, count), MAX_COUNT), max(0, -count), max(0, count - MAX_COUNT))


# --- Counts behind a version tag --------------------------------------------------------------


@dataclass(frozen=True)
class FormBase:
    """The counts that a saved form had shown when it was opened. `certain`: False if other counts fit as well."""

    counts: Counts
    certain: bool


def differing(state: Counts, after: Counts) -> int:
    """The number of items whose count in `after` differs from `state`. Invalid counts in `after` are ignored."""
    return sum(count is not None and count != state.get(key) for key, count in after.items())


def match_form_base(states: Sequence[Counts], before: Counts, after: Counts) -> FormBase | None:
    """Find the state that a form showed when it was opened, if saving it changed `before` to `after`. None without states.

    `states` are the counts that stood under the form's version tag: first those the stock update left, then those
    after each edit. People usually change one size at a time, so the state with the fewest differences is chosen.
    A tie goes to the state that equals `before`: such a form reverts no other edit, and what was typed stays as
    typed. Otherwise it goes to the earlier state, which stood for longer. Where several states are within one
    difference, no data at Stripe can distinguish them, and `certain` is False.
    """
    if not states:
        return None
    nearest = min(
        states,
        key=lambda state: (differing(state, after), _same(state) != _same(before)),
    )
    fitting = {_same(state) for state in states if differing(state, after) <= 1}
    return FormBase(nearest, certain=len(fitting) <= 1)


def may_revert(states: Sequence[Counts], before: Counts, after: Counts) -> bool:
    """Whether the edit may be an old form that reverted another edit.

    Signs are several sizes changed at once, or a size set back to the count of an earlier state.
    """
    changed = [
        key
        for key, count in after.items()
        if count is not None and before.get(key) is not None and count != before[key]
    ]
    return len(changed) > 1 or any(state.get(key) == after[key] for state in states for key in changed)


def _same(state: Counts) -> frozenset[tuple[str, int | None]]:
    return frozenset((key, count) for key, count in state.items() if count is not None)


# --- Edits, including invalid counts ----------------------------------------------------------


@dataclass(frozen=True)
class InvalidEdits:
    """The open account of a count that an edit made invalid.

    Events arrive in any order, so the correction may come first. `times` (edits that made the count invalid minus
    edits that corrected it) and `units` (what they changed) are sums, and `units` is meaningful only when `times` is
    back at 0. `over`: a stock update or an old form replaced the invalid count, so its units are dropped on purpose.
    """

    times: int = 0
    units: int = 0
    over: bool = False

    @property
    def is_closed(self) -> bool:
        return self.times == 0


def edited(account: InvalidEdits, before: int | None, after: int | None) -> tuple[int, InvalidEdits]:
    """Count one edit of one item. Returns the units to record in the ledger now, and the new account.

    A change from count to count is a plain difference, whatever the account; from invalid to invalid it is 0.
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


def written_over(account: InvalidEdits) -> InvalidEdits:
    return _settled(replace(account, times=account.times - 1, over=True))[1]


def _settled(account: InvalidEdits) -> tuple[int, InvalidEdits]:
    if not account.is_closed:
        return 0, account
    return (0 if account.over else account.units), InvalidEdits()


def signed(difference: int) -> str:
    return f"{difference:+d}".replace("-", "−") if difference else "0"
