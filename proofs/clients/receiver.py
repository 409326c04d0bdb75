"""A webhook endpoint on a port that verifies signatures with Stripe's library."""

import http.server
import threading
from typing import Any

import stripe

from proofs.clients.stripe_cli import TIMEOUT


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that were killed."""


class Receiver:
    """Keeps every event in the order of arrival, and the deliveries whose signature is wrong.

    secret: the signing secret, which can be set later.
    """

    def __init__(self, status: int = 200) -> None:
        self.status, self.secret = status, ""
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.refused: list[str] = []
        self.news = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.receive(
                    self.rfile.read(int(self.headers["Content-Length"])), dict(self.headers.items())
                )
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def receive(self, body: bytes, headers: dict[str, str]) -> None:
        with self.news:
            try:
                event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], self.secret)
                self.events.append(event.to_dict())
                self.headers.append(headers)
            except (stripe.SignatureVerificationError, KeyError) as error:
                self.refused.append(str(error))
            self.news.notify_all()

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    def wait_for(self, type: str, timeout: float = TIMEOUT) -> dict[str, Any]:
        """The first event of this type."""
        if not self.wait_until(lambda: type in self.types, timeout):
            raise AssertionError(f"no {type}, but {self.types}; refused: {self.refused}")
        return next(event for event in self.events if event["type"] == type)

    def wait_until(self, condition: Any, timeout: float = TIMEOUT) -> bool:
        with self.news:
            return bool(self.news.wait_for(condition, timeout))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
