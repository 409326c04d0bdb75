"""How do several programs run as one? They are started here, watched together, and ended by their own pids."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

# A process group of its own for each: Ctrl-C reaches us alone, and we end the others in order. The session stays ours,
# for Linux may give each session an equal share of the processor, however many programs are in it.
ALONE: dict[str, Any] = {"process_group": 0}
if sys.platform == "win32":
    ALONE = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


class Programs:
    """Child processes that end together, when the `with` block is left or when one of them ends by itself."""

    def __init__(self, *, grace: float = 10) -> None:
        """`grace`: seconds in which a program may finish what it is doing before it is killed."""
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
        """`log`: the file its output goes to; without one it goes where ours goes.

        `leashed`: the command has script.leash before it, and ends also if we are killed.
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
        """The name of a program that has ended by itself, or nothing."""
        return next((name for name, program in self.running.items() if program.poll() is not None), "")

    def wait_for_one_to_end(self) -> str:
        while not (name := self.ended()):
            time.sleep(0.2)
        return name

    def stop(self) -> None:
        """Ask the last one started first; kill what has not ended after the grace."""
        asked = list(reversed(self.running.values()))
        for program in asked:
            program.terminate()
        deadline = time.monotonic() + self.grace
        for program in asked:
            try:
                program.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
            if program.stdin:
                program.stdin.close()
        self.running.clear()


def end_on_signals() -> None:
    """Let SIGTERM and a closed terminal leave `with` blocks as Ctrl-C does."""

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), leave)


def python(*arguments: str) -> list[str]:
    """A command for the Python that runs us, with its output not kept back."""
    return [sys.executable, "-u", *arguments]
