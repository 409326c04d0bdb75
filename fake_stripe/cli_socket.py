"""The websocket of `stripe listen` and `stripe logs tail`: one connection, in two threads.

The thread of the request reads; another one sends what the listener's flow allows.
"""

import contextlib
import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from fake_stripe import websocket
from fake_stripe.account import Account
from fake_stripe.api import Api, Exchange
from fake_stripe.courier import delivery_headers
from fake_stripe.listeners import LOGS, Flow
from fake_stripe.request_logs import log_message
from fake_stripe.store import Json
from fake_stripe.websocket import CLOSE, PING, PONG, TEXT, Failed, Frame, close_frame, frame

log = logging.getLogger("fake_stripe")
SUBPROTOCOL = "stripecli-devproxy-v1"
# The conversation about an event: this and the event's id.
CONVERSATION = "wc_"
# Seconds without any byte until the client is asked for a sign of life, and again until the connection is given up.
# The CLI sends a ping every 2 seconds.
SILENCE = 15.0
MAX_LOGS = 1000


class Input(Protocol):
    """The buffered input of a socket."""

    def read1(self, size: int = -1, /) -> bytes: ...


class Connection:
    """One websocket after its handshake. `run` returns when it has ended."""

    def __init__(
        self, account: Account, api: Api, listener: Json, sock: socket.socket, source: Input
    ) -> None:
        self._account, self._api, self._listener = account, api, listener
        self._socket, self._source = sock, source
        self._flow: Flow = account.listeners.connect(listener["id"])
        self._logs: deque[str] = deque(maxlen=MAX_LOGS)
        self._sending = threading.Lock()
        self._closed = threading.Event()

    def run(self, send_handshake: Callable[[], None]) -> None:
        """Answer the handshake with `send_handshake` and serve the connection to its end."""
        self._socket.settimeout(SILENCE)
        listeners = self._account.listeners
        listeners.closers.append(self.close_for_shutdown)
        sender = threading.Thread(target=self._send_all, name="stripe cli", daemon=True)
        if self._listener["feature"] == LOGS:
            self._api.observers.append(self._see_exchange)
        try:
            send_handshake()
            sender.start()
            self._read_all()
        finally:
            self._closed.set()
            if self._listener["feature"] == LOGS:
                self._api.observers.remove(self._see_exchange)
            listeners.closers.remove(self.close_for_shutdown)
            listeners.disconnect(self._listener["id"], self._flow)
            listeners.wake()

    def close_for_shutdown(self) -> None:
        self._close(websocket.GOING_AWAY, "The fake is stopping.")

    # reading

    def _read_all(self) -> None:
        parser = websocket.Parser()
        try:
            while not self._closed.is_set() and (data := self._read()):
                for received in parser.feed(data):
                    if not self._take(received):
                        return
        except Failed as failed:
            self._close(failed.code, failed.reason)
            self._drain()
        except OSError:
            pass  # the client is gone

    def _read(self) -> bytes:
        """The next bytes; b"" at the end. A silent client is pinged once before the connection ends."""
        try:
            return self._source.read1(65536)
        except TimeoutError:
            self._send(frame(PING, b""))
            try:
                # The buffered reader of a socket refuses to read after a timeout.
                return self._socket.recv(65536)
            except TimeoutError:
                raise Failed(websocket.POLICY, f"No sign of life for {2 * SILENCE:.0f} seconds.") from None

    def _take(self, received: Frame) -> bool:
        """Handle a message; False if the connection has ended with it."""
        if received.opcode == PING:
            self._send(frame(PONG, received.content))
        elif received.opcode == CLOSE:
            self._send(frame(CLOSE, received.content[:2]))
            return False
        elif received.opcode == TEXT:
            self._take_message(received.content)
        return True

    def _take_message(self, content: bytes) -> None:
        try:
            message = json.loads(content)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        now = time.monotonic()
        if message.get("type") == "event_ack":
            finished = not self._listener["forwards"]
            self._flow.acknowledge(_event_of(message, "event_id"), now, finished=finished)
        elif message.get("type") == "webhook_response":
            self._flow.answer(_event_of(message, "notification_id"))
        self._account.listeners.wake()

    # sending

    def _send_all(self) -> None:
        listeners = self._account.listeners
        try:
            while not self._closed.is_set():
                self._send_due()
                with listeners.news:
                    listeners.news.wait(0.25)
        except OSError:
            self._abort()
        except Exception:
            log.exception("fake_stripe failed to send to the Stripe CLI")
            self._abort()

    def _send_due(self) -> None:
        now = time.monotonic()
        while self._logs:
            self._send(frame(TEXT, self._logs.popleft().encode()))
        self._flow.give_up(now)
        if self._flow.is_stuck(now):
            self._close(websocket.POLICY, "An event was not acknowledged in time.")
            return
        for event_id in self._flow.take(now, self._type_of):
            event = self._account.store.get("event", event_id)
            if event is None:  # older than 30 days by now
                self._flow.answer(event_id)
            else:
                self._send(frame(TEXT, json.dumps(self._message(event)).encode()))

    def _type_of(self, event_id: str) -> str:
        return str((self._account.store.get("event", event_id) or {}).get("type"))

    def _message(self, event: Json) -> Json:
        body = json.dumps(event)
        return {
            "type": "webhook_event",
            "endpoint": {"api_version": None},
            "event_payload": body,
            "http_headers": delivery_headers(body.encode(), [self._listener["secret"]]),
            "webhook_conversation_id": CONVERSATION + event["id"],
            "webhook_id": f"we_{self._listener['id']}",
        }

    def _see_exchange(self, exchange: Exchange) -> None:
        text = log_message(self._account, exchange, self._listener)
        if text is not None:
            self._logs.append(text)
            self._account.listeners.wake()

    def _send(self, data: bytes) -> None:
        with self._sending:
            self._socket.sendall(data)

    def _close(self, code: int, reason: str) -> None:
        """Say why and stop reading. The client's own close frame is not waited for."""
        with contextlib.suppress(OSError):
            self._send(close_frame(code, reason))
        self._closed.set()
        # Only the sending side: closing both would destroy a close frame that the client has not read yet.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def _drain(self) -> None:
        """Read what the client is still sending: closing before that would destroy the close frame on its way."""
        deadline = time.monotonic() + 1.0
        self._socket.settimeout(0.5)
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline and self._socket.recv(65536):
                pass

    def _abort(self) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def _event_of(message: Json, name: str) -> str:
    """The id of the event that a message is about.

    The Stripe CLI sends it as `name`. @stripe/sync-engine puts the webhook's id there, but returns the conversation.
    """
    conversation = message.get("webhook_conversation_id")
    if isinstance(conversation, str) and conversation.startswith(CONVERSATION):
        return conversation.removeprefix(CONVERSATION)
    return str(message.get(name))
