"""How far back? `7d`, `36h`, `90m`, a date or a moment, as people type it, by the shop's clock."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

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
        day, second = parse_date(text), parse_datetime(text)
    except ValueError:
        return None
    if second is not None:
        return second if timezone.is_aware(second) else timezone.make_aware(second)
    return timezone.make_aware(datetime(day.year, day.month, day.day)) if day else None
