"""Find the endpoint of Stripe's document for a method and path, with its rules."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fake_stripe.contract.document import Document, Schema
from fake_stripe.contract.rules import Rule
from fake_stripe.contract.schemas import Schemas

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass(frozen=True)
class Endpoint:
    """One method of one path. `name` is such as `POST /v1/products/{id}`."""

    method: str
    template: str
    operation: Schema
    schemas: Schemas

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    @functools.cached_property
    def request(self) -> Rule:
        """The rule for the form body, or for the query string if the method has no body."""
        return self.schemas.compile(self._form() if self.method == "POST" else self._query())

    @functools.cached_property
    def answer(self) -> Rule:
        return self.schemas.compile(self.answer_schema)

    @functools.cached_property
    def refusal(self) -> Rule:
        return self.schemas.compile(_schema_of(self.operation["responses"]["default"]))

    @property
    def answer_schema(self) -> Schema:
        return _schema_of(self.operation["responses"]["200"])

    def _form(self) -> Schema:
        content = self.operation.get("requestBody", {}).get("content", {})
        # API v2 takes JSON, API v1 forms.
        given = content.get(FORM) or content.get(JSON) or {}
        schema: Schema = given.get("schema", {"properties": {}})
        return {"type": "object", **schema}

    def _query(self) -> Schema:
        given = [part for part in self.operation.get("parameters", []) if part["in"] == "query"]
        return {
            "type": "object",
            "properties": {part["name"]: part["schema"] for part in given},
            "required": [part["name"] for part in given if part.get("required")],
            "additionalProperties": False,
        }


def _schema_of(response: Mapping[str, Any]) -> Schema:
    schema: Schema = response["content"]["application/json"]["schema"]
    return schema


class Routes:
    """All endpoints in a tree of path steps. A literal step takes precedence over a parameter."""

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self._document = document
        self._schemas = schemas
        self._found: dict[tuple[str, str], Endpoint] = {}
        self._tree: dict[str, Any] = {}
        for template in document.paths:
            branch = self._tree
            for step in template.strip("/").split("/"):
                branch = branch.setdefault("{}" if step.startswith("{") else step, {})
            branch[""] = template

    def find(self, method: str, path: str) -> Endpoint | None:
        """The endpoint, or None. Endpoints are cached with their compiled rules."""
        template = _descend(self._tree, path.strip("/").split("/"))
        if template is None or method.lower() not in self._document.paths[template]:
            return None
        key = (method.upper(), template)
        if key not in self._found:
            operation = self._document.paths[template][method.lower()]
            self._found[key] = Endpoint(*key, operation, self._schemas)
        return self._found[key]


def _descend(tree: dict[str, Any], steps: list[str]) -> str | None:
    if not steps:
        template: str | None = tree.get("")
        return template
    for step in (steps[0], "{}"):
        if step and step in tree and (found := _descend(tree[step], steps[1:])):
            return found
    return None
