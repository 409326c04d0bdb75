"""What does a product's metadata say about stock? `stock_<size>` to counts and back, and the mark. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inventory.counts import Counts, parse_count
from shop.metadata import MARK_KEY as MARK_KEY
from shop.metadata import ONE_ITEM as ONE_ITEM
from shop.metadata import PREFIX

UNLIMITED = "unlimited"


@dataclass(frozen=True)
class Reading:
    """What stands under one key. One of `count` and `unlimited` says how many, or `problem` says why nobody knows."""

    key: str
    size: str
    count: int | None = None
    unlimited: bool = False
    problem: str = ""


def key_for(size: str) -> str:
    """The exact metadata key of a size; case counts."""
    return f"{PREFIX}{size}" if size else ONE_ITEM


def read(metadata: Mapping[str, str], sizes: Sequence[str]) -> list[Reading]:
    """One reading per size, in order; one for the whole product if it has no sizes. Never fails."""
    return [read_key(metadata, key_for(size), size) for size in (sizes or [""])]


def read_key(metadata: Mapping[str, str], key: str, size: str) -> Reading:
    """What stands under `key`; anything but a count or “unlimited” is a problem in one sentence."""
    text = metadata.get(key)
    count = parse_count(text)
    if count is not None:
        return Reading(key, size, count=count)
    if text is None:
        return Reading(key, size, problem=_missing(metadata, key))
    if text.strip().lower() == UNLIMITED:
        return Reading(key, size, unlimited=True)
    return Reading(
        key, size, problem=f"{key} is “{text[:40]}”, which is no count: write digits only, such as 12."
    )


def _missing(metadata: Mapping[str, str], key: str) -> str:
    near = _nearly(metadata, key)
    if near:
        return f"{key} is missing; there is “{near}”, but case and blanks count in keys."
    return f"{key} is missing."


def _nearly(metadata: Mapping[str, str], key: str) -> str:
    folded = _folded(key)
    return next((other for other in metadata if other != key and _folded(other) == folded), "")


def _folded(key: str) -> str:
    return "".join(key.split()).casefold()


def counts(metadata: Mapping[str, str | None], keys: Iterable[str]) -> dict[str, int]:
    """The readable counts under `keys`."""
    found = {key: parse_count(metadata.get(key)) for key in keys}
    return {key: count for key, count in found.items() if count is not None}


# --- The mark ---------------------------------------------------------------------------------

# A product's id may be anything that somebody chose, with slashes too.
_MARK = re.compile(r"([^/\s]+)/(.+)/([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class Mark:
    """`<shop>/<product>/<n>`: which write of which database made this product's counts."""

    shop: str
    product: str
    n: int

    def __str__(self) -> str:
        return f"{self.shop}/{self.product}/{self.n}"


def parse_mark(text: str | None) -> Mark | None:
    """The mark that a metadata value says; None if it says none."""
    match = _MARK.fullmatch((text or "").strip())
    return Mark(match[1], match[2], int(match[3])) if match else None


@dataclass(frozen=True)
class Whose:
    """A mark as this shop sees it: `n` if it is ours, `foreign` if another database's, neither if there is none.

    A product that was duplicated in the Dashboard carries the mark of the one it was copied from: none.
    """

    n: int | None = None
    foreign: str = ""


def whose(text: str | None, *, shop: str, product: str) -> Whose:
    mark = parse_mark(text)
    if mark is None or mark.product != product:
        return Whose()
    return Whose(n=mark.n) if mark.shop == shop else Whose(foreign=str(mark))


def body(totals: Mapping[str, int], mark: Mark) -> dict[str, str]:
    """What a write sends: the totals and the mark, and no other key.

    In one order, for PostgreSQL gives stored totals back in an order of its own, and the same idempotency key must
    come with the same bytes.
    """
    return {**{key: str(totals[key]) for key in sorted(totals)}, MARK_KEY: str(mark)}


# --- A product.updated event ------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What one update did to the keys that count: before, after, and the marks; `mark_was_set` if it set or took one."""

    before: Counts
    after: Counts
    mark_before: str | None
    mark_after: str | None
    mark_was_set: bool


def change(
    after: Mapping[str, str | None], previous: Mapping[str, str | None], keys: Iterable[str]
) -> Change:
    """`previous` has the old values of changed keys only, None where a key was not there: Stripe's own form."""
    wanted = list(keys)
    before = {**after, **previous}
    return Change(
        before={key: parse_count(before.get(key)) for key in wanted},
        after={key: parse_count(after.get(key)) for key in wanted},
        mark_before=before.get(MARK_KEY),
        mark_after=after.get(MARK_KEY),
        mark_was_set=MARK_KEY in previous,
    )
