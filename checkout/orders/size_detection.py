"""Find the sizes that an external session sold. No database, no requests.

The first place that names a size wins: the line's metadata, the price's metadata, the session's item_<i>_size with
item_<i>_product_id and item_<i>_quantity, the session's `size` if it has a single line, and a custom field for the size
if only one line comes in sizes. How many units were sold, Stripe's line says: customers can change it on Stripe's page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from checkout.stripe_objects import CustomField

ITEM_KEY = re.compile(r"item_([0-9]{1,3})_(size|product_id|quantity)")
QUANTITY = re.compile(r"[0-9]{1,6}")
# The word for a size in the key or label of a custom field, which customers read in their language. Payment links make
# the key from the label without its blanks: “T-shirt size” becomes “tshirtsize”.
SIZE_WORD = re.compile(r"(size|größe|groesse|taille|talla|taglia|maat)s?\b", re.IGNORECASE)


@dataclass(frozen=True)
class SoldUnits:
    """Units of one product in one size. `line` is the index of the session's line.

    `names`: what the session calls the size, first as the customer read it. Empty if it does not say.
    """

    product_id: str
    quantity: int
    names: tuple[str, ...] = ()
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
class Entry:
    """The item_<i>_* keys of one i. `line` counts from 0. Quantity 0: not given, which means the whole line."""

    line: int
    product_id: str
    size: str
    quantity: int


def sizes_sold(
    lines: Sequence[SessionLineFacts],
    session_metadata: Mapping[str, str],
    custom_fields: Sequence[CustomField],
) -> list[SoldUnits]:
    """What each line sold, in order. A line becomes several where the session says that it held several sizes."""
    entries = [entry for entry in parse_entries(session_metadata) if entry.size]
    # A size given for the whole session counts if only one line can be meant.
    session_size = _names(session_metadata.get("size")) if len(lines) == 1 else ()
    custom_size = _custom_size(custom_fields) if sum(line.has_sizes for line in lines) == 1 else ()
    sold: list[SoldUnits] = []
    for index, line in enumerate(lines):
        names = _names(line.metadata.get("size")) or _names(line.price_metadata.get("size"))
        shares = {} if names else _shares(index, lines, entries)
        if shares:
            sold += [
                SoldUnits(line.product_id, units, (size,), index) for size, units in shares.items() if units
            ]
        else:
            names = names or session_size or (custom_size if line.has_sizes else ())
            sold.append(SoldUnits(line.product_id, line.quantity, names, index))
    return sold


def matching_size(names: Iterable[str], offered: Iterable[str]) -> str | None:
    """The offered size that `names` mean. None if they mean none, or two different ones.

    Each name means the offered size that equals it, else the only one that differs in case alone.
    """
    offered = list(offered)
    meant = set()
    for name in names:
        similar = [size for size in offered if size.casefold() == name.casefold()]
        if name in offered:
            meant.add(name)
        elif len(similar) == 1:
            meant.add(similar[0])
    return meant.pop() if len(meant) == 1 else None


def parse_entries(metadata: Mapping[str, str]) -> list[Entry]:
    """The entries that name a size or a product. They are numbered from 0, or from 1 if there is no 0."""
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
        entry = Entry(number - first, value.get("product_id", ""), value.get("size", ""), units)
        if entry.size or entry.product_id:
            entries.append(entry)
    return entries


def _shares(index: int, lines: Sequence[SessionLineFacts], entries: list[Entry]) -> dict[str, int]:
    # The units of a line by size, as the entries name them. Empty if they do not say which of them the line is.
    line = lines[index]
    if not any(entry.product_id for entry in entries):
        # No entry names a product, so they follow the order of the lines.
        return {entry.size: line.quantity for entry in entries if entry.line == index}
    mine = [entry for entry in entries if entry.product_id == line.product_id]
    if len({entry.size for entry in mine}) == 1:
        return {mine[0].size: line.quantity}
    same_product = [other for other in lines if other.product_id == line.product_id]
    if len(same_product) == 1:
        # Several sizes share a line: each entry must give its quantity, and they must add up to the line's.
        add_up = all(entry.quantity for entry in mine) and sum(e.quantity for e in mine) == line.quantity
        shares: dict[str, int] = {}
        for entry in mine if add_up else []:
            shares[entry.size] = shares.get(entry.size, 0) + entry.quantity
        return shares
    if len(same_product) != len(mine):
        return {}
    # One entry for each line of this product, in order, unless the quantities show that the order is another one.
    quantities, told = [other.quantity for other in same_product], [entry.quantity for entry in mine]
    if all(told) and quantities != told and sorted(quantities) == sorted(told):
        if told.count(line.quantity) > 1:
            return {}
        return {mine[told.index(line.quantity)].size: line.quantity}
    position = sum(other.product_id == line.product_id for other in lines[:index])
    return {mine[position].size: line.quantity}


def _custom_size(fields: Sequence[CustomField]) -> tuple[str, ...]:
    # The answers of the field that asks for the size: the one called so, else the only one whose name has the word.
    called = [f for f in fields if SIZE_WORD.fullmatch(f.key.strip()) or SIZE_WORD.fullmatch(f.label.strip())]
    similar = [f for f in fields if SIZE_WORD.search(f.key) or SIZE_WORD.search(f.label)]
    for candidates in (called, similar):
        if len(candidates) == 1:
            return tuple(filter(None, map(str.strip, candidates[0].answers)))
    return ()


def _names(text: str | None) -> tuple[str, ...]:
    name = (text or "").strip()
    return (name,) if name else ()
