"""script/server: what it starts ends with it, even if it is killed."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from config.tests.settings_run import COMPLETE, KEPT, ROOT
from script.processes import python


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_open(port: int) -> bool:
    """Whether someone listens. A connection may also be made to its own port, if that happens to be this one."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return bool(connection.getsockname() != connection.getpeername())
    except OSError:
        return False


@pytest.mark.skipif(os.name != "posix", reason="kills a process by SIGKILL")
def test_a_killed_server_leaves_no_orphan_on_the_port(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    environment = {
        **KEPT,
        **COMPLETE,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'shop.sqlite3'}",
        "STATIC_ROOT": str(tmp_path / "static"),
    }
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            python("-m", "script.serve", "--bind", f"127.0.0.1:{port}"), cwd=ROOT, env=environment, stderr=log
        )
    try:
        wait_until(lambda: is_open(port), seconds=300)  # Migrations take long on a busy disk.
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()

    wait_until(lambda: not is_open(port))
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert stat.S_IMODE((tmp_path / "shop.sqlite3").stat().st_mode) == 0o600
