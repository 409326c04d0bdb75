"""Where do the demo's pictures come from? A small server of their own, on this machine, that draws what is asked for."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from demo.drawings import detail, picture


class Images(ThreadingHTTPServer):
    """/<garment>/<print>/<colour>.svg and /detail/<print>/<colour>.svg, from a thread of this process."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True, name="images").start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        drawn = draw(unquote(urlsplit(self.path).path))
        self.send_response(200 if drawn else 404)
        self.send_header("Content-Type", "image/svg+xml")
        self.send_header("Content-Length", str(len(drawn)))
        self.send_header("Cache-Control", "max-age=3600")
        # A page of another origin may show these and do nothing else with them.
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(drawn)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """A picture is not news."""


def draw(path: str) -> bytes:
    """The picture at that path as SVG; nothing where there is none."""
    parts = path.removeprefix("/").removesuffix(".svg").split("/")
    try:
        match parts:
            case ["detail", print_name, colour]:
                return detail(print_name, colour).encode()
            case [garment, print_name, colour]:
                return picture(garment, print_name, colour).encode()
    except KeyError:
        pass
    return b""
