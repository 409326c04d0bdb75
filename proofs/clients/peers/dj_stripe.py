"""dj-stripe in a virtual environment of its own, which git ignores. Its requirements contradict the shop's."""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from proofs.clients.npm import CACHE, NotInstalled

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"


def install() -> Path:
    """The environment's folder, with a migrated database, because the migrations take most of a minute."""
    content = REQUIREMENTS.read_bytes()
    folder = CACHE / f"djstripe-{hashlib.sha256(content).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "djstripe.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            pip = ["bin/pip", "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS)]
            _run([sys.executable, "-m", "venv", str(folder)], CACHE)
            _run(pip, folder)
            empty = DjStripe(folder, folder / "empty.sqlite3", {})
            _run(empty.command("migrate", "--verbosity=0"), folder, empty.env)
            (folder / "complete").touch()
    return folder


def _run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise NotInstalled(f"{command[0]} failed: {done.stderr.strip()[-500:]}")


class DjStripe:
    """A project with dj-stripe on an SQLite file."""

    def __init__(self, environment: Path, database: Path, env: dict[str, str]) -> None:
        self._python = environment / "bin" / "python"
        self._database = database
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(HERE),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "dj_stripe_settings",
            "DATABASE_FILE": str(database),
            **env,
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(self._python), "-m", "django", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one management command to its end."""
        return subprocess.run(  # noqa: S603
            self.command(*arguments), env=self.env, capture_output=True, text=True, timeout=120
        )

    def ask(self, question: str, *values: object) -> list[Any]:
        """Run one SQL statement."""
        with closing(sqlite3.connect(self._database)) as connection, connection:
            return connection.execute(question, values).fetchall()
