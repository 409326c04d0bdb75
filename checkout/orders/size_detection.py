"""Which size was bought in a session that this shop did not open? PURE: no database, no requests.

Looked for in this order, as long as one is found: the line's own metadata, the price's, the session's
item_<i>_size, item_<i>_product_id and item_<i>_quantity, the session's `size` if it has a single line, and a
question of the session's that is called size, if only one line comes in sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

ITEM_KEY = re.compile(r"item_([0-9]{1,3})_(size|product_id|quantity)")


@dataclass(frozen=True)
class SoldUnits:
    """Units of one product in one size; `size` None: nothing says which."""

    product_id: str
    quantity: int
    size: str | None = None
    line: int = 0


@dataclass(frozen=True)
class SessionLineFacts:
    """One line of a session as far as sizes are concerned."""

    product_id: str
    quantity: int
    metadata: Mapping[str, str]
    price_metadata: Mapping[str, str]
    has_sizes: bool = True


def sizes_sold(
    lines: Sequence[SessionLineFacts], session_metadata: Mapping[str, str], custom_fields: Mapping[str, str]
) -> list[SoldUnits]:
    """What each line sold, in order. One line becomes several where the session says it held several sizes."""
    indexed = _indexed(session_metadata)
    sold: list[SoldUnits] = []
    for place, line in enumerate(lines):
        plain = SoldUnits(line.product_id, line.quantity, line=place)
        size = _text(line.metadata.get("size")) or _text(line.price_metadata.get("size"))
        if size:
            sold.append(replace(plain, size=size))
        else:
            sold += _from_session(plain, lines, indexed) or [
                replace(plain, size=_only_size(line, lines, session_metadata, custom_fields))
            ]
    return sold


def matching_size(size: str, offered: Iterable[str]) -> str | None:
    """The offered size that is meant: exactly, else the only one that differs in case alone."""
    offered = list(offered)
    if size in offered:
        return size
    alike = [known for known in offered if known.casefold() == size.casefold()]
    return alike[0] if len(alike) == 1 else None


def _from_session(
    line: SoldUnits, lines: Sequence[SessionLineFacts], indexed: list[SoldUnits]
) -> list[SoldUnits]:
    """The entries that speak of this line: found by product, or by place where no entry names a product."""
    if not any(entry.product_id for entry in indexed):
        found = [entry for entry in indexed if entry.line == line.line and _agrees(entry, line)]
    else:
        same_product = [place for place, other in enumerate(lines) if other.product_id == line.product_id]
        entries = [entry for entry in indexed if entry.product_id == line.product_id]
        found = _share(line, same_product, entries)
    return [replace(line, size=entry.size, quantity=entry.quantity or line.quantity) for entry in found]


def _share(line: SoldUnits, same_product: list[int], entries: list[SoldUnits]) -> list[SoldUnits]:
    if len(entries) == len(same_product):
        mine = entries[same_product.index(line.line)]
        return [mine] if _agrees(mine, line) else []
    # Not said means the whole line, and beside others that cannot be.
    each_says = all(entry.quantity for entry in entries)
    whole = sum(entry.quantity for entry in entries)
    return entries if len(same_product) == 1 and each_says and whole == line.quantity else []


def _agrees(entry: SoldUnits, line: SoldUnits) -> bool:
    return entry.quantity in {0, line.quantity}


def _only_size(
    line: SessionLineFacts,
    lines: Sequence[SessionLineFacts],
    session_metadata: Mapping[str, str],
    custom_fields: Mapping[str, str],
) -> str | None:
    """A size that stands for the whole session, where it can mean this line only."""
    if len(lines) == 1 and _text(session_metadata.get("size")):
        return _text(session_metadata["size"])
    if [other for other in lines if other.has_sizes] != [line]:
        return None
    return next((_text(value) for key, value in custom_fields.items() if key.casefold() == "size"), None)


def _indexed(metadata: Mapping[str, str]) -> list[SoldUnits]:
    """The item_<i>_* entries that name a size, by i; `line` is the place, from 0. Quantity 0: not said."""
    found: dict[int, dict[str, str]] = {}
    for key, value in metadata.items():
        match = ITEM_KEY.fullmatch(key)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = value.strip()
    first = 0 if 0 in found else 1
    return [
        SoldUnits(
            entry.get("product_id", ""),
            _number(entry.get("quantity", "")),
            _text(entry.get("size")),
            index - first,
        )
        for index, entry in sorted(found.items())
        if _text(entry.get("size"))
    ]


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def _text(value: str | None) -> str | None:
    return (value or "").strip() or None
