"""The parts of README.md that an owner copies."""

from __future__ import annotations

import re

from config.stripe_events import EVENTS
from config.tests.settings_run import ROOT


def test_the_events_to_enable_at_stripe_are_those_with_handlers() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"^ {7}([a-z_]+(?:\.[a-z_]+)+)$", readme, re.MULTILINE) == list(EVENTS)
