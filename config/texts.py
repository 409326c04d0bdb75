"""Which texts can every database keep? What comes from outside is made so before it is stored."""

from __future__ import annotations

import math
from typing import Any


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
    """Most texts are; every webhook's are looked through, and looking is quicker than writing anew."""
    return text.isascii() and "\x00" not in text
