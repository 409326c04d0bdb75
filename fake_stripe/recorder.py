"""Record exchanges and events as JSON lines in a file, to be checked by another process."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fake_stripe.api import Exchange
from fake_stripe.fake import FakeStripe

BYTES = ("query", "form")


class Recorder:
    """Appends one line for each exchange and event of a fake, flushed at once."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115
        self._lock = threading.Lock()

    def watch(self, fake: FakeStripe) -> None:
        """Record everything this fake does from now on."""
        fake.observers.append(self.see_exchange)
        fake.event_observers.append(self.see_event)

    def see_exchange(self, exchange: Exchange) -> None:
        content = vars(exchange)  # asdict would copy the whole answer.
        self._write({"exchange": content | {name: content[name].decode("latin-1") for name in BYTES}})

    def see_event(self, event: dict[str, Any]) -> None:
        self._write({"event": event})

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


class Reader:
    """Reads a Recorder's file incrementally."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._read = 0

    def new(self) -> Iterator[Exchange | dict[str, Any]]:
        """What was added since the last call: an Exchange for an exchange, a dict for an event."""
        with self._path.open("rb") as lines:
            lines.seek(self._read)
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # an incomplete line: its writer is still writing, or was killed
                self._read += len(line)
                yield _parse(line)


def read(path: str) -> Iterator[Exchange | dict[str, Any]]:
    """Everything in a Recorder's file."""
    return Reader(path).new()


def _parse(line: bytes) -> Exchange | dict[str, Any]:
    content: dict[str, Any] = json.loads(line)
    if "event" in content:
        event: dict[str, Any] = content["event"]
        return event
    given = content["exchange"]
    return Exchange(**given | {name: given[name].encode("latin-1") for name in BYTES})
