"""Create a virtual environment beside manage.py and install the pinned packages, with uv if it is installed, else with pip.

Needs only the standard library. On Windows: `py script\\bootstrap.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

# Arguments of consecutive runs of pip or uv.
RUNNING = [["-r", "requirements.txt"]]
DEMO = [["-r", "requirements.txt", "-r", "requirements-demo.txt"]]
TESTING = [
    ["-r", "requirements.txt", "-r", "requirements-demo.txt", "-r", "requirements-dev.txt"],
    # Needed only for its copy of Stripe's OpenAPI document, so without its dependencies.
    ["--no-deps", "-r", "requirements-contract.txt"],
]
PURPOSES = {"demo": DEMO, "server": RUNNING, "test": TESTING}

Steps = list[list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Install what the shop needs into .venv.")
    parser.add_argument("--for", dest="purpose", choices=PURPOSES, default="test", help="default: everything")
    steps = PURPOSES[parser.parse_args().purpose]
    # The packages for the tests include those for the demo and the server.
    if is_installed(steps) or is_installed(TESTING):
        return
    if not venv_works():
        make_venv()
    install(steps)


def venv_works() -> bool:
    # Also False if its Python was removed or the folder was moved.
    try:
        check = subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True)
    except OSError:
        return False
    return check.returncode == 0


def make_venv() -> None:
    with told(f"Creating .venv with Python {sys.version.split()[0]}"):
        result = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True
        )
        if result.returncode:
            sys.exit(
                f"The virtual environment could not be created. {result.stdout.strip()} {result.stderr.strip()}"
            )


def install(steps: Steps) -> None:
    # uv trusts the system's certificates only if it is told to; pip does.
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with told(f"Installing {', '.join(files(steps))}"):
        for step in steps:
            commands = ([*installer, "--require-hashes", *step] for installer in installers())
            if all(subprocess.run(command, cwd=ROOT, env=environment).returncode for command in commands):
                sys.exit("The packages could not be installed; see the error above.")
    stamp(steps).write_text(fingerprint(steps))


def installers() -> list[list[str]]:
    pip = [str(PYTHON), "-m", "pip", "install", "-qq"]
    if uv := shutil.which("uv"):
        # pip where uv fails: its configuration may name an index that uv does not know.
        return [[uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(PYTHON)], pip]
    return [pip]


def is_installed(steps: Steps) -> bool:
    try:
        return PYTHON.exists() and stamp(steps).read_text() == fingerprint(steps)
    except OSError:
        return False


def stamp(steps: Steps) -> Path:
    """File that records what is installed. It is written last, so an interrupted run is repeated."""
    if steps is TESTING:
        return VENV / "installed-for-tests"
    return VENV / ("installed-for-demo" if steps is DEMO else "installed")


def fingerprint(steps: Steps) -> str:
    lines = [f"{name} {hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}" for name in files(steps)]
    return "\n".join(lines)


def files(steps: Steps) -> list[str]:
    return [part for step in steps for part in step if part.endswith(".txt")]


class told:
    """Print on one line of standard error what is being done and how long it took."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __enter__(self) -> None:
        self.began = time.monotonic()
        print(f"{self.text} ...", end="", file=sys.stderr, flush=True)

    def __exit__(self, *error: object) -> None:
        ending = "" if error[0] else f" {time.monotonic() - self.began:.0f} s"
        print(ending, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
