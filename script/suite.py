"""Do the tests pass on every database found here? Runs pytest once for each; arguments are passed on.

Without arguments the second run leaves out what never asks the database.

SQLite always; PostgreSQL where TEST_POSTGRES_URL names one or its binaries are installed. REQUIRE_PG=1 makes
its absence a failure, REQUIRE_BROWSER=1 that of a browser.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from script.postgres import find_binaries, private_postgres

ROOT = Path(__file__).resolve().parent.parent
# A third process was no quicker on two processors; for a part of the suite a second one costs more than it gives.
WHOLE = ["-n", "2", "--dist", "worksteal"]
# What never asks the shop's database, such as the fake Stripe's own tests, runs once, on SQLite.
ASKING_THE_DATABASE = ["config", "shop", "inventory", "checkout", "proofs", "--ignore=proofs/mutants"]
CLOSING_LINE = re.compile(rb"\d+ (?:passed|failed|skipped|error|deselected)|no tests ran")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
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
    absent = "postgresql: not run, because it is neither installed here nor named by TEST_POSTGRES_URL"
    return (1, f"{absent}; REQUIRE_PG=1 asks for it.") if os.environ.get("REQUIRE_PG") == "1" else (0, absent)


def run_tests(vendor: str, database_url: str) -> tuple[int, str]:
    """Run pytest on that database, show what it prints, and return its exit code and its closing line."""
    # The developer's own database is never the tests': what DATABASE_URL said before does not matter.
    environment = {**os.environ, "DATABASE_URL": database_url, "EXPECT_DATABASE": vendor}
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    arguments = sys.argv[1:] or [*WHOLE, *([] if vendor == "sqlite" else ASKING_THE_DATABASE)]
    command = [sys.executable, "-m", "pytest", *colour, *arguments]
    pytest = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    closing = show(pytest)
    return pytest.wait(), f"{vendor}:\n{closing}"


def show(pytest: subprocess.Popen[bytes]) -> str:
    """Print as it comes, and remember the last line that tells how it ended."""
    assert pytest.stdout
    line, closing = b"", b"pytest ended without a closing line"
    while chunk := os.read(pytest.stdout.fileno(), 65536):
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
        *whole, line = (line + chunk).split(b"\n")
        closing = next((text for text in reversed(whole) if CLOSING_LINE.search(text)), closing)
    return re.sub(rb"\x1b\[[0-9;]*m", b"", closing).decode(errors="replace").strip()


if __name__ == "__main__":
    main()
