"""The owner's devices in browser tests: a desk, a phone, and a phone without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from config.tests.accessibility import WCAG, violations

SMALL = {"width": 390, "height": 844}
# axe is injected as a script, which the Content-Security-Policy would block.
DEVICES: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light", "bypass_csp": True},
    "phone": {"viewport": SMALL, "color_scheme": "dark", "bypass_csp": True},
    "phone without JavaScript": {"viewport": SMALL, "color_scheme": "light", "java_script_enabled": False},
}

# One of them in the quick suite; the others with ALL_PROOFS=1, as in CI.
EACH_DEVICE = ["desk", *(pytest.param(name, marks=pytest.mark.slow) for name in DEVICES if name != "desk")]


@contextmanager
def opened(device: str, browser: Browser, live_server: LiveServer, client: Client) -> Iterator[Page]:
    """A page of the user who is logged in with `client`."""
    with browser.new_context(base_url=live_server.url, **DEVICES[device]) as context:
        session = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        context.set_default_timeout(15_000)
        yield context.new_page()


def check(page: Page) -> None:
    """Nothing is cut off at the side, and axe finds nothing serious."""
    page.wait_for_load_state()  # The style sheets are there.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url
    if page.evaluate("matchMedia('(scripting: none)').matches"):
        return  # axe is a script that waits for timers, and the same page was checked with JavaScript.
    serious = [rule for rule in violations(page, WCAG) if rule["impact"] in {"serious", "critical"}]
    assert not serious, [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in serious]
