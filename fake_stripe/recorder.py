"""What did another process say and hear? Exchanges and events as lines of JSON in a file, to be checked later."""

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fake_stripe.api import Exchange
from fake_stripe.fake import FakeStripe

BYTES = ("query", "form")


class Recorder:
    """Appends a line for each exchange and each event of a fake, at once and whole."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115
        self._lock = threading.Lock()

    def watch(self, fake: FakeStripe) -> None:
        """From now on everything of this fake is written down."""
        fake.observers.append(self.see_exchange)
        fake.event_observers.append(self.see_event)

    def see_exchange(self, exchange: Exchange) -> None:
        content = asdict(exchange)
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
    """Reads what a Recorder wrote, and may be asked again for what was added meanwhile."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._read = 0

    def new(self) -> Iterator[Exchange | dict[str, Any]]:
        """An Exchange for an exchange, a dict for an event, in the order of writing."""
        with self._path.open("rb") as lines:
            lines.seek(self._read)
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # Its writer is at it, or died over it.
                self._read += len(line)
                yield _told(line)


def read(path: str) -> Iterator[Exchange | dict[str, Any]]:
    """Everything that a Recorder wrote."""
    return Reader(path).new()


def _told(line: bytes) -> Exchange | dict[str, Any]:
    content: dict[str, Any] = json.loads(line)
    if "event" in content:
        event: dict[str, Any] = content["event"]
        return event
    given = content["exchange"]
    return Exchange(**given | {name: given[name].encode("latin-1") for name in BYTES})
