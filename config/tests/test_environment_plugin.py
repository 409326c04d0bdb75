"""What is ready when the tests start, and what the plugin reports at the end."""

from __future__ import annotations

import sys
from io import StringIO

import pytest

from config.tests.environment_plugin import pytest_terminal_summary

TRACEBACK = """Traceback (most recent call last):
  File "shop/views.py", line 7, in page
    raise
django.db.utils.IntegrityError: null value in column "price"
DETAIL:  Failing row contains (1, null).
"""


def test_the_failure_of_a_repeated_test_is_shown(pytestconfig: pytest.Config) -> None:
    written = StringIO()
    terminal = pytest.TerminalReporter(pytestconfig, written)
    failure = pytest.TestReport(
        nodeid="shop/tests/test_pages.py::test_prices",
        location=("shop/tests/test_pages.py", 7, "test_prices"),
        keywords={},
        outcome="failed",
        longrepr="    assert price == 13\nE   AssertionError: $12 instead of $13",
        when="call",
        sections=[
            ("Captured log call", f"ERROR the page has failed\n{TRACEBACK}"),
            ("Captured err", TRACEBACK),
        ],
    )
    terminal.stats = {"rerun": [failure], "passed": [failure]}

    pytest_terminal_summary(terminal)

    assert "repeated: shop/tests/test_pages.py::test_prices" in written.getvalue()
    assert written.getvalue().count("E   AssertionError: $12 instead of $13") == 1
    assert written.getvalue().count("ERROR the page has failed") == 1
    closing = [line for line in written.getvalue().splitlines() if line.startswith("CAUSE ")]
    assert closing == [
        "CAUSE test_prices call: AssertionError: $12 instead of $13",
        'CAUSE test_prices call: django.db.utils.IntegrityError: null value in column "price"',
        "CAUSE test_prices call: DETAIL:  Failing row contains (1, null).",
    ]


def test_the_urlconf_is_imported_before_a_test_changes_settings() -> None:
    # The mail that resets a password once named the live server of the first test that used a URL.
    assert sys.modules["config.urls"].SITE["domain"] == "testserver"
