"""Parse Stripe's bracket notation (`a[b][0]=c`) into nested dicts of text.

A list becomes a dict with the indexes as keys ("0", "1" ...). `a[]=x` takes the next index, and `a[][b]=x`
extends the last element until it has a `b`, as Rack does. Types are checked later, by params.py.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from fake_stripe.errors import refused_before_running

Form = dict[str, "str | Form"]


class Listed(dict[str, "str | Form"]):
    """A list written with empty brackets, which therefore cannot be a hash."""


MAX_DEPTH = 12
MAX_FIELDS = 10_000
KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
PART = re.compile(r"\[([^\[\]]*)\]")


def parse(data: bytes) -> Form:
    """Parse a query string or form body. Raises StripeError (400) if it is malformed."""
    form: Form = {}
    for key, value in _pairs(data):
        _put(form, _path(key), value, key)
    return form


def _pairs(data: bytes) -> list[tuple[str, str]]:
    try:
        text = data.decode("utf-8")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise refused_before_running("The request is not valid UTF-8.") from None
    except ValueError:
        raise refused_before_running(f"The request has more than {MAX_FIELDS} fields.") from None


def _path(key: str) -> list[str]:
    if "[" not in key and "]" not in key and key:
        return [key]
    match = KEY.match(key)
    if match is None:
        raise refused_before_running(f"Malformed parameter name: {key[:100]!r}", param=key[:100])
    path = [match[1], *PART.findall(match[2])]
    if len(path) > MAX_DEPTH:
        raise refused_before_running(
            f"Parameters can be nested at most {MAX_DEPTH} levels deep.", param=match[1]
        )
    return path


def _put(form: Form, path: list[str], value: str, key: str) -> None:
    here = form
    for depth, part in enumerate(path[:-1], 1):
        rest = path[depth:]
        below = here.setdefault(part or _element(here, rest), {} if rest[0] else Listed())
        if not isinstance(below, dict):
            raise refused_before_running(f"{key} is both a value and a hash.", param=path[0])
        if isinstance(below, Listed) == bool(rest[0]):
            raise refused_before_running(f"{key} is both a list and a hash.", param=path[0])
        here = below
    last = path[-1] or str(len(here))
    if isinstance(here.get(last), dict):
        raise refused_before_running(f"{key} is both a value and a hash.", param=path[0])
    here[last] = value


def _element(here: Form, rest: list[str]) -> str:
    """The index that `[]` stands for: the last element, or a new one if the last already has this key."""
    last = str(len(here) - 1)
    return str(len(here)) if last not in here or _has(here[last], rest) else last


def _has(value: "str | Form", path: list[str]) -> bool:
    for part in path:
        if not isinstance(value, dict):
            return True
        if part not in value:
            return False
        value = value[part]
    return True


def of(params: Mapping[str, Any]) -> Form:
    """The form that the stripe library would send for these Python values; None is omitted."""
    return {key: _text(value) for key, value in params.items() if value is not None}


def _text(value: Any) -> "str | Form":
    if isinstance(value, Mapping):
        return of(value)
    if isinstance(value, list | tuple):
        return {str(index): _text(one) for index, one in enumerate(value)}
    return str(value).lower() if isinstance(value, bool) else str(value)
