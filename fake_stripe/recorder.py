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


def read(path: str) -> Iterator[Exchange | dict[str, Any]]:
    """What a Recorder wrote: an Exchange for an exchange, a dict for an event, in the order of writing."""
    with Path(path).open(encoding="utf-8") as lines:
        for line in lines:
            content = json.loads(line)
            if "event" in content:
                yield content["event"]
            else:
                given = content["exchange"]
                yield Exchange(**given | {name: given[name].encode("latin-1") for name in BYTES})
