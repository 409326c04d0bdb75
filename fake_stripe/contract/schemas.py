"""Compile schemas of the document into rules, each once and on first use."""

from __future__ import annotations

from fake_stripe.contract.document import Document, Schema
from fake_stripe.contract.rules import (
    AnyOf,
    Anything,
    Items,
    Named,
    Nullable,
    Number,
    Record,
    Rule,
    Text,
    Truth,
    Whole,
)

REFERENCE = "#/components/schemas/"


class Schemas:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._named: dict[str, Rule] = {}

    def named(self, name: str) -> Rule:
        """The rule of a component schema. Cached by name, so references may be circular."""
        if name not in self._named:
            self._named[name] = self.compile(self._document.schemas[name])
        return self._named[name]

    def knows(self, name: str) -> bool:
        return name in self._document.schemas

    def compile(self, schema: Schema) -> Rule:
        rule = self._bare(schema)
        return Nullable(rule) if schema.get("nullable") else rule

    def _bare(self, schema: Schema) -> Rule:
        if "$ref" in schema:
            return Named(schema["$ref"].removeprefix(REFERENCE), self.named)
        if "anyOf" in schema:
            return AnyOf([self.compile(branch) for branch in schema["anyOf"]])
        match schema.get("type"):
            case "object":
                return self._record(schema)
            case "array":
                return Items(self.compile(schema["items"]))
            case "string":
                return Text(schema)
            case "integer":
                return Whole()
            case "number":
                return Number()
            case "boolean":
                return Truth(schema)
            case None:
                return Anything()
        raise ValueError(f"unsupported schema type {schema['type']!r}")

    def _record(self, schema: Schema) -> Rule:
        others = schema.get("additionalProperties", "properties" not in schema)
        rule = self.compile(others) if isinstance(others, dict) else Anything() if others else None
        properties = {name: self.compile(part) for name, part in schema.get("properties", {}).items()}
        return Record(properties, schema.get("required", ()), rule)
