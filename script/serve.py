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
    for command in (["migrate", "--no-input", "-v", "0"], ["collectstatic", "--no-input", "-v", "0"]):
        if subprocess.run(python("manage.py", *command), cwd=ROOT).returncode:
            sys.exit(1)
    # gunicorn lets requests finish for 30 seconds; the worker finishes its round.
    with Programs(grace=40) as programs:
        try:
            programs.start("the web server", python(*GUNICORN, *sys.argv[1:]), folder=ROOT)
            programs.start("the worker", worker_command(), folder=ROOT)
            ended = programs.wait_for_one_to_end()
        except KeyboardInterrupt:
            return
    sys.exit(
        f"{ended[0].upper()}{ended[1:]} has ended by itself, so both were ended; its last lines say why."
    )


if __name__ == "__main__":
    main()
