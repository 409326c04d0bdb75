"""Which texts can every database keep? What comes from outside is made so before it is stored."""

from __future__ import annotations

import json
import math
import re
from typing import Any

# Whatever may come out of JSON as something that is not storable looks like one of these in its bytes: NUL (which
# UTF-16 and UTF-32 are full of), half a surrogate pair, as an escape or raw, and numbers beyond a float.
SUSPECT = re.compile(
    rb"\x00|\\u0000|\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|[0-9][eE][+-]?[0-9]|[0-9]{300}|NaN|Infinity"
)

# Levels of lists and objects in one another. Stripe's have fewer than ten; at a thousand SQLite, Python's own limit
# and whoever goes through a value step by step give up, each at another number.
DEEPEST = 100


def storable_json(body: bytes) -> Any:
    """What `body` says, storable. Most bodies have nothing suspect, and are not looked through value by value.

    Raises ValueError for what is no JSON, or nested deeper than DEEPEST; RecursionError as json.loads does.
    """
    value = json.loads(body)
    if body.count(b"[") + body.count(b"{") > DEEPEST:
        _check_depth(value)
    return storable(value) if SUSPECT.search(body) else value


def _check_depth(value: Any, left: int = DEEPEST) -> None:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inside is None:
        return
    if not left:
        raise ValueError(f"It is nested more than {DEEPEST} levels deep.")
    for member in inside:
        _check_depth(member, left - 1)


def storable(value: Any) -> Any:
    """The same JSON: PostgreSQL keeps neither NUL nor half a surrogate pair, both become a question mark; and no
    database's JSON knows NaN and infinity, which 1e999 is too: they become null."""
    if isinstance(value, str):
        return value if _is_plain(value) else value.replace("\x00", "?").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(member) for key, member in value.items()}
    if isinstance(value, list):
        return [storable(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _is_plain(text: str) -> bool:
    """Most texts are, and looking is quicker than writing anew."""
    return text.isascii() and "\x00" not in text
