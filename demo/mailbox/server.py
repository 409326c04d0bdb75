"""A local HTTP server for the mailbox's pages."""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

from demo.background import BackgroundServer
from demo.mailbox.pages import Answer, Links, answer
from demo.mailbox.store import Mails


class PageServer(BackgroundServer):
    """Serves the mailbox's pages."""

    def __init__(self, mails: Mails, links: Links, port: int) -> None:
        self.mails, self.links = mails, links
        super().__init__(port, Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = self._answer()
        self.send_response(said.status)
        for name, value in {
            "Content-Type": said.type,
            "Content-Length": str(len(said.body)),
            "Content-Security-Policy": said.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body)

    do_HEAD = do_GET

    def _answer(self) -> Answer:
        server = cast(PageServer, self.server)
        # A site whose name was made to point to this machine may not read the mails.
        if self.headers.get("Host", "").partition(":")[0] not in {"127.0.0.1", "localhost"}:
            return Answer(b"Open http://127.0.0.1 instead.\n", HTTPStatus.MISDIRECTED_REQUEST, "text/plain")
        given = urlsplit(self.path)
        return answer(server.mails, server.links, unquote(given.path), dict(parse_qsl(given.query)))

    def log_message(self, format: str, *args: object) -> None:
        pass
