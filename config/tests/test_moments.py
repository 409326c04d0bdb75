"""Formatting and parsing of times."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from config.dates import format_local, parse_past, parse_when


def test_times_are_shown_in_the_shops_time_zone_with_its_name() -> None:
    with timezone.override("Europe/Berlin"):
        assert format_local(datetime(2026, 7, 1, 12, 0, 30, tzinfo=UTC)) == "2026-07-01 14:00:30 CEST"


def test_ages_dates_and_times_are_parsed() -> None:
    now = timezone.now()

    assert abs(now - timedelta(days=7) - parse_when("7d")) < timedelta(minutes=1)
    assert abs(now - timedelta(hours=36) - parse_when("36h")) < timedelta(minutes=1)
    assert parse_when("2020-01-02").isoformat() == "2020-01-02T00:00:00+00:00"
    assert parse_when("2020-01-02T08:00Z").isoformat() == "2020-01-02T08:00:00+00:00"


def test_a_date_means_midnight_in_the_shops_time_zone() -> None:
    with timezone.override("Europe/Berlin"):
        assert parse_when("2020-01-02").isoformat() == "2020-01-02T00:00:00+01:00"


@pytest.mark.parametrize("text", ["", "yesterday", "7", "2020-13-01", "-1d", "1_0d", "٣d"])
def test_invalid_times_are_rejected(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="not a valid time"):
        parse_when(text)


def test_future_times_are_rejected_by_past_moment_only() -> None:
    assert parse_when("2999-01-01").year == 2999
    with pytest.raises(ArgumentTypeError, match="in the future"):
        parse_past("2999-01-01")
