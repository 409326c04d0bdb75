"""Find the products that the lines of an external session sold. No database, no requests.

A line of a price of ours names its product. A line with an inline price belongs to a product that Stripe made for this
session; what it sold is named, if at all, by metadata: of the line, of the price, of that product, or of the session.
https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-line_items-price_data
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from checkout.orders.size_detection import Entry, parse_entries
from checkout.stripe_objects import SessionLine

PRODUCT_KEYS = ("product", "product_id")


def named_products(lines: Sequence[SessionLine], session_metadata: Mapping[str, str]) -> set[str]:
    names = {entry.product_id for entry in parse_entries(session_metadata)}
    for metadata in (session_metadata, *(each for line in lines for each in line.all_metadata)):
        names |= {metadata.get(key, "").strip() for key in PRODUCT_KEYS}
    return names - {""}


def products_sold(
    lines: Sequence[SessionLine], session_metadata: Mapping[str, str], known: Collection[str]
) -> list[str]:
    """The product id of each line, one of `known`, or "" where nothing tells it."""
    sold = [
        line.product_id
        if line.product_id in known
        else next(filter(None, (_named_by(metadata, known) for metadata in line.all_metadata)), "")
        for line in lines
    ]
    unknown = [index for index, product_id in enumerate(sold) if not product_id]
    entries = [
        entry
        for entry in parse_entries(session_metadata)
        if entry.product_id in known and entry.product_id not in sold
    ]
    if len(unknown) == 1 and len({entry.product_id for entry in entries}) == 1:
        sold[unknown[0]] = entries[0].product_id
    elif len(unknown) == len(entries):
        # Entries that name nothing else belong to the lines that are left, unless the quantities contradict that.
        if all(_fits(entry, lines[index]) for index, entry in zip(unknown, entries, strict=True)):
            for index, entry in zip(unknown, entries, strict=True):
                sold[index] = entry.product_id
    else:
        # There are other lines besides, such as one for the delivery: an entry's number is that of its line.
        by_number = {entry.line: entry for entry in entries}
        for index in unknown:
            if index in by_number and _fits(by_number[index], lines[index]):
                sold[index] = by_number[index].product_id
    if len(lines) == 1 and not sold[0]:
        sold[0] = _named_by(session_metadata, known)
    return sold


def _named_by(metadata: Mapping[str, str], known: Collection[str]) -> str:
    names = (metadata.get(key, "").strip() for key in PRODUCT_KEYS)
    return next((name for name in names if name in known), "")


def _fits(entry: Entry, line: SessionLine) -> bool:
    return entry.quantity in {0, line.quantity}
