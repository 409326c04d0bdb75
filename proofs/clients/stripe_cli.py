"""Run the real Stripe CLI against a fake on a port."""

import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Only a failure takes so long, also on a busy machine.
TIMEOUT = 90.0


class StripeCli:
    """The CLI's binary with a home folder of its own, one key and one address."""

    def __init__(self, binary: Path, home: Path, address: str, key: str = "sk_test_fake") -> None:
        self.binary, self.address = binary, address
        self.env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "STRIPE_API_KEY": key,
            "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
            "NO_COLOR": "1",
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(self.binary), *arguments, "--api-base", self.address]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        command = self.command(*arguments)
        return subprocess.run(  # noqa: S603
            command, env=self.env, capture_output=True, text=True, timeout=TIMEOUT
        )

    def output(self, *arguments: str) -> str:
        """The standard output of a command that must succeed."""
        done = self.run(*arguments)
        if done.returncode:
            raise AssertionError(f"{arguments}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def started(self, *arguments: str) -> Iterator["Running"]:
        """Run a command in the background until the block ends."""
        running = Running(self.command(*arguments), self.env)
        try:
            yield running
        finally:
            running.kill()

    @contextmanager
    def listening(self, *arguments: str) -> Iterator["Running"]:
        """`stripe listen` or `stripe logs tail`, ready."""
        with self.started(*arguments) as running:
            running.wait_for("Ready!")
            yield running


class Running:
    """A process in the background, with the lines that it has printed."""

    def __init__(self, command: list[str], env: dict[str, str], folder: Path | None = None) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._new.put(line.rstrip())
        self._new.put(None)

    def wait_for(self, words: str, timeout: float = TIMEOUT) -> str:
        """The next line that contains `words`. Raises AssertionError if the process ends or is too slow."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._new.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                break
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError(f"{words!r} was not printed; printed was {self.lines[-20:]}")

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        self.process.kill()
        self.process.wait()
