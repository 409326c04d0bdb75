"""Format and parse times of commands, pages and mails in the shop's TIME_ZONE."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def format_local(when: datetime) -> str:
    """To the second, such as “2026-11-26 04:22:10 CET”."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S %Z}"


def parse_when(text: str) -> datetime:
    """Parse `7d`, `36h` or `90m` (that long ago), a date or a time. Raises ArgumentTypeError."""
    ago = re.fullmatch(r"([0-9]{1,5})([dhm])", text.strip())
    if ago:
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        when = parse_datetime(text.strip())  # A date alone means its midnight.
    except ValueError:
        when = None
    if when is None:
        raise ArgumentTypeError(
            f"“{text}” is not a valid time. Use 7d, 36h, 2026-11-20 or 2026-11-20T08:00Z."
        )
    return timezone.make_aware(when) if timezone.is_naive(when) else when


def parse_past(text: str) -> datetime:
    """Like parse_when(), but raises ArgumentTypeError for future times as well."""
    when = parse_when(text)
    if when > timezone.now():
        raise ArgumentTypeError(f"“{text}” is in the future.")
    return when
