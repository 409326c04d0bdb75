"""axe-core in a browser test's page."""

from __future__ import annotations

from functools import cache
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(page: Page, tags: list[str] | None = None) -> list[dict[str, Any]]:
    """The rules that the page breaks, as axe-core's results: `id`, `impact`, `nodes` with their `html`.

    `tags`: only rules with one of these tags; by default all rules. axe is injected as a script, so the context needs
    `bypass_csp=True`.
    """
    page.evaluate(_script())
    # Axe.run also has every rule that holds described and sent here, which took half of the time.
    options: dict[str, Any] = {"resultTypes": ["violations"], "reporter": "no-passes"}
    if tags:
        options["runOnly"] = {"type": "tag", "values": tags}
    found: list[dict[str, Any]] = page.evaluate(
        "options => axe.run(options).then(results => results.violations)", options
    )
    return found


@cache
def _script() -> str:
    script: str = Axe().axe_script
    return script
