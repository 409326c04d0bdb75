"""Other programs in virtual environments of their own under var/, served like the shop."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.servers import OTHERS, Running, free_port, wait_until_it_answers
from script.processes import Programs
from script.serve import GUNICORN, ROOT


def environment_is_made(name: str) -> Path:
    """Create the virtual environment of benchmarks/`name`, unless one from the same requirements exists; returns its
    Python."""
    folder, requirements = ROOT / "var" / name, ROOT / "benchmarks" / name / "requirements.txt"
    stamp, wanted = folder / "installed", hashlib.sha256(requirements.read_bytes()).hexdigest()
    program = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        make = [sys.executable, "-m", "venv", "--clear", str(folder)]
        install = [
            str(program),
            "-m",
            "pip",
            "install",
            "-qq",
            "--disable-pip-version-check",
            "-r",
            str(requirements),
        ]
        for command in (make, install):
            done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
            if done.returncode:
                reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
                raise SystemExit(f"{requirements} could not be installed: {' '.join(reason)}")
        stamp.write_text(wanted)
    return program


@contextmanager
def served(
    name: str, folder: Path, environment: Mapping[str, str], path: str, program: Path
) -> Iterator[Running]:
    """Run benchmarks/`name` under the shop's web server and its settings, until `path` has answered."""
    port, log = free_port(), folder / f"{name}.log"
    # The class of worker is gunicorn's own: the shop's reads settings of the shop.
    options = [*GUNICORN[:-1], "-k", "gthread"]
    command = [str(program), "-u", *options, "--bind", f"127.0.0.1:{port}", f"benchmarks.{name}.wsgi"]
    with Programs(grace=20) as programs:
        programs.start(name, command, environment=environment, folder=ROOT, log=log)
        running = Running(port, (log,), environment)
        wait_until_it_answers(f"http://127.0.0.1:{port}{path}", programs, running)
        yield running


def run_module(program: Path, environment: Mapping[str, str], module: str, *arguments: str) -> str:
    """Run a module with another program's Python and return its output; exits with its error if it fails."""
    command = [str(program), "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=dict(environment), capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not OTHERS.match(name)}


@contextmanager
def oscar(folder: Path, goods: list[dict[str, Any]]) -> Iterator[tuple[Running, dict[str, str]]]:
    """Run oscar with `goods` in its catalog; yields it and the paths of its `list` and `product` pages."""
    program = environment_is_made("oscar")
    home = folder / "oscar"
    home.mkdir()
    (home / "goods.json").write_text(json.dumps(goods))
    environment = clean_environment() | {"OSCAR_DATABASE": str(home / "oscar.sqlite3")}
    said = run_module(program, environment, "benchmarks.oscar.stock", str(home / "goods.json"))
    with served("oscar", folder, environment, "/catalogue/", program) as running:
        yield running, {"list": "/catalogue/", "product": said.split()[-1]}
