"""Read JSON from outside: texts that every database can store, and values whose types are not guaranteed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
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
        # Most texts are plain, and to look is faster than to replace.
        is_plain = value.isascii() and "\x00" not in value
        return value if is_plain else value.replace("\x00", "?").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {clean_json(key): clean_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [clean_json(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# --- Values: one of another type counts as missing ----------------------------------------------


def as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def as_texts(value: Any) -> dict[str, str]:
    return {str(key): str(member) for key, member in as_mapping(value).items()}


def as_optional_texts(value: Any) -> dict[str, str | None]:
    # In `previous_attributes`, null stands for a key that did not exist.
    return {
        key: member for key, member in as_mapping(value).items() if member is None or isinstance(member, str)
    }


def as_datetime(value: Any) -> datetime | None:
    """Convert Unix seconds, or ISO 8601 as API v2 has it, to UTC. None if missing, 0, of another form or out of range."""
    try:
        if isinstance(value, str) and "T" in value:
            return datetime.fromisoformat(value).astimezone(UTC)
        return datetime.fromtimestamp(int(value), UTC) if value else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
