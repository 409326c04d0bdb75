"""A local HTTP server that draws the demo's images on request."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from demo.background import BackgroundServer
from demo.drawings import detail, picture


class Images(BackgroundServer):
    """Serves /<garment>/<print>/<color>.svg and /detail/<print>/<color>.svg."""

    def __init__(self, port: int) -> None:
        super().__init__(port, Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        drawn = draw(unquote(urlsplit(self.path).path))
        self.send_response(200 if drawn else 404)
        self.send_header("Content-Type", "image/svg+xml")
        self.send_header("Content-Length", str(len(drawn)))
        self.send_header("Cache-Control", "max-age=3600")
        # An SVG opened as a page of its own may not load or run anything.
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(drawn)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass  # Requests for images are not worth a log line.


def draw(path: str) -> bytes:
    """The SVG for a path, or b"" if the path is unknown."""
    parts = path.removeprefix("/").removesuffix(".svg").split("/")
    try:
        match parts:
            case ["detail", print_name, color]:
                return detail(print_name, color).encode()
            case [garment, print_name, color]:
                return picture(garment, print_name, color).encode()
    except KeyError:
        pass
    return b""
