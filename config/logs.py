"""Log lines: one line per message, with the ids of what was being handled, as text or as JSON."""

from __future__ import annotations

import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse

from config.client_address import client_address

PERIOD = 60.0  # seconds between two lines of log_rarely

# A link that is signed (django.core.signing) opens a page to everyone who reads the log.
SIGNED = re.compile(r"[\w-]+[.:][\w-]{6}[.:][\w-]{43}\b")

_context: ContextVar[dict[str, str]] = ContextVar("log_context", default={})  # noqa: B039 -- never changed in place
_repeated: dict[str, tuple[float, int]] = {}  # key to the time of its last line, and how often it came since
_lock = threading.Lock()


@contextmanager
def log_context(**ids: str) -> Iterator[None]:
    """Add ids, such as event="evt_1", to each log line of the block."""
    token = _context.set({**_context.get(), **ids})
    try:
        yield
    finally:
        _context.reset(token)


def request_context(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        with log_context(request=secrets.token_hex(6), client=client_address(request)):
            return get_response(request)

    return middleware


class LineFormatter(logging.Formatter):
    """Text. Names come from Stripe: a line break or an escape sequence in one must not make a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        ids = "".join(f" {name}={value}" for name, value in _context.get().items() if value)
        text = "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode()
            for letter in record.getMessage()
        )
        line = f"{self.formatTime(record)} {record.levelname} {record.name} {without_links(text)}{ids}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_links(record.getMessage()),
            **{name: value for name, value in _context.get().items() if value},
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def current_context() -> dict[str, str]:
    return _context.get()


def log_rarely(logger: logging.Logger, level: int, text: str, *, key: str) -> None:
    """Log `text` at once; what repeats its `key` is counted and told with the next line, a minute later at the earliest."""
    with _lock:
        now = time.monotonic()
        last, repeated = _repeated.get(key, (float("-inf"), 0))
        if now - last < PERIOD:
            _repeated[key] = (last, repeated + 1)
            return
        if len(_repeated) > 1000:
            _repeated.clear()
        _repeated[key] = (now, 0)
    logger.log(level, "%s%s", text, f" ({repeated} more since the last such line)" if repeated else "")


def without_links(text: str) -> str:
    return SIGNED.sub("(signed)", text)
