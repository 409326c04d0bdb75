"""A private PostgreSQL cluster in a temporary folder, for tests.

script/test uses it as a context manager. `python -m script.postgres` prints its DATABASE_URL and runs until Ctrl-C.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# The data is not needed after the run, so no write has to reach the disk.
FOR_SPEED = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]


def find_binaries() -> Path | None:
    """The folder of initdb and postgres: from PATH, or the newest version in Debian's location."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    by_version = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(by_version, key=lambda path: int(path.parts[-3]), default=None)
    return newest.parent if newest else None


@contextmanager
def private_postgres(binaries: Path) -> Iterator[str]:
    """Start a cluster on a free loopback port and yield the DATABASE_URL of its database."""
    with tempfile.TemporaryDirectory(prefix="shop-postgres-", ignore_cleanup_errors=True) as name:
        folder, password = Path(name), secrets.token_hex(16)
        make_cluster(binaries, folder, password)
        port = free_port()
        url = f"postgres://shop:{password}@127.0.0.1:{port}/postgres"
        server = start(binaries, folder, port, FOR_SPEED)
        try:
            wait_until_ready(binaries, server, port, folder / "log")
            yield url
        finally:
            # PostgreSQL's fast shutdown: it disconnects sessions and closes its files.
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)


def make_cluster(binaries: Path, folder: Path, password: str) -> None:
    password_file = folder / "password"
    password_file.write_text(password)
    give_to_postgres(folder, password_file)
    arguments = [
        "-D",
        str(folder / "data"),
        "-U",
        "shop",
        "--auth=scram-sha-256",
        f"--pwfile={password_file}",
    ]
    command = [
        *as_postgres(),
        str(binaries / "initdb"),
        *arguments,
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if result.returncode:
        sys.exit(f"The PostgreSQL cluster could not be created: {result.stderr.strip()}")


def start(binaries: Path, folder: Path, port: int, options: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start the server of folder / "data". The process returned is the server, because setpriv executes it."""
    options = [*options, "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
    command = [*as_postgres(), str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
    command += [part for option in options for part in ("-c", option)]
    # In a new session, so that Ctrl-C reaches only us; the server is stopped after the tests have disconnected.
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)


def wait_until_ready(binaries: Path, server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    command = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + 60
    while subprocess.run(command).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def as_postgres() -> list[str]:
    # PostgreSQL refuses to run as root. Debian's package creates the user postgres.
    if os.name == "nt" or os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=INT", "--"]


def give_to_postgres(*paths: Path) -> None:
    if as_postgres():
        for path in paths:
            shutil.chown(path, "postgres", "postgres")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    binaries = find_binaries()
    if binaries is None:
        sys.exit("PostgreSQL is not installed: found neither initdb on PATH nor /usr/lib/postgresql.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with private_postgres(binaries) as url:
        print(url, flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
