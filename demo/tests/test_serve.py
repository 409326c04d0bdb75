"""script/server: what it starts ends with it, even if it is killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config.tests.settings_run import COMPLETE, KEPT, ROOT
from script.processes import python

LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:([0-9]+)")


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(os.name != "posix", reason="kills a process by SIGKILL")
def test_a_killed_server_leaves_no_orphan_on_the_port(tmp_path: Path) -> None:
    log, database = tmp_path / "log", tmp_path / "shop.sqlite3"
    environment = {
        **KEPT,
        **COMPLETE,
        "DATABASE_URL": f"sqlite:///{database}",
        "STATIC_ROOT": str(tmp_path / "static"),
    }
    with log.open("wb") as written:
        # gunicorn takes a free port and logs it. One that was looked up before may be taken until it starts.
        command = python("-m", "script.serve", "--bind", "127.0.0.1:0")
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=written)
    try:
        # Migrations take long on a busy disk.
        wait_until(lambda: LISTENING.search(log.read_text()) or server.poll() is not None, seconds=300)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()

    listening = LISTENING.search(log.read_text())
    assert listening, log.read_text()
    wait_until(lambda: not is_open(int(listening[1])))
    assert "Traceback" not in log.read_text()
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
