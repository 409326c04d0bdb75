"""Drive Firefox by its own remote protocol, since Playwright drives only a Firefox of its own.

https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

WAIT = 20.0  # seconds for an element or an address
START_TIMEOUT = 60.0  # seconds, also on a busy machine


def firefox_path() -> str | None:
    return next(filter(None, map(shutil.which, ["firefox-esr", "firefox"])), None)


class Marionette:
    """A window of Firefox. Methods raise AssertionError with Firefox's message."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._received, self._number = connection, b"", 0
        self._read()  # The greeting.
        self._call("WebDriver:NewSession")

    @classmethod
    @contextmanager
    def start(cls, profile: Path, *, scripts: bool) -> Iterator[Self]:
        """Start Firefox without a window, with an empty `profile` folder, with or without JavaScript."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        preferences = {"marionette.port": port, "javascript.enabled": scripts}
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()
        ]
        (profile / "user.js").write_text("\n".join(lines))
        command = [
            firefox_path() or "firefox",
            "-headless",
            "-marionette",
            "-no-remote",
            "-profile",
            str(profile),
        ]
        firefox = subprocess.Popen(
            command,
            env={**os.environ, "HOME": str(profile)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with _connect(port, firefox) as connection:
                yield cls(connection)
        finally:
            firefox.terminate()
            firefox.wait(20)

    @property
    def url(self) -> str:
        return str(self._call("WebDriver:GetCurrentURL")["value"])

    def open(self, url: str) -> None:
        self._call("WebDriver:Navigate", url=url)

    def back(self) -> None:
        self._call("WebDriver:Back")

    def click(self, selector: str) -> None:
        self._call("WebDriver:ElementClick", id=self.wait_for(selector))

    def wait_for(self, selector: str) -> str:
        """Wait for an element; returns Firefox's id of it."""
        self._call("WebDriver:SetTimeouts", implicit=int(WAIT * 1000))
        element = self._call("WebDriver:FindElement", using="css selector", value=selector)["value"]
        return str(next(iter(element.values())))

    def wait_for_url(self, part: str) -> None:
        deadline = time.monotonic() + WAIT
        while part not in self.url:
            assert time.monotonic() < deadline, f"Firefox stays at {self.url}"
            time.sleep(0.1)

    def _call(self, command: str, **parameters: object) -> Any:
        self._number += 1
        body = json.dumps([0, self._number, command, parameters]).encode()
        self._connection.sendall(b"%d:%s" % (len(body), body))
        _kind, _number, error, result = self._read()
        assert error is None, f"{command}: {error['message']}"
        return result

    def _read(self) -> Any:
        while b":" not in self._received:
            self._receive()
        length, self._received = self._received.split(b":", 1)
        while len(self._received) < int(length):
            self._receive()
        body, self._received = self._received[: int(length)], self._received[int(length) :]
        return json.loads(body)

    def _receive(self) -> None:
        more = self._connection.recv(65536)
        assert more, "Firefox has closed the connection."
        self._received += more


def _connect(port: int, firefox: subprocess.Popen[bytes]) -> socket.socket:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
        except OSError:
            assert firefox.poll() is None and time.monotonic() < deadline, "Firefox does not start."
            time.sleep(0.1)
        else:
            connection.settimeout(START_TIMEOUT)
            return connection
