"""How is a moment told to the owner, and how is one typed? By the shop's clock, which TIME_ZONE sets."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def in_local_time(when: datetime) -> str:
    """To the second, such as 2026-11-26 04:22:10 CET."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S %Z}"


def moment(text: str) -> datetime:
    """The moment that `text` means: `7d`, `36h` or `90m` ago, a date, a time. Raises ArgumentTypeError if it means none."""
    found = _read(text.strip())
    if found is None:
        raise ArgumentTypeError(f"“{text}” is no time: write 7d, 36h, 2026-11-20 or 2026-11-20T08:00Z.")
    return found


def past_moment(text: str) -> datetime:
    """The same; raises ArgumentTypeError for what lies ahead, too."""
    found = moment(text)
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
