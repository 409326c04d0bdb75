"""Translate Stripe's events into the happenings that the judge receives. Imports nothing from the shop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from benchmarks.judge import Edited, Happening, Paid, Place, Shown

Json = Mapping[str, Any]
PREFIX = "stock"
PAYMENTS = ("checkout.session.completed", "checkout.session.async_payment_succeeded")


def happenings(events: Iterable[Json], lines: Callable[[str], list[Any]]) -> Iterator[Happening]:
    """`events`: Event objects in order of creation; `lines`: returns a session's line items by its id."""
    for event in events:
        thing = event["data"]["object"]
        if event["type"] in PAYMENTS and thing["payment_status"] != "unpaid":
            yield Paid(thing["id"], units_of(thing, lines(thing["id"])))
        elif event["type"] == "product.updated":
            yield from _changes(event)


def units_of(session: Json, lines: list[Any]) -> dict[Place, int]:
    """The units that a session bought: each line's product and quantity, with the size from its metadata."""
    units: dict[Place, int] = {}
    for number, line in enumerate(lines):
        product = line["price"]["product"]
        product_id = product if isinstance(product, str) else product["id"]
        size = (line.get("metadata") or {}).get("size") or session["metadata"].get(f"item_{number}_size", "")
        place = (product_id, f"{PREFIX}_{size}" if size else PREFIX)
        units[place] = units.get(place, 0) + int(line["quantity"])
    return units


def counts_of(product: Json) -> dict[Place, int | None]:
    """Every count of a product; None where the value is not a number."""
    metadata: Mapping[str, str] = product["metadata"]
    return {(product["id"], key): _count(value) for key, value in metadata.items() if _is_count(key)}


def changes_counts(event: Json) -> bool:
    """Whether this event's request changed a count."""
    return event["type"] == "product.updated" and any(isinstance(h, Shown) for h in _changes(event))


def _changes(event: Json) -> Iterator[Happening]:
    product = event["data"]["object"]
    before = event["data"].get("previous_attributes", {}).get("metadata") or {}
    # Edits in the Dashboard have no idempotency key; updates by a program through a library have one.
    by_a_person = event["request"]["idempotency_key"] is None
    for key in filter(_is_count, before):
        place, after = (product["id"], key), _count(product["metadata"].get(key))
        old = _count(before[key])
        if by_a_person and after is not None and old is not None:
            yield Edited(place, after - old)
        yield Shown(place, after)


def _is_count(key: str) -> bool:
    return key == PREFIX or key.startswith(f"{PREFIX}_")


def _count(text: str | None) -> int | None:
    """The number in `text`. Counts typed by people may have spaces around them."""
    trimmed = (text or "").strip()
    return int(trimmed) if trimmed.isascii() and trimmed.isdigit() else None
