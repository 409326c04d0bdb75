"""axe-core in a browser test's page.

A page that broke no rule is not checked again in a run, neither by another test nor on the other database.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Every rule that holds is neither described nor sent here, which took half of the time. Style sheets and media are not
# fetched again, two fifths of the rest: no rule needs them to report a violation, but for an experimental one.
OPTIONS = {"resultTypes": ["violations"], "reporter": "no-passes", "preload": False}

END_TRANSITIONS = """() => document.getAnimations()
    .filter(animation => animation instanceof CSSTransition)
    .forEach(transition => transition.finish())"""
STATE_OF_PAGE = Path(__file__).with_name("page_state.js").read_text()


def violations(page: Page, tags: list[str] | None = None) -> list[dict[str, Any]]:
    """The rules that the page breaks, as axe-core's results: `id`, `impact`, `nodes` with their `html`.

    `tags`: only rules with one of these tags; by default all rules. axe is added as a script, so the context needs
    `bypass_csp=True`.
    """
    without_violations = _folder() / _key_of(page, tags)
    if without_violations.exists():
        return []
    if page.evaluate("typeof axe === 'undefined'"):
        page.add_script_tag(url=_address_of_axe())
    options = {**OPTIONS, "runOnly": {"type": "tag", "values": tags}} if tags else OPTIONS
    found: list[dict[str, Any]] = page.evaluate(
        "options => axe.run(options).then(results => results.violations)", options
    )
    if not found:
        without_violations.touch()
    return found


def each_scheme(page: Page) -> Iterator[str]:
    """Show the open page in the light and then in the dark color scheme. Yields the scheme's name."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        # A color on its way from one scheme to the other belongs to neither.
        page.evaluate(END_TRANSITIONS)
        yield scheme


def _key_of(page: Page, tags: list[str] | None) -> str:
    """A key that pages share if axe finds the same in them."""
    return hashlib.sha256(json.dumps([page.evaluate(STATE_OF_PAGE), tags]).encode()).hexdigest()


def _folder() -> Path:
    """Where a file for each page without violations is kept: for all processes of script/test, or for this one."""
    return Path(os.environ.get("PAGES_WITHOUT_VIOLATIONS") or _own_folder().name)


@cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="shop-pages-")  # It is deleted when the process ends.


@cache
def _address_of_axe() -> str:
    """Serve axe to all pages. To send its half a megabyte through Playwright takes twice as long."""
    script = Axe().axe_script.encode()

    class Script(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript; charset=utf-8")
            self.send_header("Content-Length", str(len(script)))
            self.send_header("Cache-Control", "max-age=3600")
            self.end_headers()
            self.wfile.write(script)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/axe.js"
