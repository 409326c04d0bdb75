"""Start several programs, watch them, and stop them together."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

# Each program gets its own process group, so that Ctrl-C reaches only us and we stop the others in order. It stays in
# our session: Linux may divide the processor equally between sessions, however many programs each has.
ALONE: dict[str, Any] = {"process_group": 0}
if sys.platform == "win32":
    ALONE = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


class Programs:
    """Child processes that are stopped together when the `with` block is left."""

    def __init__(self, *, grace: float = 10) -> None:
        """`grace`: seconds between SIGTERM and SIGKILL."""
        self.grace = grace
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Programs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path,
        log: Path | None = None,
        leashed: bool = False,
    ) -> None:
        """`log`: file for the output; without it, output goes to our own.

        `leashed`: the command starts with script.parent_watch, so the program also stops if we are killed.
        """
        output: IO[bytes] | None = log.open("ab") if log else None
        self.running[name] = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE if leashed else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **ALONE,
        )
        if output:
            output.close()

    def ended(self) -> str:
        """The name of a program that has exited, or ""."""
        return next((name for name, program in self.running.items() if program.poll() is not None), "")

    def wait_for_one_to_end(self) -> str:
        while not (name := self.ended()):
            time.sleep(0.2)
        return name

    def stop(self) -> None:
        """Terminate in reverse order of starting; kill what is still running after `grace` seconds."""
        stopping = list(reversed(self.running.values()))
        for program in stopping:
            program.terminate()
        deadline = time.monotonic() + self.grace
        for program in stopping:
            try:
                program.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
            if program.stdin:
                program.stdin.close()
        self.running.clear()


def end_on_signals() -> None:
    """Make SIGTERM and a closed terminal raise KeyboardInterrupt, so that `with` blocks are left."""

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), leave)


def python(*arguments: str) -> list[str]:
    """A command for the running interpreter, with unbuffered output."""
    return [sys.executable, "-u", *arguments]
