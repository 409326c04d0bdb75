"""Check paths of `expand[]` against Stripe's document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fake_stripe.contract.document import Document, Schema
from fake_stripe.contract.schemas import REFERENCE

MAX_DEPTH = 4


def why_not(document: Document, answer: Schema, path: str) -> str | None:
    """None if `path`, such as `data.default_price.product`, can be expanded in `answer`; else the reason."""
    steps = path.split(".")
    if len(steps) > MAX_DEPTH:
        return f"{path!r} is {len(steps)} levels deep, and at most {MAX_DEPTH} can be expanded"
    places = [answer]
    for step in steps:
        places = list(_below(document, places, step))
        if not places:
            return f"{path!r} cannot be expanded: {step!r} is not expandable here"
    return None


def _below(document: Document, places: Iterable[Schema], step: str) -> Iterator[Schema]:
    for record in (record for place in places for record in _records(document, place)):
        is_list = step == "data" and "has_more" in record.get("properties", {})
        if is_list or step in record.get("x-expandableFields", ()):
            part = record["properties"].get(step, {})
            yield from part.get("x-expansionResources", {}).get("oneOf", [part])


def _records(document: Document, schema: Schema) -> Iterator[Schema]:
    """The object schemas behind a schema, through references, choices and lists."""
    if "$ref" in schema:
        yield from _records(document, document.schemas[schema["$ref"].removeprefix(REFERENCE)])
    elif "anyOf" in schema:
        for branch in schema["anyOf"]:
            yield from _records(document, branch)
    elif schema.get("type") == "array":
        yield from _records(document, schema["items"])
    elif "properties" in schema:
        yield schema
