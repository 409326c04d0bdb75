"""Find the sizes that an external session sold. Standard library only: no database, no requests.

The first place that names a size wins: the line's metadata, the price's metadata, the session's item_<i>_size with
item_<i>_product_id and item_<i>_quantity, the session's `size` if it has a single line, and a custom field called size
if only one line comes in sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ITEM_KEY = re.compile(r"item_([0-9]{1,3})_(size|product_id|quantity)")
QUANTITY = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True)
class SoldUnits:
    """Units of one product in one size. `size` is None if unknown, `line` is the index of the session's line."""

    product_id: str
    quantity: int
    size: str | None = None
    line: int = 0


@dataclass(frozen=True)
class SessionLineFacts:
    """What of a session's line matters for sizes."""

    product_id: str
    quantity: int
    metadata: Mapping[str, str]
    price_metadata: Mapping[str, str]
    has_sizes: bool = True


@dataclass(frozen=True)
class _Entry:
    """The item_<i>_* keys of one i. `line` counts from 0. Quantity 0: not given, which means the whole line."""

    line: int
    product_id: str
    size: str
    quantity: int


def sizes_sold(
    lines: Sequence[SessionLineFacts], session_metadata: Mapping[str, str], custom_fields: Mapping[str, str]
) -> list[SoldUnits]:
    """What each line sold, in order. A line becomes several where the session says that it held several sizes."""
    entries = _parse_entries(session_metadata)
    # A size given for the whole session counts if only one line can be meant.
    session_size = _text(session_metadata.get("size")) if len(lines) == 1 else None
    custom_size = next(
        (_text(value) for key, value in custom_fields.items() if key.casefold() == "size"), None
    )
    sized_lines = sum(line.has_sizes for line in lines)
    sold: list[SoldUnits] = []
    for index, line in enumerate(lines):
        size = _text(line.metadata.get("size")) or _text(line.price_metadata.get("size"))
        matches = [] if size else _matching_entries(index, lines, entries)
        if matches:
            sold += [
                SoldUnits(line.product_id, entry.quantity or line.quantity, entry.size, index)
                for entry in matches
            ]
        else:
            size = size or session_size or (custom_size if line.has_sizes and sized_lines == 1 else None)
            sold.append(SoldUnits(line.product_id, line.quantity, size, index))
    return sold


def matching_size(size: str, offered: Iterable[str]) -> str | None:
    """The offered size that equals `size`, else the only one that differs in case alone."""
    offered = list(offered)
    if size in offered:
        return size
    similar = [other for other in offered if other.casefold() == size.casefold()]
    return similar[0] if len(similar) == 1 else None


def _parse_entries(metadata: Mapping[str, str]) -> list[_Entry]:
    """The entries that name a size. They are numbered from 0, or from 1 if there is no 0."""
    values: dict[int, dict[str, str]] = {}
    for key, text in metadata.items():
        match = ITEM_KEY.fullmatch(key)
        if match:
            values.setdefault(int(match[1]), {})[match[2]] = text.strip()
    first = 0 if 0 in values else 1
    entries = []
    for number, value in sorted(values.items()):
        quantity = value.get("quantity", "")
        units = int(quantity) if QUANTITY.fullmatch(quantity) else 0
        if value.get("size"):
            entries.append(_Entry(number - first, value.get("product_id", ""), value["size"], units))
    return entries


def _matching_entries(index: int, lines: Sequence[SessionLineFacts], entries: list[_Entry]) -> list[_Entry]:
    line = lines[index]
    if not any(entry.product_id for entry in entries):
        # No entry names a product, so they follow the order of the lines.
        matches = [entry for entry in entries if entry.line == index]
    else:
        matches = [entry for entry in entries if entry.product_id == line.product_id]
        same_product = [other for other in range(len(lines)) if lines[other].product_id == line.product_id]
        if len(matches) != len(same_product):
            # Several sizes share a line: each entry must give its quantity, and they must add up to the line's.
            add_up = all(entry.quantity for entry in matches) and (
                sum(entry.quantity for entry in matches) == line.quantity
            )
            return matches if len(same_product) == 1 and add_up else []
        # One entry for each line of this product, in order.
        matches = [matches[same_product.index(index)]]
    # Entries that contradict the line are ignored.
    return [entry for entry in matches if entry.quantity in {0, line.quantity}]


def _text(value: str | None) -> str | None:
    return (value or "").strip() or None
