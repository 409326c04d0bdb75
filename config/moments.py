"""How is a moment told to the owner, in commands and cases? To the second, in the shop's TIME_ZONE, which is named."""

from datetime import datetime

from django.utils import timezone


def in_local_time(when: datetime) -> str:
    """Such as 2026-11-26 04:22:10 CET."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S %Z}"
