"""The WSGI application: the API, the pages, and the control endpoints."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from fake_stripe import control
from fake_stripe.api import MAX_BODY_BYTES, Answer, Request
from fake_stripe.backend import Backend
from fake_stripe.pages.routes import ROUTES as PAGES
from fake_stripe.web import PageAnswer, PageRequest, as_json, html

MAX_UPLOAD_BYTES = 100_000_000  # Stripe takes 4 GB; the fake keeps a file in memory.
log = logging.getLogger("fake_stripe")
Page = Callable[[Backend, PageRequest], PageAnswer]
Start = Callable[[str, list[tuple[str, str]]], object]


class App:
    """The WSGI callable. Raises ConnectionCut where a fault cuts the connection."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        table = [*PAGES, *control.ROUTES]
        self._pages = [(method, re.compile(pattern + r"\Z"), page) for method, pattern, page in table]

    def __call__(self, environ: Mapping[str, Any], start_response: Start) -> Iterable[bytes]:
        answer = self.answer(_request(environ))
        status = f"{answer.status} {_phrase(answer.status)}"
        headers = [*answer.headers.items(), ("Content-Length", str(len(answer.body)))]
        start_response(status, headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]

    def answer(self, request: Request) -> Answer:
        if request.path.startswith(("/v1/", "/v2/")) or request.path in ("/v1", "/v2"):
            return self._backend.api.answer(request)
        try:
            page = self._page(request)
        except Exception:
            log.exception("fake_stripe failed on %s %s", request.method, request.path)
            page = _failed(request)
        return Answer(page.status, page.body, page.headers)

    def _page(self, request: Request) -> PageAnswer:
        self._backend.account.tick()
        method = "GET" if request.method == "HEAD" else request.method
        path_exists = False
        for wanted, pattern, page in self._pages:
            match = pattern.match(request.path)
            path_exists = path_exists or bool(match)
            if match and wanted == method:
                return page(self._backend, _page_request(request, method, match))
        if request.path.startswith("/_"):
            return as_json({"error": "No such address."}, 405 if path_exists else 404)
        return html(
            "<!doctype html><title>Page not found</title><p>There is no such page.",
            405 if path_exists else 404,
        )


def _failed(request: Request) -> PageAnswer:
    sentence = "fake_stripe failed. Its log has the traceback."
    if request.path.startswith("/_"):
        return as_json({"error": {"message": sentence}}, 500)
    return html(f"<!doctype html><title>Server error</title><p>{sentence}", 500)


def _page_request(request: Request, method: str, match: re.Match[str]) -> PageRequest:
    query = parse_qs(request.query.decode("utf-8", "replace"), keep_blank_values=True)
    return PageRequest(method, request.path, query, request.body, match.groupdict(), dict(request.headers))


def _request(environ: Mapping[str, Any]) -> Request:
    path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    length = _length(environ.get("CONTENT_LENGTH"))
    most = MAX_UPLOAD_BYTES if path.startswith("/uploads/") else MAX_BODY_BYTES
    body = environ["wsgi.input"].read(min(length, most + 1)) if length else b""
    query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
    return Request(environ["REQUEST_METHOD"].upper(), path, query, body, headers, length)


def _length(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
