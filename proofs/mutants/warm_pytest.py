"""Runs of pytest that are forked from one process, which has imported what no patch changes.

Reads a line of JSON for each run, with the arguments for pytest and the file for its output, and answers with the
exit code. Run in the copy of the source tree. It must not import anything of the shop: a run would not see the patch.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module

import pytest

# Half of the time of a short run.
IMPORTED = [
    "django.contrib.admin.options",
    "django.core.management",
    "django.db.backends.sqlite3.base",
    "django.db.migrations.executor",
    "django.test",
    "hypothesis",
    "playwright.sync_api",
    "stripe",
]
LONGEST = 60  # seconds; without a mutant, each test takes one or two


def run(arguments: list[str], output: str) -> int:
    """The exit code of pytest; negative if it was killed, as after LONGEST."""
    child = os.fork()
    if child:
        _pid, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    # A test that hangs does not show which rule was broken.
    signal.alarm(LONGEST)
    written = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(written, 1)
    os.dup2(written, 2)
    code = pytest.ExitCode.INTERNAL_ERROR
    try:
        code = pytest.ExitCode(pytest.main(arguments))
        sys.stdout.flush()
    finally:
        os._exit(code)


def main() -> None:
    for name in IMPORTED:
        import_module(name)
    for line in sys.stdin:
        print(run(*json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
