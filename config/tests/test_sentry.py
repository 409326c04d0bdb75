"""Errors reach Sentry with the ids of the log and without personal data. The SDK posts to a server of the test."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import brotli
import pytest

from config.tests.settings_run import COMPLETE, KEPT, ROOT

UNPACK = {"gzip": gzip.decompress, "br": brotli.decompress}
LINK = "EVK0jZKJSuWY_4nkHov4KA.1xXHhK.IRIl4qw5HYJ89k6lZ_TqNRVIC0eBaDwN-dGWIT8q5BE"
FAIL_TWICE = f"""
import logging
from wsgiref.util import setup_testing_defaults

from django.conf import settings

settings.STORAGES["staticfiles"] = {{"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
from config.wsgi import application
from config.logs import log_context
import sentry_sdk

request = dict(HTTP_HOST="testserver", PATH_INFO="/order/{LINK}/", QUERY_STRING="email=ada@example.com")
request |= dict(HTTP_COOKIE="sessionid=the-session", HTTP_USER_AGENT="Mail of ada@example.com")
setup_testing_defaults(request)
application(request, lambda status, headers: None)  # The database has no tables.
with log_context(order="42", client="203.0.113.9"):
    try:
        address = "ada@example.com"
        raise ValueError("duplicate key\\nDETAIL:  Failing row contains (42, ada@example.com).")
    except ValueError as exc:
        logging.getLogger("checkout").exception("Not stored: %s", exc)
sentry_sdk.flush(10)
"""


@pytest.fixture
def received() -> Iterator[list[bytes]]:
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(UNPACK[self.headers["Content-Encoding"]](body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    bodies.append(f"http://key@127.0.0.1:{server.server_port}/1".encode())
    yield bodies
    server.shutdown()
    server.server_close()


def test_errors_are_reported_with_ids_and_without_personal_data(received: list[bytes]) -> None:
    dsn = received.pop().decode()
    environment = {**KEPT, **COMPLETE, "DATABASE_URL": "sqlite:///:memory:", "SENTRY_DSN": dsn}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ALLOWED_HOSTS": "testserver",
        "DEBUG": "False",
    }
    command = [sys.executable, "-c", FAIL_TWICE]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr

    events = [event for body in received for event in events_in(body)]
    of_request, of_log = sorted(events, key=lambda event: "order" in event["tags"])

    assert of_request["request"] == {"method": "GET", "url": "http://testserver/order/(signed)/"}
    assert of_request["exception"]["values"][-1]["type"] == "OperationalError"
    assert "request" in of_request["tags"]
    assert of_log["logentry"] == {"message": "Not stored: duplicate key"}
    assert of_log["exception"]["values"][-1]["value"] == "duplicate key"
    assert of_log["tags"]["order"] == "42"
    sent = json.dumps(events)
    for personal in ("ada@example.com", "203.0.113.9", "the-session", LINK):
        assert personal not in sent


def events_in(envelope: bytes) -> list[dict[str, Any]]:
    """The events of one envelope: a header line, then for each item a header line and its payload."""
    lines = envelope.split(b"\n")[1:]
    pairs = zip(lines[::2], lines[1::2], strict=False)
    return [json.loads(payload) for header, payload in pairs if json.loads(header)["type"] == "event"]
