"""A threaded HTTP/1.1 server around the WSGI application."""

import json
import re
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from fake_stripe import routes, websocket
from fake_stripe.api import MAX_BODY_BYTES, Answer, ConnectionCut, Request
from fake_stripe.cli_socket import SUBPROTOCOL, Connection
from fake_stripe.errors import StripeError
from fake_stripe.fake import FakeStripe
from fake_stripe.resources import cli_calls
from fake_stripe.resources.cli_calls import PATH

CONNECTION_TIMEOUT = 75.0
SERVER = re.compile(r"https?://[^/?]*", re.IGNORECASE)


class Server(ThreadingHTTPServer):
    """Serves one FakeStripe and sets its base_url. Port 0 takes a free port."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, fake: FakeStripe, host: str = "127.0.0.1", port: int = 0) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), Handler)
        self.fake = fake
        shown = f"[{host}]" if ":" in host else host
        fake.account.has_websocket = True
        fake.base_url = f"http://{shown}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One keep-alive connection."""

    protocol_version = "HTTP/1.1"
    server_version = "fake_stripe"
    sys_version = ""
    timeout = CONNECTION_TIMEOUT
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        request = self._read()
        if request is None:
            return
        if request.path == PATH:
            self._open_websocket(request)
            return
        try:
            answer = cast(Server, self.server).fake.wsgi_app.answer(request)
        except ConnectionCut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer)

    def _open_websocket(self, request: Request) -> None:
        """Answer the handshake of the Stripe CLI and serve its websocket until that ends."""
        fake = cast(Server, self.server).fake
        try:
            if request.method != "GET":
                raise websocket.HandshakeRefused("This address answers websocket requests only.", 426)
            listener = cli_calls.listener_of(fake.account, request.headers)
            headers = websocket.accept(request.headers, SUBPROTOCOL)
        except websocket.HandshakeRefused as refused:
            self.close_connection = True
            body = json.dumps(
                {"error": {"message": refused.message, "type": "invalid_request_error"}}
            ).encode()
            extra = {"Sec-WebSocket-Version": "13"} if refused.status == 426 else {}
            self._send(Answer(refused.status, body, {"Content-Type": "application/json", **extra}))
            return
        self.close_connection = True
        # Connected before the answer, so that an event which follows it is not missed.
        connection = Connection(fake.account, fake.api, listener, self.connection, self.rfile)
        connection.run(lambda: self._switch_protocols(headers))

    def _switch_protocols(self, headers: dict[str, str]) -> None:
        self.send_response(101)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _read(self) -> Request | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (
            length.isascii() and length.isdigit() and len(length) < 12
        ):
            self.close_connection = True
            self.send_error(411, "Content-Length is required: chunked bodies are not supported.")
            return None
        body = self.rfile.read(min(int(length), MAX_BODY_BYTES + 1))
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True
        # Clients behind a proxy send the absolute form: "GET http://127.0.0.1:12111/v1/products".
        path, _, query = SERVER.sub("", self.path, count=1).partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(
            self.command,
            routes.decoded(path or "/"),
            query.encode("latin-1", "replace"),
            body,
            headers,
            int(length),
        )

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer malformed HTTP with the API's error object and close the connection."""
        self.close_connection = True
        # For a malformed request line http.server would answer in HTTP/0.9, which has no headers.
        self.request_version = self.protocol_version
        sentence = ": ".join(part for part in (message, explain) if part) or HTTPStatus(code).phrase
        error = StripeError(sentence, status=code)
        request_id = cast(Server, self.server).fake.account.ids.new("request")
        headers = {"Content-Type": "application/json", "Request-Id": request_id}
        self._send(Answer(code, json.dumps(error.body(request_id)).encode(), headers))

    def _send(self, answer: Answer) -> None:
        if "Date" in answer.headers:
            self.send_response_only(answer.status)
        else:
            self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def __getattr__(self, name: str) -> Any:
        # http.server calls do_<METHOD>. The application decides which methods exist.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: /_calls lists the calls."""
