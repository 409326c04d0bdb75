"""Rules that check values against the schemas of Stripe's document.

The document uses a dozen keywords of JSON Schema, so each schema is compiled once into a tree of these rules. They
are used instead of the jsonschema library, with which the tests compare them, for three reasons: they report the
branch of an `anyOf` that was meant, they convert the text of a form into the schema's types, and they are fast
enough to check every exchange of a test run (see README.md).

`check` returns the violations. `read` converts the text of a form into the value the schema describes, and leaves
unconvertible text for `check` to report.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fake_stripe.contract.document import Schema
from fake_stripe.contract.violations import Violation

Kinds = frozenset[type]
FORMATS = {
    "currency": (re.compile(r"[a-z]{3}"), "a currency in three lower-case letters"),
    "decimal": (re.compile(r"-?\d+(\.\d+)?"), "a decimal number as text"),
}
WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", dict: "an object"}
WORDS |= {list: "a list", type(None): "null"}
FINE: tuple[Violation, ...] = ()


class Rule(Protocol):
    @property
    def kinds(self) -> Kinds:
        """The Python types the rule may accept."""

    def check(self, value: object) -> Sequence[Violation]: ...

    def read(self, tree: object) -> object: ...


def wrong_type(kinds: Kinds, value: object) -> Sequence[Violation]:
    wanted = " or ".join(WORDS[kind] for kind in WORDS if kind in kinds)
    return (Violation("type", f"{wanted} was expected, not {_show(value)}"),)


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Anything:
    """A schema without a type, such as `event.data.object`, which is checked against its own schema."""

    kinds: Kinds = frozenset(WORDS)

    def check(self, value: object) -> Sequence[Violation]:
        return FINE

    def read(self, tree: object) -> object:
        return tree


class Text:
    kinds: Kinds = frozenset({str})

    def __init__(self, schema: Schema) -> None:
        self.choices = frozenset(schema["enum"]) if "enum" in schema else None
        self.max_length: int | None = schema.get("maxLength")
        self.pattern = re.compile(schema["pattern"]) if "pattern" in schema else None
        self.format = FORMATS.get(schema.get("format", ""))

    def check(self, value: object) -> Sequence[Violation]:
        if not isinstance(value, str):
            return wrong_type(self.kinds, value)
        if self.choices is not None and value not in self.choices:
            some = ", ".join(repr(choice) for choice in sorted(self.choices)[:8])
            return (
                Violation("choice", f"{_show(value)} is none of {some}{' ...' * (len(self.choices) > 8)}"),
            )
        if self.max_length is not None and len(value) > self.max_length:
            return (Violation("length", f"{len(value)} characters, at most {self.max_length} are allowed"),)
        if self.pattern is not None and not self.pattern.search(value):
            return (Violation("format", f"{_show(value)} does not match {self.pattern.pattern}"),)
        if self.format is not None and not self.format[0].fullmatch(value):
            return (Violation("format", f"{_show(value)} is not {self.format[1]}"),)
        return FINE

    def read(self, tree: object) -> object:
        return tree


class Whole:
    kinds: Kinds = frozenset({int})

    def check(self, value: object) -> Sequence[Violation]:
        return FINE if type(value) is int else wrong_type(self.kinds, value)

    def read(self, tree: object) -> object:
        return int(tree) if isinstance(tree, str) and re.fullmatch(r"-?[0-9]{1,20}", tree) else tree


class Number:
    kinds: Kinds = frozenset({int, float})

    def check(self, value: object) -> Sequence[Violation]:
        return FINE if type(value) in self.kinds else wrong_type(self.kinds, value)

    def read(self, tree: object) -> object:
        return float(tree) if isinstance(tree, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", tree) else tree


class Truth:
    """A boolean, possibly with one allowed value, such as `deleted` of a deleted object."""

    kinds: Kinds = frozenset({bool})

    def __init__(self, schema: Schema) -> None:
        self.choices: frozenset[object] = frozenset(schema.get("enum", (True, False)))

    def check(self, value: object) -> Sequence[Violation]:
        if type(value) is not bool:
            return wrong_type(self.kinds, value)
        return FINE if value in self.choices else (Violation("choice", f"{value} is not allowed here"),)

    def read(self, tree: object) -> object:
        return {"true": True, "false": False}.get(tree.lower(), tree) if isinstance(tree, str) else tree


class Items:
    kinds: Kinds = frozenset({list})

    def __init__(self, item: Rule) -> None:
        self.item = item

    def check(self, value: object) -> Sequence[Violation]:
        if not isinstance(value, list):
            return wrong_type(self.kinds, value)
        violations: list[Violation] = []
        for index, item in enumerate(value):
            if found := self.item.check(item):
                violations += [violation.under(str(index)) for violation in found]
        return violations

    def read(self, tree: object) -> object:
        if not isinstance(tree, dict) or not all(re.fullmatch(r"[0-9]{1,9}", key) for key in tree):
            return tree
        return [self.item.read(tree[key]) for key in sorted(tree, key=int)]


class Record:
    """An object. If the document lists properties, any other property is a violation."""

    kinds: Kinds = frozenset({dict})

    def __init__(self, properties: Mapping[str, Rule], required: Sequence[str], others: Rule | None) -> None:
        self.properties = properties
        self.required = tuple(required)
        self.others = others

    def check(self, value: object) -> Sequence[Violation]:
        if not isinstance(value, dict):
            return wrong_type(self.kinds, value)
        violations: list[Violation] = []
        for key, item in value.items():
            rule = self.properties.get(key, self.others)
            if rule is None:
                violations.append(Violation("unknown", "not in Stripe's document").under(key))
            elif found := rule.check(item):
                violations += [violation.under(key) for violation in found]
        missing = [name for name in self.required if name not in value]
        return [*violations, *(Violation("missing", "this is required").under(name) for name in missing)]

    def read(self, tree: object) -> object:
        if not isinstance(tree, dict):
            return tree
        return {key: self._read_one(key, branch) for key, branch in tree.items()}

    def _read_one(self, key: str, branch: object) -> object:
        rule = self.properties.get(key, self.others)
        return branch if rule is None else rule.read(branch)


class AnyOf:
    def __init__(self, branches: Sequence[Rule]) -> None:
        self.branches = branches

    @functools.cached_property
    def kinds(self) -> Kinds:
        return frozenset().union(*(branch.kinds for branch in self.branches))

    def check(self, value: object) -> Sequence[Violation]:
        """No violations if one branch has none, else those of the branch that was most likely meant."""
        nearest: Sequence[Violation] | None = None
        for branch in self.branches:
            if type(value) not in branch.kinds:
                continue
            found = branch.check(value)
            if not found:
                return FINE
            if nearest is None or _distance(found) < _distance(nearest):
                nearest = found
        return wrong_type(self.kinds, value) if nearest is None else nearest

    def read(self, tree: object) -> object:
        """The value as read by the branch that fits best."""
        best, smallest = tree, (True, 10**6)
        for branch in self.branches:
            value = branch.read(tree)
            if type(value) not in branch.kinds:
                continue
            distance = _distance(branch.check(value))
            if distance < smallest:
                best, smallest = value, distance
        return best


def _distance(violations: Sequence[Violation]) -> tuple[bool, int]:
    # An object of another type is further away than any number of violations in an object of the right type.
    return any(violation.path == ("object",) for violation in violations), len(violations)


class Nullable:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    @functools.cached_property
    def kinds(self) -> Kinds:
        return self.rule.kinds | {type(None)}

    def check(self, value: object) -> Sequence[Violation]:
        return FINE if value is None else self.rule.check(value)

    def read(self, tree: object) -> object:
        return self.rule.read(tree)


class Named:
    """A reference to one of Stripe's named schemas, compiled on first use."""

    def __init__(self, name: str, find: Callable[[str], Rule]) -> None:
        self.name = name
        self.find = find
        self.found: Rule | None = None

    @property
    def rule(self) -> Rule:
        if self.found is None:
            self.found = self.find(self.name)
        return self.found

    @property
    def kinds(self) -> Kinds:
        return self.rule.kinds

    def check(self, value: object) -> Sequence[Violation]:
        found = self.rule.check(value)
        return [violation.owned_by(self.name) for violation in found] if found else FINE

    def read(self, tree: object) -> object:
        return self.rule.read(tree)
