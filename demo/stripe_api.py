"""A small client of Stripe's API with the standard library, independent of the shop's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

Json = dict[str, Any]


class StripeSaid(Exception):
    """A response with an error status; the message has Stripe's answer."""


class StripeApi:
    """`base`: the URL of the API. `key`: the secret key."""

    def __init__(self, base: str, key: str) -> None:
        self.base, self.key = base, key

    def get(self, path: str, **query: str) -> Json:
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, params: Mapping[str, Any]) -> Json:
        return self._call("POST", path, urlencode(list(flattened(params))).encode())

    def delete(self, path: str) -> Json:
        return self._call("DELETE", path)

    def stock(self, product_id: str, size: str) -> str:
        """The count in the product's metadata as text, such as "15", or "" if there is none."""
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
    """Encode nested parameters as Stripe does: {"a": {"b": [1]}} becomes ("a[b][0]", "1")."""
    for name, value in params.items():
        key = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, list):
            value = {str(index): member for index, member in enumerate(value)}
        if isinstance(value, Mapping):
            yield from flattened(value, key)
        else:
            yield key, str(value)
