"""A gunicorn worker that receives whole requests before a thread works on them, each within a deadline.

gunicorn's own gthread reads a request in the thread that answers it and waits for it without end, so that a few slow
clients stop every page and webhook. Here the main loop receives headers and body of all connections at once, and gives a
connection to a thread when its request is complete. A client that is slow keeps a socket and no thread.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any

from django.conf import settings
from gunicorn.workers.gthread import TConn, ThreadWorker

MAX_HEADER_BYTES = 64 * 1024  # gunicorn itself refuses more than 100 fields of 8 KB.
HEADER_SECONDS, BODY_SECONDS = 10.0, 30.0  # for all of the header, and for all of the request
STOP_SECONDS = 3.0  # for the rest of a request when the process is stopped
SEND_SECONDS = 20  # for a client that does not read its response
MAX_BUFFERED_BYTES = 64 * 1024 * 1024  # of one process, for all requests that are not complete yet
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]{0,200}\r\n")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
IS_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
EXPECTS_CONTINUE = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class TooLarge(Exception):
    """The body is larger than MAX_BODY_BYTES."""


class Incoming:
    """The bytes of one request so far. `is_complete` judges after each part whether a thread can work on it."""

    def __init__(self, received: bytes, now: float, limit: int) -> None:
        self.received = bytearray(received)
        self.began, self.deadline, self.limit = now, now + HEADER_SECONDS, limit
        self.header_end = 0
        self.wants_continue = False
        self._chunk_at: int | None = None  # where the next chunk of a chunked body begins

    def is_complete(self) -> bool:
        """Raises TooLarge. What is malformed counts as complete: gunicorn's parser refuses it."""
        if not self.header_end:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return len(self.received) > MAX_HEADER_BYTES
            self.header_end = end + 4
            self.deadline = self.began + BODY_SECONDS
            self.body_end = self.header_end
            header = bytes(self.received[: self.header_end])
            self.wants_continue = bool(EXPECTS_CONTINUE.search(header))
            if IS_CHUNKED.search(header):
                self._chunk_at = self.header_end
            elif length := CONTENT_LENGTH.search(header):
                if int(length[1]) > self.limit:
                    raise TooLarge
                self.body_end += int(length[1])
        if self._chunk_at is not None:
            return self._has_last_chunk()
        return len(self.received) >= self.body_end

    def _has_last_chunk(self) -> bool:
        while True:
            at = self._chunk_at or 0
            if len(self.received) - self.header_end > 2 * self.limit or at - self.header_end > self.limit:
                raise TooLarge
            line = CHUNK_SIZE.match(self.received, at)
            if line is None:
                return len(self.received) - at > 256  # Malformed, or not there yet.
            if size := int(line[1], 16):
                self._chunk_at = line.end() + size + 2
                if len(self.received) < self._chunk_at:
                    if size > self.limit:
                        raise TooLarge
                    return False
            else:
                ends_here = self.received.startswith(b"\r\n", line.end())
                return ends_here or self.received.find(b"\r\n\r\n", line.end()) >= 0  # After trailers.


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """gthread with a main loop that receives whole requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.incoming: dict[TConn, Incoming] = {}
        self.buffered = 0

    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError:
            return  # Another process was faster, or the client has left.
        # A thread never waits longer than this for a client that does not read, or for a rest that is not sent.
        limit = struct.pack("ll", SEND_SECONDS, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.nr_conns += 1
        self.receive(TConn(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        # The next request of a connection that was kept open.
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self.receive(conn)

    def finish_request(self, conn: TConn, future: Any) -> None:
        read_ahead = conn.parser.unreader.take_buffered() if conn.parser else b""
        if not read_ahead:
            super().finish_request(conn, future)
        elif future.exception() is None and future.result() is True:
            conn.sock.setblocking(False)
            self.receive(conn, read_ahead)
        else:
            self.nr_conns -= 1
            conn.close()

    def receive(self, conn: TConn, received: bytes = b"") -> None:
        limit: int = settings.MAX_BODY_BYTES
        self.incoming[conn] = Incoming(received, time.monotonic(), limit)
        self.buffered += len(received)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_data, conn))
        self.on_data(conn, conn.sock)

    def on_data(self, conn: TConn, client: socket.socket) -> None:
        incoming = self.incoming[conn]
        try:
            data = client.recv(64 * 1024)
        except BlockingIOError:
            data = None
        except OSError:
            data = b""
        if data == b"":
            return self.drop(conn)
        incoming.received += data or b""
        self.buffered += len(data or b"")
        try:
            is_complete = incoming.is_complete()
        except TooLarge:
            self.refuse(conn, b"413 Content Too Large", b"The request is too large.\n")
            return None
        if is_complete:
            return self.hand_over(conn, bytes(incoming.received))
        if incoming.wants_continue:
            incoming.wants_continue = False
            self.try_to_send(client, b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.buffered > MAX_BUFFERED_BYTES:
            self.refuse(conn, b"503 Service Unavailable", b"Too many requests at once.\n")
        return None

    def hand_over(self, conn: TConn, received: bytes) -> None:
        self.forget(conn)
        conn.data_ready = True
        conn.init()
        conn.parser.unreader.unread(received)
        self.enqueue_req(conn)

    def refuse(self, conn: TConn, status: bytes, text: bytes) -> None:
        head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        self.try_to_send(conn.sock, head % (status, len(text)) + text)
        self.log.warning("%s from %s", status.decode(), conn.client[0] if conn.client else "a socket")
        self.drop(conn)

    def try_to_send(self, client: socket.socket, data: bytes) -> None:
        try:
            client.send(data)
        except OSError:
            return

    def drop(self, conn: TConn) -> None:
        self.forget(conn)
        self.nr_conns -= 1
        conn.close()

    def forget(self, conn: TConn) -> None:
        self.buffered -= len(self.incoming.pop(conn).received)
        self.poller.unregister(conn.sock)

    def murder_pending(self) -> None:
        # The main loop calls this at least once a second.
        super().murder_pending()
        now = time.monotonic()
        for conn, incoming in list(self.incoming.items()):
            if not self.alive:
                incoming.deadline = min(incoming.deadline, now + (STOP_SECONDS if incoming.received else 0))
            if now >= incoming.deadline:
                self.drop(conn)
