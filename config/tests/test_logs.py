"""Log lines: one line a message, with ids, as text or JSON, and few for what repeats."""

from __future__ import annotations

import json
import logging
import time

import pytest

from config import logs
from config.logs import JsonFormatter, LineFormatter, log_context, log_rarely

logger = logging.getLogger("config.tests")


def record(text: str) -> logging.LogRecord:
    return logger.makeRecord("shop", logging.INFO, "", 0, "Counted: %s", (text,), None)


def test_a_name_with_a_line_break_or_an_escape_sequence_stays_one_harmless_line() -> None:
    line = LineFormatter().format(record("Shirt\n2026-01-01 ERROR all is lost \x1b[2J"))

    assert len(line.splitlines()) == 1
    assert r"Shirt\n2026" in line and "\x1b" not in line


def test_ids_of_what_is_handled_are_in_text_and_json() -> None:
    with log_context(event="evt_1"), log_context(product="prod_1", order=""):
        line, fields = LineFormatter().format(record("x")), json.loads(JsonFormatter().format(record("x")))

    assert line.endswith("Counted: x event=evt_1 product=prod_1")
    assert (fields["event"], fields["product"], fields["message"]) == ("evt_1", "prod_1", "Counted: x")
    assert "order" not in fields
    assert "event" not in LineFormatter().format(record("x"))


def test_what_repeats_is_counted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(logs, "_repeated", {})
    for number in range(200):
        log_rarely(logger, logging.WARNING, f"Rejected {number}", key="rejected")
    now += 61

    log_rarely(logger, logging.WARNING, "Rejected again", key="rejected")

    assert caplog.messages == ["Rejected 0", "Rejected again (199 more since the last such line)"]
