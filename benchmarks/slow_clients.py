"""A page while 64 clients send a byte a second: `python -m benchmarks.slow_clients [gthread]`.

Prints the 99th percentile without and with them, as script/server starts gunicorn, or with the worker class given.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from urllib.error import URLError
from urllib.request import urlopen

from script.processes import python
from script.serve import GUNICORN, ROOT

CLIENTS, SECONDS, TIMEOUT = 64, 15, 15


def main() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    command = python(*GUNICORN[:-1], "--bind", f"127.0.0.1:{port}")
    if len(sys.argv) > 1:
        command += ["-k", sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "ENV_FILE": "",
            "SECRET_KEY": "only-for-this-benchmark",
            "SITE_URL": f"http://127.0.0.1:{port}",
            "DATABASE_URL": f"sqlite:///{folder}/shop.sqlite3",
            "LOG_LEVEL": "ERROR",
        }
        server = subprocess.Popen([*command, GUNICORN[-1]], cwd=ROOT, env=environment)  # noqa: S603
        try:
            measure(port)
        finally:
            server.terminate()
            server.wait()


def measure(port: int) -> None:
    while page(port) >= TIMEOUT:  # Not up yet.
        time.sleep(0.2)
    healthy = percentile(port)
    for number in range(CLIENTS):
        threading.Thread(target=be_slow, args=(port, number % 2 == 0), daemon=True).start()
    time.sleep(3)
    slow = percentile(port)
    print(f"p99 without: {1000 * healthy:.1f} ms, with {CLIENTS} slow clients: {1000 * slow:.1f} ms")


def percentile(port: int) -> float:
    times, end = [page(port)], time.monotonic() + SECONDS
    while time.monotonic() < end:
        times.append(page(port))
    return sorted(times)[int(0.99 * (len(times) - 1))]


def page(port: int) -> float:
    began = time.monotonic()
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=TIMEOUT) as answer:
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
    main()
