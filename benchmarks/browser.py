"""Measure pages in a real browser with an empty cache, through its performance API."""

from __future__ import annotations

import os
import shutil
import statistics
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
VIEWPORTS = ({"width": 1280, "height": 800}, {"width": 390, "height": 844})
LOADS = 3
# Shifts within half a second of an input are expected and do not count: https://web.dev/articles/cls
WATCH = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)[0]"


@dataclass
class Visit:
    """One load. `bytes_by_kind`: bytes on the wire, headers included. `third_party`: URLs on other hosts."""

    bytes_by_kind: Counter[str] = field(default_factory=Counter)
    third_party: set[str] = field(default_factory=set)
    first_paint_ms: float = 0.0
    layout_shift: float = 0.0

    @property
    def bytes(self) -> int:
        """Bytes on the wire without images."""
        return self.bytes_by_kind.total() - self.bytes_by_kind["Image"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or the one that CHROMIUM names. Exits with a sentence if there is none."""
    if shutil.which(CHROMIUM) is None:
        raise SystemExit(f"There is no browser at {CHROMIUM}: install Debian's chromium, or set CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def measure(browser: Browser, url: str, *, cookies: list[Any], image_origin: str) -> dict[str, Any]:
    """The figures of one page: the worse of desktop and phone. The first paint is the median of LOADS loads."""
    visits = [
        [_visit(browser, url, viewport, cookies, image_origin) for _ in range(LOADS)]
        for viewport in VIEWPORTS
    ]
    every = [visit for several in visits for visit in several]
    return {
        "bytes": max(visit.bytes for visit in every),
        "bytes_by_kind": dict(max(every, key=lambda visit: visit.bytes).bytes_by_kind),
        "third_party": len(set().union(*(visit.third_party for visit in every))),
        "first_paint_ms": round(
            max(statistics.median(visit.first_paint_ms for visit in several) for several in visits), 1
        ),
        "layout_shift": round(max(visit.layout_shift for visit in every), 4),
    }


def _visit(browser: Browser, url: str, viewport: Any, cookies: list[Any], image_origin: str) -> Visit:
    context = browser.new_context(viewport=viewport)
    context.add_cookies(cookies)
    page = context.new_page()
    page.add_init_script(WATCH)
    visit = Visit()
    _watch(context.new_cdp_session(page), visit, url, image_origin)
    page.goto(url, wait_until="networkidle")
    _scroll_through(page)
    visit.first_paint_ms = page.evaluate(FIRST_PAINT)
    visit.layout_shift = page.evaluate("window.shifted")
    context.close()
    return visit


def _scroll_through(page: Page) -> None:
    """Scroll down and up again, so that lazy images load and cause their layout shifts."""
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(200)


def _watch(wire: CDPSession, visit: Visit, url: str, image_origin: str) -> None:
    kinds: dict[str, str] = {}
    home = urlsplit(url).netloc

    def asked(event: dict[str, Any]) -> None:
        target, kind = urlsplit(event["request"]["url"]), event.get("type", "")
        kinds[event["requestId"]] = kind
        is_ours = target.netloc == home or target.scheme in {"data", "blob"}
        if not is_ours and not (kind == "Image" and target.netloc == urlsplit(image_origin).netloc):
            visit.third_party.add(event["request"]["url"])

    def came(event: dict[str, Any]) -> None:
        visit.bytes_by_kind[kinds.get(event["requestId"], "Other")] += int(event["encodedDataLength"])

    wire.on("Network.requestWillBeSent", asked)
    wire.on("Network.loadingFinished", came)
    wire.send("Network.enable")
