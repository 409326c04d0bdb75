"""Read values of parsed JSON whose types are not guaranteed. A value of another type counts as missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


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
