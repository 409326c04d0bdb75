"""How far back? `7d`, `36h`, `90m`, a date or a moment, as people type it, by the shop's clock."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def moment(text: str) -> datetime:
    """The moment that `text` means. Raises ArgumentTypeError for what is none, or lies ahead."""
    found = _read(text.strip())
    if found is None:
        raise ArgumentTypeError(f"“{text}” is no time: write 7d, 36h, 2026-11-20 or 2026-11-20T08:00Z.")
    if found > timezone.now():
        raise ArgumentTypeError(f"“{text}” lies ahead.")
    return found


def _read(text: str) -> datetime | None:
    ago = re.fullmatch(r"([0-9]{1,5})([dhm])", text)
    if ago:
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        found = parse_datetime(text)  # A date alone is its midnight.
    except ValueError:
        return None
    return timezone.make_aware(found) if found and timezone.is_naive(found) else found
