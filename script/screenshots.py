"""Pictures of the owner's pages for docs/owner.md: `python -m script.screenshots [NAME ...]`.

Starts a demo with its past in a temporary folder, takes each page of PAGES (or those named) with a browser, and writes WebP
files to docs/images. They show what the demo shows today, so dates and numbers differ from one run to the next.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from config.tests.environment_plugin import browser_path
from demo.__main__ import PAST
from demo.kept import ANY_PORTS, open_folder
from demo.prepare import OWNER
from demo.running import ROOT, Demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = ROOT / "docs" / "images"
ADMIN = "/admin/"
ORDERS = f"{ADMIN}checkout/order/"
DEVICES = {
    "light": {"viewport": {"width": 1100, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1100, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
QUALITY = 62  # of WebP, out of 100
MAX_BYTES = 80_000


@dataclass(frozen=True)
class Picture:
    """`path`: where to begin; `prepare`: what the owner does there before the picture is taken."""

    path: str
    prepare: Callable[[Page], None] | None = None


def first_row(page: Page) -> None:
    page.locator("#result_list tbody th a").first.click()


def type_delivery(page: Page) -> None:
    for place, units in enumerate(("12", "20", "20", "8")):
        page.locator(".stock-grid input:not([type=hidden])").nth(place).fill(units)


def choose_refund(page: Page) -> None:
    first_row(page)
    page.get_by_role("link", name="Refund everything").click()


def sold_size(page: Page) -> None:
    page.locator(".stock-grid-units a").nth(2).click()


PAGES = {
    "today": Picture(ADMIN),
    "grid": Picture(f"{ADMIN}inventory/stockitem/grid/", prepare=type_delivery),
    "count": Picture(f"{ADMIN}inventory/stockitem/grid/?mode=count"),
    "history": Picture(f"{ADMIN}inventory/stockitem/grid/", prepare=sold_size),
    "orders": Picture(ORDERS),
    "order": Picture(f"{ORDERS}?work=to_pack", prepare=first_row),
    "pack-list": Picture(f"{ORDERS}pack-list/"),
    "packing-slips": Picture(f"{ORDERS}packing-slips/"),
    "send": Picture(f"{ORDERS}send/"),
    "refund": Picture(f"{ORDERS}?work=to_pack", prepare=choose_refund),
    "oversold": Picture(f"{ORDERS}oversold/"),
    "events": Picture(f"{ADMIN}inventory/stripeevent/"),
    "event": Picture(f"{ADMIN}inventory/stripeevent/?type=checkout.session.completed", prepare=first_row),
    "report-sales": Picture(f"{ADMIN}reports/sales/"),
    "report-sell-through": Picture(f"{ADMIN}reports/sell-through/"),
    "report-size-curve": Picture(f"{ADMIN}reports/size-curve/?order=60"),
    "report-days-left": Picture(f"{ADMIN}reports/days-left/"),
    "report-stock-value": Picture(f"{ADMIN}reports/stock-value/"),
    "report-dead-stock": Picture(f"{ADMIN}reports/dead-stock/"),
    "stock-file": Picture(f"{ADMIN}inventory/stockitem/file/"),
    "log": Picture(f"{ADMIN}admin/logentry/"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m script.screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these pages")
    parser.add_argument("--into", type=Path, default=IMAGES, help="folder of the pictures")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="shop-screenshots-", ignore_cleanup_errors=True) as name:
        demo = Demo(Path(name), open_folder(Path(name), ports=ANY_PORTS), past=PAST)
        with demo.running(), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
            work(browser, demo)
            for device in DEVICES:
                take(browser, demo, device, options.names or list(PAGES), options.into)
            browser.close()


def work(browser: Browser, demo: Demo) -> None:
    """What the owner did this morning, so that the log is not empty."""
    with logged_in(browser, demo, "light") as page:
        page.goto(PAGES["grid"].path)
        type_delivery(page)
        page.get_by_role("button", name="Add to stock").click()
        page.goto(f"{ORDERS}?work=to_pack")
        first_row(page)
        page.get_by_role("button", name="Mark as packed").click()


@contextmanager
def logged_in(browser: Browser, demo: Demo, device: str) -> Iterator[Page]:
    with browser.new_context(base_url=demo.site_url, **DEVICES[device]) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(ADMIN)
        page.get_by_label("Username").fill(OWNER)
        page.get_by_label("Password").fill(demo.kept.owner_password)
        page.get_by_role("button", name="Log in").click()
        yield page


def take(browser: Browser, demo: Demo, device: str, names: list[str], folder: Path) -> None:
    with logged_in(browser, demo, device) as page:
        for name in names:
            picture = PAGES[name]
            page.goto(picture.path)
            if picture.prepare:
                picture.prepare(page)
            page.wait_for_load_state()
            save(page, folder / f"{name}-{device}.webp")


def save(page: Page, file: Path) -> None:
    """The page from its top, two screens at most, in the best quality that fits into MAX_BYTES."""
    size = page.viewport_size or {"width": 0, "height": 0}
    height = min(page.evaluate("document.documentElement.scrollHeight"), 2 * size["height"])
    clip = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
    browser = page.context.new_cdp_session(page)
    for quality in range(QUALITY, 10, -10):
        asked = {"format": "webp", "quality": quality, "clip": clip, "captureBeyondViewport": True}
        content = base64.b64decode(browser.send("Page.captureScreenshot", asked)["data"])
        if len(content) <= MAX_BYTES:
            break
    file.write_bytes(content)
    print(f"{file.name}: {clip['height']} px, {len(content) // 1024} KB")


if __name__ == "__main__":
    main()
