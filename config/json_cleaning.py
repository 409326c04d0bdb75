"""Clean JSON and text from outside so that every supported database can store it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

# Bytes of every JSON document that may need cleaning: NUL (frequent in UTF-16 and UTF-32), a lone surrogate, escaped
# or raw, and numbers that may exceed a float.
NEEDS_CLEANING = re.compile(
    rb"\x00|\\u0000|\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|[0-9][eE][+-]?[0-9]|[0-9]{300}|NaN|Infinity"
)

# Nesting levels of lists and objects. Stripe's objects have fewer than ten. SQLite, Python and recursive code fail at
# different depths around a thousand.
MAX_DEPTH = 100


def loads_clean(body: bytes) -> Any:
    """Parse and clean `body`. Raises ValueError if it is not JSON or nested deeper than MAX_DEPTH, or RecursionError."""
    value = json.loads(body)
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    # Most bodies need no cleaning; searching the bytes is faster than visiting every value.
    return clean_json(value) if NEEDS_CLEANING.search(body) else value


def _check_depth(value: Any, left: int = MAX_DEPTH) -> None:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inside is None:
        return
    if not left:
        raise ValueError(f"JSON is nested more than {MAX_DEPTH} levels deep.")
    for member in inside:
        _check_depth(member, left - 1)


def clean_json(value: Any) -> Any:
    """Replace what a database cannot store.

    NUL and lone surrogates, which PostgreSQL rejects, become "?". NaN and infinity (1e999 too), which are not valid
    JSON, become null.
    """
    if isinstance(value, str):
        return value if _is_plain(value) else value.replace("\x00", "?").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {clean_json(key): clean_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [clean_json(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _is_plain(text: str) -> bool:
    # True for most texts, and faster than replacing.
    return text.isascii() and "\x00" not in text
