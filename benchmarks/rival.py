"""Run django-oscar from its own virtual environment under var/, served like the shop."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.servers import OTHERS, Running, free_port, wait_until_it_answers
from script.processes import Programs
from script.serve import GUNICORN, ROOT

FOLDER = ROOT / "var" / "oscar"
REQUIREMENTS = ROOT / "benchmarks" / "oscar" / "requirements.txt"
PYTHON = FOLDER / "bin" / "python"


def environment_is_made() -> Path:
    """Create the virtual environment, unless one from the same requirements exists; returns its Python."""
    stamp, wanted = FOLDER / "installed", hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)  # noqa: S603
        subprocess.run(  # noqa: S603
            [PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-r", REQUIREMENTS],
            check=True,
            stdout=sys.stderr,
        )
        stamp.write_text(wanted)
    return PYTHON


@contextmanager
def oscar(folder: Path, goods: list[dict[str, Any]]) -> Iterator[tuple[Running, dict[str, str]]]:
    """Run oscar with `goods` in its catalog; yields it and the paths of its `list` and `product` pages."""
    python = environment_is_made()
    home = folder / "oscar"
    home.mkdir()
    (home / "goods.json").write_text(json.dumps(goods))
    kept = {name: value for name, value in os.environ.items() if not OTHERS.match(name)}
    environment = kept | {"OSCAR_DATABASE": str(home / "oscar.sqlite3")}
    product = _stock(python, environment, home / "goods.json")
    port, log = free_port(), folder / "oscar.log"
    command = [str(python), "-u", *GUNICORN[:-1], "--bind", f"127.0.0.1:{port}", "benchmarks.oscar.wsgi"]
    with Programs(grace=20) as programs:
        programs.start("oscar", command, environment=environment, folder=ROOT, log=log)
        running = Running(port, (log,), environment)
        wait_until_it_answers(f"http://127.0.0.1:{port}/catalog/", programs, running)
        yield running, {"list": "/catalog/", "product": product}


def _stock(python: Path, environment: dict[str, str], goods: Path) -> str:
    command = [str(python), "-W", "ignore", "-m", "benchmarks.oscar.stock", str(goods)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"Oscar's catalog could not be filled:\n{done.stderr}")
    return done.stdout.split()[-1]
