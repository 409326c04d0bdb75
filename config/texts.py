"""Which texts can every database keep? What comes from outside is made so before it is stored."""

from __future__ import annotations

from typing import Any


def storable(value: Any) -> Any:
    """The same JSON: PostgreSQL keeps neither NUL nor half a surrogate pair; both become a question mark."""
    if isinstance(value, str):
        return value.replace("\x00", "?").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(member) for member in value]
    if isinstance(value, dict):
        return {storable(key): storable(member) for key, member in value.items()}
    return value
