"""Run pytest once for each available database. Arguments are passed to pytest.

SQLite always; PostgreSQL if TEST_POSTGRES_URL is set or its binaries are installed. Without arguments, the second run
omits tests that do not use the database. REQUIRE_PG=1 makes a missing PostgreSQL a failure, REQUIRE_BROWSER=1 a missing
browser. RERUN=1, as in CI, repeats a failed test once and names it in the closing lines if it passes then.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from script.postgres import find_binaries, private_postgres

ROOT = Path(__file__).resolve().parent.parent
# One process more than processors, because each waits now and then for its browser. For part of the suite even a second
# one is slower.
WHOLE = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal"]
# Tests of settings, of source files and of the plugins of the tests, which take long.
WITHOUT_A_DATABASE = [
    "test_every_setting",
    "test_imports_go_one_way",
    "test_machine",
    "test_measure_code",
    "test_one_name",
    "test_sentry",
    "test_settings",
    "test_voice",
]
# Tests that do not use the shop's database, such as those and those of the fake Stripe, run once, on SQLite.
ASKING_THE_DATABASE = [
    "config",
    "shop",
    "inventory",
    "checkout",
    "proofs",
    "--ignore=proofs/mutants",
    "--ignore=proofs/clients",
    *(f"--ignore=config/tests/{module}.py" for module in WITHOUT_A_DATABASE),
]
CLOSING_LINE = re.compile(rb"\d+ (?:passed|failed|skipped|error|deselected)|no tests ran")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # What axe has found good on one database is not checked on the other (config/tests/accessibility.py).
    with TemporaryDirectory(prefix="shop-pages-") as folder:
        os.environ["PAGES_WITHOUT_VIOLATIONS"] = folder
        runs = [run_tests("sqlite", "sqlite:///:memory:"), run_on_postgres()]
    print()
    for _code, ending in runs:
        print(ending)
    sys.exit(max(code for code, _ending in runs))


def run_on_postgres() -> tuple[int, str]:
    url = os.environ.get("TEST_POSTGRES_URL")
    if url:
        return run_tests("postgresql", url)
    binaries = find_binaries()
    if binaries:
        with private_postgres(binaries) as url:
            return run_tests("postgresql", url)
    missing = "postgresql: not run; it is not installed and TEST_POSTGRES_URL is not set"
    return (1, f"{missing} (REQUIRE_PG=1)") if os.environ.get("REQUIRE_PG") == "1" else (0, missing)


def run_tests(vendor: str, database_url: str) -> tuple[int, str]:
    """Run pytest on that database. Returns its exit code and its summary line."""
    # Replaces DATABASE_URL, so that tests never use the developer's database.
    environment = {**os.environ, "DATABASE_URL": database_url, "EXPECT_DATABASE": vendor}
    color = ["--color=yes"] if sys.stdout.isatty() else []
    again = ["--reruns=1", "-rR"] if os.environ.get("RERUN") == "1" else []
    arguments = sys.argv[1:] or [*WHOLE, *([] if vendor == "sqlite" else ASKING_THE_DATABASE)]
    command = [sys.executable, "-m", "pytest", *color, *again, *arguments]
    pytest = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    closing = show(pytest)
    return pytest.wait(), f"{vendor}:\n{closing}"


def show(pytest: subprocess.Popen[bytes]) -> str:
    """Forward the output as it arrives. Returns the summary line."""
    assert pytest.stdout
    line, closing = b"", b"pytest ended without a summary line"
    while chunk := os.read(pytest.stdout.fileno(), 65536):
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
        *whole, line = (line + chunk).split(b"\n")
        closing = next((text for text in reversed(whole) if CLOSING_LINE.search(text)), closing)
    return re.sub(rb"\x1b\[[0-9;]*m", b"", closing).decode(errors="replace").strip()


if __name__ == "__main__":
    main()
