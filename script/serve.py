"""Run the shop in production: migrate, collect static files, then run gunicorn and the worker together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from script.processes import Programs, end_on_signals, python

ROOT = Path(__file__).resolve().parent.parent
# Threads, so that slow calls to Stripe do not delay pages; they work on complete requests only. gunicorn's control socket
# is not used. No header of a request may set SCRIPT_NAME or PATH_INFO, which gunicorn takes from a proxy by default.
GUNICORN = [
    "-m",
    "gunicorn",
    "-k",
    "config.buffering_worker.BufferingWorker",
    "-w",
    "2",
    "--threads",
    "8",
    "--no-control-socket",
    "--forwarder-headers",
    "NONE",
    "config.wsgi",
]
# On a small machine, requests of customers take precedence over the worker.
AFTER_THE_PAGES = ["nice", "-n", "10"] if shutil.which("nice") else []


def worker_command() -> list[str]:
    return [*AFTER_THE_PAGES, *python("manage.py", "run_worker")]


def main() -> None:
    end_on_signals()
    try:
        sys.exit(serve(sys.argv[1:]))
    except KeyboardInterrupt:
        return


def serve(for_gunicorn: list[str]) -> int | str:
    """Run until a program exits. Returns an argument for sys.exit(): a code, or a message for code 1."""
    os.umask(0o077)  # The database is for its owner only.
    for command in (["migrate", "--no-input", "-v", "0"], ["collectstatic", "--no-input", "-v", "0"]):
        if subprocess.run(python("manage.py", *command), cwd=ROOT).returncode:
            return 1
    # gunicorn gives requests 30 seconds to finish; the worker finishes its current tasks.
    with Programs(grace=40) as programs:
        # Leashed: if this process is killed, both end too. Otherwise the old code would keep the port and go on selling.
        web = python("-m", "script.parent_watch", *GUNICORN, *for_gunicorn)
        programs.start("the web server", web, folder=ROOT, leashed=True)
        worker = [*AFTER_THE_PAGES, *python("-m", "script.parent_watch", "manage.py", "run_worker")]
        programs.start("the worker", worker, folder=ROOT, leashed=True)
        ended = programs.wait_for_one_to_end()
    return f"{ended[0].upper()}{ended[1:]} has exited, so both were stopped. See its last log lines."


if __name__ == "__main__":
    main()
