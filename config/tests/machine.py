"""What does this machine have to test with? A browser, a database; and what must not be missing in CI.

A test marked `browser` or `postgres` is skipped where that is absent. With REQUIRE_BROWSER=1 or REQUIRE_PG=1
such a skip is a failure, so that a green run never hides a test that did not run.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
# The browser talks to this machine and to nobody else, not even to look for its own updates.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


def browser_path() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def database_vendor() -> str:
    from django.db import connection

    return connection.vendor


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """How pytest-playwright starts the browser that this machine has."""
    # Chromium's sandbox needs a user who is not root.
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return {"executable_path": browser_path(), "args": [*QUIET, *as_root]}


STEPS = ("execute", "executemany", "fetchone", "fetchmany", "fetchall", "close")


@pytest.fixture(autouse=True)
def one_thread_in_sqlite_at_a_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "live_server" in request.fixturenames:
        let_one_thread_in_at_a_time(monkeypatch)


def let_one_thread_in_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live server's threads share the test's one connection to its database in memory. One of them, inside SQLite and
    about to call a function of Django's, would wait for Python; another, in Python, for SQLite: for ever."""
    lock = threading.RLock()
    for name in STEPS:
        monkeypatch.setattr(SQLiteCursorWrapper, name, _alone(getattr(SQLiteCursorWrapper, name), lock))


def _alone(method: Callable[..., Any], lock: threading.RLock) -> Callable[..., Any]:
    def step(cursor: SQLiteCursorWrapper, *arguments: Any) -> Any:
        with lock:
            return method(cursor, *arguments)

    return step


def pytest_configure(config: pytest.Config) -> None:
    # Playwright keeps an event loop in the test's thread; Django takes that for asynchronous code.
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    # pytest-playwright's own fixture; nothing that we could write otherwise.
    config.addinivalue_line("filterwarnings", "ignore:Session-scoped fixtures defined as instance methods")


def pytest_sessionstart() -> None:
    """script/test says which database it means; a run on another one would prove nothing."""
    expected = os.environ.get("EXPECT_DATABASE")
    if expected and database_vendor() != expected:
        pytest.exit(f"The tests were to run on {expected}, but the settings name {database_vendor()}.", 1)


def pytest_report_header() -> str:
    return f"database: {database_vendor()}, browser: {browser_path() or 'none'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser_name" in getattr(item, "fixturenames", []):
            item.add_marker("browser")
        if item.get_closest_marker("browser") and not browser_path():
            item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))
        if item.get_closest_marker("postgres") and database_vendor() != "postgresql":
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and (name := _requirement(item)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but {name}=1 says that it must run: {report.longrepr}"
    return report


def _requirement(item: pytest.Item) -> str:
    """The variable that forbids to skip this test, or nothing."""
    if item.get_closest_marker("browser") and os.environ.get("REQUIRE_BROWSER") == "1":
        return "REQUIRE_BROWSER"
    # script/test runs everything again on PostgreSQL, so its run on SQLite may leave these out.
    elsewhere = os.environ.get("EXPECT_DATABASE") == "sqlite"
    if item.get_closest_marker("postgres") and os.environ.get("REQUIRE_PG") == "1" and not elsewhere:
        return "REQUIRE_PG"
    return ""
