"""A page while 64 clients send a byte a second: `python -m benchmarks.slow_clients [gthread] [--json]`.

Prints the 99th percentile without and with them, as script/server starts gunicorn, or with the worker class given. It
exits with 1 if the percentile with them is more than three times that without.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.servers import manage
from script.processes import python
from script.serve import GUNICORN, ROOT

CLIENTS, SECONDS, TIMEOUT = 64, 15, 15
MAX_RATIO = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_clients", description=__doc__)
    parser.add_argument("worker_class", nargs="?", default="", help="gthread, to compare")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    command = python(*GUNICORN[:-1], "--bind", f"127.0.0.1:{port}")
    if options.worker_class:
        command += ["-k", options.worker_class]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "ENV_FILE": "",
            "SECRET_KEY": "only-for-this-benchmark",
            "SITE_URL": f"http://127.0.0.1:{port}",
            "DATABASE_URL": f"sqlite:///{folder}/shop.sqlite3",
            "STATIC_ROOT": f"{folder}/static",
            "LOG_LEVEL": "ERROR",
        }
        for step in ("migrate", "collectstatic"):
            manage(environment, step, "--no-input", "-v", "0")
        server = subprocess.Popen([*command, GUNICORN[-1]], cwd=ROOT, env=environment)  # noqa: S603
        try:
            figures = measure(port)
        finally:
            server.terminate()
            server.wait()
    print(json.dumps(figures, indent=2) if options.json else figures)
    return int(not figures["targets"]["times the healthy"]["met"])


def measure(port: int) -> dict[str, Any]:
    while page(port) >= TIMEOUT:  # Not up yet.
        time.sleep(0.2)
    healthy = percentile(port)
    for number in range(CLIENTS):
        threading.Thread(target=be_slow, args=(port, number % 2 == 0), daemon=True).start()
    time.sleep(3)
    slow = percentile(port)
    ratio = round(slow / healthy, 2)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "load": round(os.getloadavg()[0], 1),
        "slow_clients": CLIENTS,
        "p99_ms_without": round(1000 * healthy, 1),
        "p99_ms_with": round(1000 * slow, 1),
        "targets": {
            "times the healthy": {"measured": ratio, "at_most": MAX_RATIO, "met": ratio <= MAX_RATIO}
        },
    }


def percentile(port: int) -> float:
    times, end = [page(port)], time.monotonic() + SECONDS
    while time.monotonic() < end:
        times.append(page(port))
    return sorted(times)[int(0.99 * (len(times) - 1))]


def page(port: int) -> float:
    began = time.monotonic()
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=TIMEOUT) as answer:
            answer.read()
    except (URLError, OSError):
        return TIMEOUT
    return time.monotonic() - began


def be_slow(port: int, with_body: bool) -> None:
    """Send a byte of the header or of the body each second, and come back when the server ends it."""
    head = b"POST /cart/add/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(head if with_body else b"GET / HTTP/1.1\r\n")
                while True:
                    client.sendall(b"x")
                    time.sleep(1)
        except OSError:
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
