"""Stock metadata of a product: counts in `stock_<size>`, the version tag, and what an update changed. No Django."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inventory.stock.counts import Counts, parse_count
from shop.metadata import SINGLE_ITEM_KEY as SINGLE_ITEM_KEY
from shop.metadata import STOCK_KEY_PREFIX
from shop.metadata import VERSION_KEY as VERSION_KEY

UNLIMITED = "unlimited"


@dataclass(frozen=True)
class ParsedCount:
    """The value under one key: a `count`, or `unlimited`, or a `problem` sentence if it is neither."""

    key: str
    size: str
    count: int | None = None
    unlimited: bool = False
    problem: str = ""


def key_for(size: str) -> str:
    return f"{STOCK_KEY_PREFIX}{size}" if size else SINGLE_ITEM_KEY


def read(metadata: Mapping[str, str], sizes: Sequence[str]) -> list[ParsedCount]:
    return [read_key(metadata, key_for(size), size) for size in (sizes or [""])]


def read_key(metadata: Mapping[str, str], key: str, size: str) -> ParsedCount:
    text = metadata.get(key)
    count = parse_count(text)
    if count is not None:
        return ParsedCount(key, size, count=count)
    if text is None:
        problem = f"{key} is missing."
        near = next((other for other in metadata if _folded(other) == _folded(key)), "")
        if near:
            problem += f" There is “{near}”, but keys must match exactly, including case and blanks."
        return ParsedCount(key, size, problem=problem)
    if text.strip().lower() == UNLIMITED:
        return ParsedCount(key, size, unlimited=True)
    return ParsedCount(
        key, size, problem=f"{key} is “{text[:40]}”, which is not a count. Enter digits only, such as 12."
    )


def _folded(key: str) -> str:
    return "".join(key.split()).casefold()


# --- The version tag --------------------------------------------------------------------------

# A product id can be chosen freely and may contain slashes.
_VERSION_TAG = re.compile(r"([^/\s]+)/(.+)/([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class VersionTag:
    """The version tag `<shop>/<product>/<number>`: the stock update, and its database, that set a product's counts."""

    shop: str
    product: str
    number: int

    def __str__(self) -> str:
        return f"{self.shop}/{self.product}/{self.number}"


@dataclass(frozen=True)
class VersionOwner:
    """A version tag from this shop's point of view: `number` if it is ours, `foreign` if another database set it, else neither.

    A product that was duplicated in the Dashboard carries the tag of its original, which counts as none.
    """

    number: int | None = None
    foreign: str = ""


def identify_version(text: str | None, *, shop: str, product: str) -> VersionOwner:
    match = _VERSION_TAG.fullmatch((text or "").strip())
    if match is None or match[2] != product:
        return VersionOwner()
    tag = VersionTag(match[1], match[2], int(match[3]))
    return VersionOwner(number=tag.number) if tag.shop == shop else VersionOwner(foreign=str(tag))


def update_payload(totals: Mapping[str, int], tag: VersionTag | str) -> dict[str, str]:
    """The metadata that a stock update sends: the totals and the version tag, and no other key.

    Sorted, because PostgreSQL returns stored totals in an order of its own, and the same idempotency key requires
    the same bytes.
    """
    return {**{key: str(totals[key]) for key in sorted(totals)}, VERSION_KEY: str(tag)}


# --- A product.updated event ------------------------------------------------------------------


@dataclass(frozen=True)
class MetadataDiff:
    """The stock keys and version tags before and after one update."""

    before: Counts
    after: Counts
    tag_before: str | None
    tag_after: str | None


def diff(
    after: Mapping[str, str | None], previous: Mapping[str, str | None], keys: Iterable[str]
) -> MetadataDiff:
    """`previous` holds the old values of changed keys only, None for new keys, as in Stripe's previous_attributes."""
    stock_keys = list(keys)
    before = {**after, **previous}
    return MetadataDiff(
        before={key: parse_count(before.get(key)) for key in stock_keys},
        after={key: parse_count(after.get(key)) for key in stock_keys},
        tag_before=before.get(VERSION_KEY),
        tag_after=after.get(VERSION_KEY),
    )
