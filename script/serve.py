"""How does the shop run for real? Migrations and static files first, then gunicorn and the worker, together."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from script.processes import Programs, end_on_signals, python

ROOT = Path(__file__).resolve().parent.parent
# Threads, so that slow calls to Stripe leave the pages quick; gunicorn's control socket is not used.
GUNICORN = [
    "-m",
    "gunicorn",
    "-k",
    "gthread",
    "-w",
    "2",
    "--threads",
    "8",
    "--no-control-socket",
    "config.wsgi",
]
# Where the machine is too small for both, what customers wait for goes first.
AFTER_THE_PAGES = ["nice", "-n", "10"] if shutil.which("nice") else []


def worker_command() -> list[str]:
    """The command that starts the worker beside a web server."""
    return [*AFTER_THE_PAGES, *python("manage.py", "work")]


def main() -> None:
    end_on_signals()
    try:
        sys.exit(serve(sys.argv[1:]))
    except KeyboardInterrupt:
        return


def serve(for_gunicorn: list[str]) -> int | str:
    """Until one of the programs ends by itself; returns the exit code, or what to say with code 1."""
    for command in (["migrate", "--no-input", "-v", "0"], ["collectstatic", "--no-input", "-v", "0"]):
        if subprocess.run(python("manage.py", *command), cwd=ROOT).returncode:
            return 1
    # gunicorn lets requests finish for 30 seconds; the worker finishes its round.
    with Programs(grace=40) as programs:
        programs.start("the web server", python(*GUNICORN, *for_gunicorn), folder=ROOT)
        programs.start("the worker", worker_command(), folder=ROOT)
        ended = programs.wait_for_one_to_end()
    return f"{ended[0].upper()}{ended[1:]} has ended by itself, so both were ended; its last lines say why."


if __name__ == "__main__":
    main()
