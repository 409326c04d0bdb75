"""What do the bytes of a request say? Stripe's bracket form (`a[b][0]=c`) as nested dicts of text.

A list is a dict with the indexes as keys ("0", "1" ...); `a[]=x` takes the next index. What a value ought
to be is not decided here but by params.py, which knows the tables.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from fake_stripe.errors import refused_before_running

Form = dict[str, "str | Form"]

MAX_DEPTH = 12
MAX_FIELDS = 10_000
KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
PART = re.compile(r"\[([^\[\]]*)\]")


def parse(data: bytes) -> Form:
    """Read a query string or a form body. Raises StripeError (400) for what cannot be read."""
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
        raise refused_before_running(f"This parameter's name cannot be read: {key[:100]!r}", param=key[:100])
    path = [match[1], *PART.findall(match[2])]
    if len(path) > MAX_DEPTH:
        raise refused_before_running(f"Parameters nest at most {MAX_DEPTH} deep.", param=match[1])
    return path


def _put(form: Form, path: list[str], value: str, key: str) -> None:
    here = form
    for part in path[:-1]:
        below = here.setdefault(_index(here, part), {})
        if not isinstance(below, dict):
            raise refused_before_running(f"{key} is both a value and a hash.", param=path[0])
        here = below
    last = _index(here, path[-1])
    if isinstance(here.get(last), dict):
        raise refused_before_running(f"{key} is both a value and a hash.", param=path[0])
    here[last] = value


def _index(here: Form, part: str) -> str:
    return part if part else str(len(here))


def of(params: Mapping[str, Any]) -> Form:
    """The form that a library would send for these Python values; None is left out."""
    return {key: _text(value) for key, value in params.items() if value is not None}


def _text(value: Any) -> "str | Form":
    if isinstance(value, Mapping):
        return of(value)
    if isinstance(value, list | tuple):
        return {str(index): _text(one) for index, one in enumerate(value)}
    return str(value).lower() if isinstance(value, bool) else str(value)
