"""Does README.md say what is so, where an owner copies from it?"""

from __future__ import annotations

import re

from config.stripe_events import EVENTS
from config.tests.settings_run import ROOT


def test_the_events_to_enable_at_stripe_are_those_that_the_shop_handles() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"^ {7}([a-z_]+(?:\.[a-z_]+)+)$", readme, re.MULTILINE) == list(EVENTS)
