"""What happened, by Stripe's own records? Its events, turned into what the judge hears. Imports nothing of the shop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from benchmarks.judge import Edited, Happening, Paid, Place, Shown

Json = Mapping[str, Any]
PREFIX = "stock"
PAYMENTS = ("checkout.session.completed", "checkout.session.async_payment_succeeded")


def happenings(events: Iterable[Json], lines: Callable[[str], list[Any]]) -> Iterator[Happening]:
    """`events`: Event objects in the order of their making; `lines`: the line items of a session, by its id."""
    for event in events:
        thing = event["data"]["object"]
        if event["type"] in PAYMENTS and thing["payment_status"] != "unpaid":
            yield Paid(thing["id"], units_of(thing, lines(thing["id"])))
        elif event["type"] == "product.updated":
            yield from _changes(event)


def units_of(session: Json, lines: list[Any]) -> dict[Place, int]:
    """How many of what a session bought: each line's product and quantity, with the size it was marked with."""
    units: dict[Place, int] = {}
    for number, line in enumerate(lines):
        product = line["price"]["product"]
        product_id = product if isinstance(product, str) else product["id"]
        size = (line.get("metadata") or {}).get("size") or session["metadata"].get(f"item_{number}_size", "")
        place = (product_id, f"{PREFIX}_{size}" if size else PREFIX)
        units[place] = units.get(place, 0) + int(line["quantity"])
    return units


def counts_of(product: Json) -> dict[Place, int | None]:
    """Every count that a product shows, None where it is no number."""
    metadata: Mapping[str, str] = product["metadata"]
    return {(product["id"], key): _count(value) for key, value in metadata.items() if _is_count(key)}


def changes_counts(event: Json) -> bool:
    """Did this event's request change a count?"""
    return event["type"] == "product.updated" and any(isinstance(h, Shown) for h in _changes(event))


def _changes(event: Json) -> Iterator[Happening]:
    product = event["data"]["object"]
    before = event["data"].get("previous_attributes", {}).get("metadata") or {}
    # Stripe's own pages name no idempotency key; whatever a program wrote through a library has one.
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
    """A count has blanks around it at times: people typed it."""
    trimmed = (text or "").strip()
    return int(trimmed) if trimmed.isascii() and trimmed.isdigit() else None
