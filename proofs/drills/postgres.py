"""PostgreSQL servers that a drill kills, promotes and starts again, with their data kept."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from script import postgres

# The defaults for writing: a commit is on the disk when it is answered.
OPTIONS = ("wal_level=replica", "max_wal_senders=4", "hot_standby=on")


class NoPostgres(Exception):
    """The machine has no PostgreSQL server."""


@dataclass
class Server:
    """One server on a loopback port. `folder` has its data and its log."""

    binaries: Path
    folder: Path
    password: str
    options: Sequence[str] = OPTIONS
    port: int = field(default_factory=postgres.free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://shop:{self.password}@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        postgres.make_cluster(self.binaries, self.folder, self.password)

    def start(self) -> None:
        self.process = postgres.start(self.binaries, self.folder, self.port, self.options)
        postgres.wait_until_ready(self.binaries, self.process, self.port, self.folder / "log")

    def kill(self) -> None:
        """SIGKILL the server and all of its processes at once, as a power cut would."""
        if self.process is None or self.has_ended():
            return  # Another process may have its id by now.
        for pid in [self.process.pid, *_children(self.process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is None or self.has_ended():
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def ask(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def promote(self) -> None:
        """Make the standby the primary. Returns when it accepts writes."""
        self.ask("SELECT pg_promote(true, 60)")

    def stop_sending(self) -> None:
        """Halt the process that sends the log to the standby, which misses everything from now on."""
        for (pid,) in self.ask("SELECT pid FROM pg_stat_replication"):
            os.kill(pid, signal.SIGSTOP)

    def follow(self, primary: Server, *, synchronous: bool) -> None:
        """Become the standby of `primary`, with a copy of its data. A synchronous one is waited for by its commits."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        postgres.give_to_postgres(self.folder)
        copy = [str(self.binaries / "pg_basebackup"), "-D", str(self.folder / "data"), "-d", primary.url]
        subprocess.run(  # noqa: S603
            [*postgres.as_postgres(), *copy, "-R", "-X", "stream", "-c", "fast", "--no-sync"],
            check=True,
            cwd=self.folder,
            capture_output=True,
        )
        self.start()
        if synchronous:
            primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.ask("SELECT pg_reload_conf()")


@contextmanager
def server(folder: Path | None = None, *, options: Sequence[str] = ()) -> Iterator[Server]:
    """A running server with its data in `folder`, by default a temporary one."""
    binaries = postgres.find_binaries()
    if binaries is None:
        raise NoPostgres("PostgreSQL is not installed: found neither initdb on PATH nor /usr/lib/postgresql.")
    with tempfile.TemporaryDirectory(prefix="shop-drill-", ignore_cleanup_errors=True) as name:
        one = Server(binaries, folder or Path(name), secrets.token_hex(16), (*OPTIONS, *options))
        one.create()
        one.start()
        try:
            yield one
        finally:
            one.stop()


@contextmanager
def primary_and_standby(*, synchronous: bool) -> Iterator[tuple[Server, Server]]:
    """A primary and its standby. If `synchronous`, a commit is answered when the standby has it on its disk."""
    with (
        server() as primary,
        tempfile.TemporaryDirectory(prefix="shop-drill-", ignore_cleanup_errors=True) as name,
    ):
        standby = Server(primary.binaries, Path(name), primary.password)
        try:
            standby.follow(primary, synchronous=synchronous)
            yield primary, standby
        finally:
            # A primary without its synchronous standby waits for ever, so neither is asked to finish.
            primary.kill()
            standby.kill()


def url_of_both(primary: Server, standby: Server) -> str:
    """The DATABASE_URL that docs/operating.md names: the host that accepts writes."""
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    options = "target_session_attrs=read-write&connect_timeout=3"
    return f"postgres://shop:{primary.password}@{hosts}/postgres?{options}"


def _children(pid: int) -> list[int]:
    # /proc/PID/stat: the name in parentheses may contain blanks, the parent's id is the second field after it.
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(stat.parent.name))
    return found
