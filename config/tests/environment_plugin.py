"""Pytest plugin for what this machine provides: the browser and the database.

Tests marked `browser` or `postgres` are skipped where that is missing. With REQUIRE_BROWSER=1 or REQUIRE_PG=1, as in
CI, such a skip is a failure, so a green run never hides a test that did not run.
"""

from __future__ import annotations

import gc
import os
import re
import shutil
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from playwright.sync_api import expect
from pytest_rerunfailures import StatusDB

# The first is the same engine without Chromium's own windows, as in Playwright's own headless runs. In the tests it takes
# half of the processor time.
BROWSERS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
# Pages of one context share a process. Otherwise its blank page has one and the shop's another, a fifth of the processor
# time until the first page is open.
ONE_PROCESS = ["--renderer-process-limit=1"]
# Restrict the browser to this machine; it must not even check for its own updates.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
# Lines of a log that begin with an exception, or with what PostgreSQL says about it.
EXCEPTIONS = re.compile(r"^(?:\w+\.)+[A-Z]\w+: .*|^\w+Error: .*|^DETAIL: .*", re.MULTILINE)


def browser_path() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def database_vendor() -> str:
    from django.db import connection

    return connection.vendor


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    # The default of 5 seconds is short for a page that a loaded machine serves.
    expect.set_options(timeout=20_000)
    # Chromium's sandbox does not work for root.
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return {"executable_path": browser_path(), "args": [*QUIET, *ONE_PROCESS, *as_root]}


STEPS = ("execute", "executemany", "fetchone", "fetchmany", "fetchall", "close")


@pytest.fixture(autouse=True)
def one_thread_in_sqlite_at_a_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "live_server" in request.fixturenames:
        let_one_thread_in_at_a_time(monkeypatch)


def let_one_thread_in_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serialize access to the in-memory database, whose single connection the live server's threads share with the test.

    Without it they deadlock: one thread in SQLite waits for the GIL to call a function of Django's, while the thread
    that has the GIL waits for SQLite.
    """
    lock = threading.RLock()
    for name in STEPS:
        monkeypatch.setattr(SQLiteCursorWrapper, name, _alone(getattr(SQLiteCursorWrapper, name), lock))


def _alone(method: Callable[..., Any], lock: threading.RLock) -> Callable[..., Any]:
    def step(cursor: SQLiteCursorWrapper, *arguments: Any) -> Any:
        with lock:
            return method(cursor, *arguments)

    return step


def pytest_configure(config: pytest.Config) -> None:
    # Collecting the tests makes much that stays, and looking for garbage took two fifths of it.
    gc.set_threshold(100_000, 50, 100)
    # Playwright keeps an event loop in the test's thread; Django takes that for asynchronous code.
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    # The fixture is pytest-playwright's own.
    config.addinivalue_line("filterwarnings", "ignore:Session-scoped fixtures defined as instance methods")


def pytest_sessionstart() -> None:
    # script/test sets the expected database; a run on another one would prove nothing.
    expected = os.environ.get("EXPECT_DATABASE")
    if expected and database_vendor() != expected:
        pytest.exit(f"Expected to run on {expected}, but the settings use {database_vendor()}.", 1)


def pytest_report_header() -> str:
    return f"database: {database_vendor()}, browser: {browser_path() or 'none'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser_name" in getattr(item, "fixturenames", []):
            item.add_marker("browser")
        if item.get_closest_marker("browser") and not browser_path():
            item.add_marker(pytest.mark.skip(reason="needs Chromium"))
        if item.get_closest_marker("postgres") and database_vendor() != "postgresql":
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL"))


def pytest_collection_finish(session: pytest.Session) -> None:
    # pytest-rerunfailures reports the start of each test to the main process, only to repeat a test that crashes its
    # process. Both sides read these messages byte by byte, which is slow. A crash is a failure here, so send none.
    if hasattr(session.config, "failures_db"):
        session.config.failures_db = StatusDB()
    # What was imported and collected stays until the end. Looking for garbage in it took 5 % of the processor time.
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show why a test was repeated, and name the cause of each failed attempt at the end.

    Of its own, pytest-rerunfailures tells the name only. A failed page's exception is far up in the log.
    """
    repeated, failed = terminalreporter.getreports("rerun"), terminalreporter.getreports("failed")
    for report in repeated:
        terminalreporter.section(f"repeated: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)
        for name, content in report.sections:  # What was logged and printed, such as the error of a page.
            terminalreporter.section(name, "-")
            terminalreporter.write_line(content)
    for report in [*repeated, *failed]:
        for line in causes(report):
            test = report.nodeid.rpartition("::")[2]
            terminalreporter.write_line(f"CAUSE {test} {report.when}: {line[:300]}")


def causes(report: pytest.TestReport) -> list[str]:
    """The last line of the failure, and that of each traceback in the log, with what PostgreSQL says about it."""
    logged = "\n".join(content for _name, content in report.sections)
    failure = re.findall(r"^E +(.+)", report.longreprtext, re.MULTILINE)[:1]
    return list(dict.fromkeys([*failure, *EXCEPTIONS.findall(logged)]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and (name := _requirement(item)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but {name}=1 requires it to run: {report.longrepr}"
    return report


def _requirement(item: pytest.Item) -> str:
    """The variable that forbids skipping this test, or ""."""
    if item.get_closest_marker("browser") and os.environ.get("REQUIRE_BROWSER") == "1":
        return "REQUIRE_BROWSER"
    # script/test runs the suite again on PostgreSQL, so its SQLite run may skip these tests.
    runs_again = os.environ.get("EXPECT_DATABASE") == "sqlite"
    if item.get_closest_marker("postgres") and os.environ.get("REQUIRE_PG") == "1" and not runs_again:
        return "REQUIRE_PG"
    return ""
