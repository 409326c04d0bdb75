"""Build sample values from the schemas of Stripe's document."""

from __future__ import annotations

from typing import Any

from fake_stripe.contract.document import Document, Schema
from fake_stripe.contract.schemas import REFERENCE

SCALARS: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True}
TEXTS = {"currency": "usd", "decimal": "2500"}


def sample(document: Document, schema: Schema, *, filled: int = 0) -> Any:
    """A value with all properties down to `filled` levels, and only the required ones below."""
    if "$ref" in schema:
        named = document.schemas[schema["$ref"].removeprefix(REFERENCE)]
        return sample(document, named, filled=filled)
    if schema.get("nullable") and filled <= 0:
        return None
    if "anyOf" in schema:
        return sample(document, schema["anyOf"][0], filled=filled)
    if schema.get("type") == "object":
        return _record(document, schema, filled)
    if schema.get("type") == "array":
        return [sample(document, schema["items"], filled=filled - 1)] if filled > 0 else []
    if schema.get("type") == "string":
        return _text(schema)
    return SCALARS[schema["type"]]


def _record(document: Document, schema: Schema, filled: int) -> dict[str, Any]:
    properties: dict[str, Schema] = schema.get("properties", {})
    names = properties if filled > 0 else schema.get("required", ())
    return {name: sample(document, properties[name], filled=filled - 1) for name in names}


def _text(schema: Schema) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    return str(schema.get("pattern", TEXTS.get(schema.get("format", ""), "text"))).removeprefix("^")
