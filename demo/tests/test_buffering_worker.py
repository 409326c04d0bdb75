"""The worker class behind a real gunicorn: slow, large and odd requests keep no thread from others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from config.buffering_worker import HEADER_SECONDS, Incoming, TooLarge
from config.tests.settings_run import COMPLETE, KEPT, ROOT
from script.processes import python
from script.serve import GUNICORN

LIMIT = 1024 * 1024
APPLICATION = """
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    text = f"{environ['REQUEST_METHOD']} {environ['SCRIPT_NAME']}{environ['PATH_INFO']} {len(body)}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
"""


def incoming(data: bytes) -> Incoming:
    return Incoming(data, time.monotonic(), LIMIT)


@pytest.mark.parametrize(
    ("data", "complete"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n1234", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345", True),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", False),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", False),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n", False),  # In the body.
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nA: b\r\n", False),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", True),
        (b"x" * 70_000, True),  # Not HTTP: the parser refuses it.
    ],
)
def test_a_request_is_complete_with_its_last_byte(data: bytes, complete: bool) -> None:
    assert incoming(data).is_complete() is complete


@pytest.mark.parametrize("cut", range(1, 70, 7))
def test_it_does_not_matter_how_a_chunked_body_is_cut(cut: int) -> None:
    data = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\na\r\n0123456789\r\n0\r\n\r\n"
    arriving = incoming(b"")
    for at in range(0, len(data), cut):
        assert not arriving.is_complete()
        arriving.received += data[at : at + cut]

    assert arriving.is_complete()


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFF\r\n",
    ],
)
def test_a_body_that_is_too_large_is_refused_before_it_arrives(data: bytes) -> None:
    with pytest.raises(TooLarge):
        incoming(data).is_complete()


@contextmanager
def gunicorn(folder: Path, application: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """gunicorn as script/server starts it, with one process of one thread. Yields it and its port."""
    (folder / "small.py").write_text(application)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        number = int(free.getsockname()[1])
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**KEPT, **COMPLETE, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": path}
    options = ["-w", "1", "--threads", "1", "--bind", f"127.0.0.1:{number}", "small:application"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(python(*GUNICORN[:-1], *options), cwd=ROOT, env=environment, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                connect(number).close()
                break
            except OSError:
                time.sleep(0.05)
        yield server, number
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with gunicorn(tmp_path_factory.mktemp("application"), APPLICATION) as (_server, number):
        yield number


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def ask(port: int, *parts: bytes) -> bytes:
    with connect(port) as client:
        for part in parts:
            client.sendall(part)
        answer = b""
        while data := client.recv(65536):
            answer += data
        return answer


CLOSE = b"Host: a\r\nConnection: close\r\n"


def test_slow_clients_keep_no_thread(port: int) -> None:
    slow = [connect(port) for _number in range(20)]
    for number, client in enumerate(slow):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" if number % 2 else b"GET / HT"
        client.sendall(head)

    answer = ask(port, b"GET /page HTTP/1.1\r\n" + CLOSE + b"\r\n")

    assert answer.endswith(b"GET /page 0")
    for client in slow:
        client.close()
    assert HEADER_SECONDS <= 10


def test_a_body_arrives_whole_however_it_is_sent(port: int) -> None:
    head = b"POST /form HTTP/1.1\r\n" + CLOSE

    assert ask(port, head + b"Content-Length: 6\r\n\r\nabc", b"def").endswith(b"POST /form 6")
    chunks = (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n")
    assert ask(port, head + chunks[0], chunks[1]).endswith(b"POST /form 6")


def test_a_connection_is_used_for_several_requests(port: int) -> None:
    first = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"

    # The second begins in the packet of the first and ends later.
    answer = ask(port, first + b"GET /2 HT", b"TP/1.1\r\n" + CLOSE + b"\r\n")

    assert b"POST /1 3" in answer and answer.endswith(b"GET /2 0")


def test_a_client_that_waits_for_100_continue_gets_it(port: int) -> None:
    head = b"POST /form HTTP/1.1\r\n" + CLOSE + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with connect(port) as client:
        client.sendall(head)
        assert client.recv(100).startswith(b"HTTP/1.1 100 Continue")
        client.sendall(b"abc")
        answer = b""
        while data := client.recv(65536):
            answer += data

    assert answer.endswith(b"POST /form 3")


def test_a_large_body_is_answered_with_413(port: int) -> None:
    answer = ask(port, b"POST /form HTTP/1.1\r\n" + CLOSE + b"Content-Length: 300000000\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_rubbish_is_answered_with_400(port: int) -> None:
    assert ask(port, b"rubbish\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert ask(port, b"GET /page HTTP/1.1\r\n" + CLOSE + b"\r\n").endswith(b"GET /page 0")


@pytest.mark.parametrize("header", [b"SCRIPT_NAME: /evil", b"Script-Name: /evil", b"PATH_INFO: /evil"])
def test_no_header_changes_the_address_that_pages_are_built_for(port: int, header: bytes) -> None:
    answer = ask(port, b"GET /page HTTP/1.1\r\n" + header + b"\r\n" + CLOSE + b"\r\n")

    assert b"/evil" not in answer


WAITING = """
import pathlib, time
folder = pathlib.Path(__file__).parent

def application(environ, start_response):
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]
"""


def test_a_request_that_is_being_handled_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    with gunicorn(tmp_path, WAITING) as (server, number), connect(number) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + CLOSE + b"\r\n")
        deadline = time.monotonic() + 20
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.01)

        server.send_signal(signal.SIGTERM)
        while "Handling signal: term" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        (tmp_path / "go").touch()

        answer = b""
        while data := client.recv(65536):
            answer += data
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"done")
        assert server.wait(timeout=30) == 0
