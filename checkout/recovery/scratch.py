"""A scratch database with the contents of a backup, dropped afterwards. The shop's own database is not touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

SQLITE, CUSTOM_DUMP = b"SQLite format 3\x00", b"PGDMP"


class CannotRestore(Exception):
    """The backup cannot be restored, and why."""


def newest_backup(path: Path) -> Path:
    """The file, or the newest file of a folder. Raises CannotRestore."""
    if path.is_dir():
        files = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
        if not files:
            raise CannotRestore(f"{path} has no file.")
        return max(files, key=lambda file: file.stat().st_mtime)
    if not path.is_file():
        raise CannotRestore(f"{path} does not exist.")
    return path


@contextmanager
def scratch_database(backup: Path, server: str) -> Iterator[str]:
    """Restore the backup and yield the DATABASE_URL of the copy. `server`: DATABASE_URL of a PostgreSQL server.

    Raises CannotRestore.
    """
    with backup.open("rb") as file:
        start = file.read(16)
    if start == SQLITE:
        with tempfile.TemporaryDirectory(prefix="restore-drill-") as folder:
            copy = Path(folder) / "scratch.sqlite3"
            shutil.copyfile(backup, copy)
            yield f"sqlite:///{copy}"
        return
    if not server.startswith(("postgres://", "postgresql://")):
        raise CannotRestore(f"{backup} is no SQLite database, and DATABASE_URL names no PostgreSQL server.")
    name = f"restore_drill_{os.getpid()}"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    try:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
    except psycopg.Error as exc:
        reason = " ".join(str(exc).split())
        raise CannotRestore(
            f"The scratch database cannot be created ({reason}). Grant CREATEDB, or name another server with --server."
        ) from exc
    try:
        if start.startswith(CUSTOM_DUMP):
            command = [_program("pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error", "-d", url]
        else:
            command = [_program("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f"]
        done = subprocess.run([*command, str(backup)], capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            raise CannotRestore(f"{backup} cannot be restored: {lines[-1]}")
        yield url
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _program(name: str) -> str:
    # Debian keeps the programs of each version in a folder of its own.
    found = shutil.which(name) or max(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default="")
    if not found:
        raise CannotRestore(f"{name} is not installed.")
    return found
