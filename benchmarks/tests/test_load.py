"""Tests of the load generator, with a server in this process that can be slow or close connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load import Load, as_fast_as_possible, at_a_rate, get, request


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slow = 0.0

    def do_GET(self) -> None:
        self._answer(b"x" * 5000)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        if self.path == "/slow":
            time.sleep(0.05)
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_every_answer_is_counted_by_its_status(port: int) -> None:
    asked = [get("/", host="shop"), get("/broken", host="shop"), get("/close", host="shop")]
    load = as_fast_as_possible(port, asked, connections=3, seconds=30, at_most=60)

    assert load.statuses == {200: 40, 500: 20}
    assert len(load.took) == 60
    assert load.good_per_second == pytest.approx(40 / load.seconds)


def test_a_body_reaches_the_server(port: int) -> None:
    load = as_fast_as_possible(port, [request("POST", "/", host="shop", body=b"{}")], seconds=30, at_most=5)

    assert load.good == 5


def test_a_slow_answer_is_measured_in_full(port: int) -> None:
    load = as_fast_as_possible(port, [get("/slow", host="shop")], connections=1, seconds=30, at_most=3)

    assert min(load.took) >= 0.05
    assert load.percentile_ms(0.99) >= 50


def test_a_steady_rate_sends_each_request_once(port: int) -> None:
    load = at_a_rate(port, [get("/", host="shop")], per_second=200, seconds=0.2)

    assert load.good == 40
    assert load.seconds >= 0.19


def test_waiting_for_a_free_connection_counts_as_time(port: int) -> None:
    """Ten requests are due at once over one connection at 50 ms each, so the last waits for nine others."""
    load = at_a_rate(port, [get("/slow", host="shop")], per_second=1000, seconds=0.01, connections=1)

    assert load.good == 10
    assert max(load.took) >= 0.4


def test_a_percentile_is_a_measured_time() -> None:
    load = Load(took=[n / 1000 for n in range(1, 101)])

    assert load.percentile_ms(0.5) == 51
    assert load.percentile_ms(0.99) == 100
    with pytest.raises(ValueError, match="nothing"):
        Load().percentile_ms(0.99)
