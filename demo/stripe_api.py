"""How does the demo speak to Stripe's API by itself? Forms over HTTP with the standard library, beside the shop's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

Json = dict[str, Any]


class StripeSaid(Exception):
    """An answer that is not 2xx: its status and Stripe's message."""


class StripeApi:
    """`base`: the address; `key`: the secret key."""

    def __init__(self, base: str, key: str) -> None:
        self.base, self.key = base, key

    def get(self, path: str, **query: str) -> Json:
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, params: Mapping[str, Any]) -> Json:
        return self._call("POST", path, urlencode(list(flattened(params))).encode())

    def delete(self, path: str) -> Json:
        return self._call("DELETE", path)

    def stock(self, product_id: str, size: str) -> str:
        """The published count as the owner would read it, such as "15"; empty where there is none."""
        return str(self.get(f"/v1/products/{product_id}")["metadata"].get(f"stock_{size}", ""))

    def _call(self, method: str, path: str, body: bytes | None = None) -> Json:
        request = Request(self.base + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.key}")
        try:
            with urlopen(request, timeout=20) as answer:
                read: Json = json.load(answer)
        except HTTPError as error:
            raise StripeSaid(
                f"{method} {path}: {error.code} {error.read().decode(errors='replace')}"
            ) from error
        return read


def flattened(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """{"a": {"b": [1]}} as Stripe's forms have it: ("a[b][0]", "1")."""
    for name, value in params.items():
        key = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, list):
            value = {str(index): member for index, member in enumerate(value)}
        if isinstance(value, Mapping):
            yield from flattened(value, key)
        else:
            yield key, str(value)
