"""Requests and answers of everything outside the API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

Json = dict[str, Any]


@dataclass(frozen=True)
class PageRequest:
    """One request for a page or control endpoint. `args` are the named groups of the route's pattern."""

    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    args: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def form(self) -> dict[str, list[str]]:
        """The posted form by name; empty if it cannot be parsed."""
        try:
            return parse_qs(self.body.decode("utf-8"), keep_blank_values=True, max_num_fields=2000)
        except ValueError:
            return {}

    def posted(self, name: str, default: str = "") -> str:
        return self.form.get(name, [default])[0]

    @property
    def json(self) -> Json:
        """The body as a JSON object; raises ValueError for anything else."""
        given = json.loads(self.body.decode("utf-8") or "{}")
        if not isinstance(given, dict):
            raise ValueError("the body must be a JSON object")
        return given


@dataclass(frozen=True)
class PageAnswer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/html; charset=utf-8"})


def from_here(headers: Mapping[str, str]) -> bool:
    """Whether the request comes from one of the fake's own pages, or from a program that is not a browser."""
    origin, host = headers.get("origin"), headers.get("host", "")
    # An origin is scheme://host:port without a path.
    own = origin is None or (host != "" and origin.partition("://")[2].lower() == host.lower())
    return own and headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def html(text: str, status: int = 200) -> PageAnswer:
    return PageAnswer(status, text.encode("utf-8", "replace"))


def see_other(location: str) -> PageAnswer:
    return PageAnswer(303, b"", {"Location": location})


def as_json(content: object, status: int = 200) -> PageAnswer:
    return PageAnswer(status, json.dumps(content).encode() + b"\n", {"Content-Type": "application/json"})
