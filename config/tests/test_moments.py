"""How is a moment told, and how is one typed?"""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from config.moments import in_local_time, moment, past_moment


def test_a_moment_is_told_by_the_shops_clock_which_is_named() -> None:
    with timezone.override("Europe/Berlin"):
        assert in_local_time(datetime(2026, 7, 1, 12, 0, 30, tzinfo=UTC)) == "2026-07-01 14:00:30 CEST"


def test_times_are_typed_as_people_type_them() -> None:
    now = timezone.now()

    assert abs(now - timedelta(days=7) - moment("7d")) < timedelta(minutes=1)
    assert abs(now - timedelta(hours=36) - moment("36h")) < timedelta(minutes=1)
    assert moment("2020-01-02").isoformat() == "2020-01-02T00:00:00+00:00"
    assert moment("2020-01-02T08:00Z").isoformat() == "2020-01-02T08:00:00+00:00"


def test_a_date_begins_at_the_shops_midnight() -> None:
    with timezone.override("Europe/Berlin"):
        assert moment("2020-01-02").isoformat() == "2020-01-02T00:00:00+01:00"


@pytest.mark.parametrize("text", ["", "yesterday", "7", "2020-13-01", "-1d", "1_0d", "٣d"])
def test_what_is_no_time_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="no time"):
        moment(text)


def test_what_lies_ahead_is_refused_only_where_it_makes_no_sense() -> None:
    assert moment("2999-01-01").year == 2999
    with pytest.raises(ArgumentTypeError, match="lies ahead"):
        past_moment("2999-01-01")
