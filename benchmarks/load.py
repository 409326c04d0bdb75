"""A load generator: prepared requests over a few connections in one thread.

One loop over sockets costs a few dozen microseconds per request, so on a small machine most of the time is
left to the server. Connections are kept open where the server allows it, as a proxy in front of it would do.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

NO_ANSWER = 0


@dataclass
class Load:
    """The responses. `took`: seconds from the time each request was due to its complete response.

    `refused`: the requests that were not answered with 200.
    """

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[bytes] = field(default_factory=list)

    @property
    def good(self) -> int:
        """The number of 200 responses."""
        return self.statuses[200]

    @property
    def good_per_second(self) -> float:
        return self.good / self.seconds if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        """Milliseconds within which `share` of the requests were answered (0.99: 99 in 100)."""
        if not self.took:
            raise ValueError("nothing was measured")
        ordered = sorted(self.took)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def get(path: str, *, host: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The bytes of a GET request."""
    return request("GET", path, host=host, headers=headers)


def request(
    method: str, path: str, *, host: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """The bytes of an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def on_cores(*cores: int) -> Iterator[None]:
    """Pin this process, and children it starts meanwhile, to those of `cores` that the machine has."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before & set(cores) or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def as_fast_as_possible(
    port: int, requests: Sequence[bytes], *, connections: int = 16, seconds: float, at_most: int | None = None
) -> Load:
    """Send `requests` in a cycle, a new one as soon as one is answered.

    Ends after `seconds`, or after `at_most` requests. Requests in flight at the end are waited for, and
    counted.
    """
    crowd = _Crowd(port, requests, connections, at_most)
    return crowd.run(seconds)


def at_a_rate(
    port: int, requests: Sequence[bytes], *, per_second: float, seconds: float, connections: int = 64
) -> Load:
    """Send one request every 1/`per_second` seconds, whether or not the earlier ones were answered.

    Latency is measured from the time a request was due, so a stalled server cannot hide by receiving fewer
    requests.
    """
    crowd = _Crowd(port, requests, connections, int(per_second * seconds), gap=1 / per_second)
    return crowd.run(seconds)


class _Crowd:
    """The connections to one server, idle or waiting for a response."""

    patience = 30.0

    def __init__(
        self, port: int, requests: Sequence[bytes], connections: int, at_most: int | None, gap: float = 0.0
    ) -> None:
        self.port, self.requests, self.gap = port, requests, gap
        self.left = at_most if at_most is not None else 10**12
        self.sent = 0
        self.selector = selectors.DefaultSelector()
        self.idle = [_Line(port) for _ in range(connections)]
        self.busy: set[_Line] = set()
        self.load = Load()

    def run(self, seconds: float) -> Load:
        started = time.perf_counter()
        self.started = started
        while self._more(time.perf_counter() - started < seconds):
            self._send_what_is_due()
            self._hear(self._until_next())
        self.load.seconds = time.perf_counter() - started
        for line in [*self.idle, *self.busy]:
            line.close()
        self.selector.close()
        return self.load

    def _more(self, in_time: bool) -> bool:
        if not in_time or self.sent >= self.left:
            self.left = min(self.left, self.sent) if not self.gap else self.left
        return bool(self.busy) or self.sent < self.left

    def _send_what_is_due(self) -> None:
        while self.idle and self.sent < self.left:
            now = time.perf_counter()
            due = self.started + self.sent * self.gap if self.gap else now
            if due > now:
                return
            line = self.idle.pop()
            line.send(self.requests[self.sent % len(self.requests)], due)
            self.sent += 1
            self.busy.add(line)
            self.selector.register(line.socket, selectors.EVENT_READ, line)

    def _until_next(self) -> float:
        if not self.gap or self.sent >= self.left or not self.idle:
            return 0.05
        return max(0.0, self.started + self.sent * self.gap - time.perf_counter())

    def _hear(self, timeout: float) -> None:
        for key, _ in self.selector.select(timeout):
            line: _Line = key.data
            if line.read():
                self._finish(line, line.status)
        now = time.perf_counter()
        for line in [line for line in self.busy if now - line.due > self.patience]:
            self._finish(line, NO_ANSWER)

    def _finish(self, line: _Line, status: int) -> None:
        self.selector.unregister(line.socket)
        self.busy.discard(line)
        self.load.took.append(time.perf_counter() - line.due)
        self.load.statuses[status] += 1
        if status != 200:
            self.load.refused.append(line.request)
        if status == NO_ANSWER or line.closing:
            line.close()
        self.idle.append(line)


class _Line:
    """One connection, opened on demand, with the response it waits for."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open: socket.socket | None = None
        self.due = 0.0
        self.request = b""
        self._begin()

    def _begin(self) -> None:
        self.buffer = bytearray()
        self.length: int | None = None
        self.status, self.closing, self.chunked = NO_ANSWER, False, False

    @property
    def socket(self) -> socket.socket:
        if self.open is None:
            self.open = socket.create_connection(("127.0.0.1", self.port), timeout=10)
            # With a timeout set, Python waits for data in `_was_closed` despite MSG_DONTWAIT.
            self.open.settimeout(None)
            self.open.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.open

    def send(self, request: bytes, due: float) -> None:
        """Send one request; a connection that the server closed while idle is reopened first."""
        self._begin()
        self.request, self.due = request, due
        if self.open is not None and self._was_closed():
            self.close()
        self.socket.sendall(request)

    def _was_closed(self) -> bool:
        try:
            return self.socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def read(self) -> bool:
        """Read available data; True if the response is complete or the connection has ended."""
        try:
            piece = self.socket.recv(262144)
        except OSError:
            piece = b""
        if not piece:
            self.closing = True
            return True
        self.buffer += piece
        if self.length is None and not self.chunked:
            self._read_head()
        if self.chunked:
            return self.buffer.endswith(b"0\r\n\r\n")
        return self.length is not None and len(self.buffer) >= self.length

    def _read_head(self) -> None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end]).lower()
        self.status = int(head[9:12])
        self.closing = b"connection: close" in head
        self.chunked = b"transfer-encoding: chunked" in head
        start = head.find(b"content-length:")
        if start >= 0:
            self.length = end + 4 + int(head[start + 15 :].split(b"\r\n", 1)[0])

    def close(self) -> None:
        if self.open is not None:
            self.open.close()
            self.open = None
