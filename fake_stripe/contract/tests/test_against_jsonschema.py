"""Comparison of our rules with the jsonschema library, on valid and invalid answers."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from fake_stripe.contract import document
from fake_stripe.contract.document import Document, Schema
from fake_stripe.contract.rules import FORMATS
from fake_stripe.contract.schemas import REFERENCE, Schemas
from fake_stripe.contract.tests.samples import sample

OBJECTS = ["product", "price", "checkout.session", "item", "payment_intent", "charge", "refund", "event"]
OBJECTS += ["webhook_endpoint", "error", "deleted_product", "payment_method", "shipping_rate", "coupon"]
UNDERSTOOD = {"type", "properties", "required", "items", "anyOf", "$ref", "nullable", "enum", "maxLength"}
UNDERSTOOD |= {"additionalProperties", "pattern", "format"}
WITHOUT_WEIGHT = {"title", "description", "deprecated", "x-expandableFields", "x-expansionResources"}
WITHOUT_WEIGHT |= {"x-resourceId", "x-stripeBypassValidation", "x-stripeParam", "oneOf"}

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.just(1.5) | st.text(max_size=3) | st.just("usd"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


def translated(schema: Any) -> Any:
    """Translate OpenAPI 3.0 with closed objects to JSON Schema 2020-12."""
    if isinstance(schema, list):
        return [translated(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: part for key, part in schema.items() if key in UNDERSTOOD - {"properties", "nullable", "format"}
    }
    plain = {key: translated(part) for key, part in kept.items()}
    if "properties" in schema:
        plain["properties"] = {name: translated(part) for name, part in schema["properties"].items()}
        plain.setdefault("additionalProperties", False)
    if schema.get("format") in FORMATS:
        plain["pattern"] = f"^({FORMATS[schema['format']][0].pattern})\\Z"
    return {"anyOf": [{"type": "null"}, plain]} if schema.get("nullable") else plain


@functools.cache
def referee(name: str) -> Draft202012Validator:
    schemas = {key: translated(part) for key, part in document.load().schemas.items()}
    whole = DRAFT202012.create_resource({"components": {"schemas": schemas}})
    registry: Registry[Any] = Registry().with_resource("urn:stripe", whole)
    return Draft202012Validator({"$ref": f"urn:stripe{REFERENCE}{name}"}, registry=registry)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        yield from places(inner, (*path, key))


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, Any]:
    """A sample answer with one to three values removed, replaced or added."""
    name = draw(st.sampled_from(OBJECTS))
    value = sample(document.load(), document.load().schemas[name], filled=draw(st.integers(0, 3)))
    for _ in range(draw(st.integers(0, 3))):
        if not value:
            break
        *above, last = draw(st.sampled_from([*places(value)][1:]))
        holder = functools.reduce(lambda part, key: part[key], above, value)
        match draw(st.sampled_from(["drop", "replace", "add"])):
            case "drop":
                del holder[last]
            case "replace":
                holder[last] = draw(ANYTHING)
            case _ if isinstance(holder, dict):
                holder[draw(st.sampled_from(["added", "id", "object"]))] = draw(ANYTHING)
    return name, value


@example(("deleted_product", {"deleted": False, "id": "text", "object": "product"}))
@settings(max_examples=300, deadline=None)
@given(answers())
def test_both_agree_on_an_answer(answer: tuple[str, Any]) -> None:
    name, value = answer
    violations = Schemas(document.load()).named(name).check(value)

    assert referee(name).is_valid(value) == (not violations), json.dumps(value)


@pytest.mark.parametrize("name", OBJECTS)
def test_both_accept_the_samples(stripes_document: Document, name: str) -> None:
    value = sample(stripes_document, stripes_document.schemas[name], filled=3)

    assert referee(name).is_valid(value)
    assert not Schemas(stripes_document).named(name).check(value)


def keywords(schema: Schema) -> Iterator[str]:
    yield from schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    inner += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    for part in inner:
        yield from keywords(part)


def test_the_rules_cover_every_keyword_of_the_document(stripes_document: Document) -> None:
    used = {word for schema in stripes_document.schemas.values() for word in keywords(schema)}

    assert used <= UNDERSTOOD | WITHOUT_WEIGHT
