"""What does the demo keep from one start to the next? A folder with its ports, its secrets and two databases."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

USUAL_PORTS = {"shop": 8000, "stripe": 8001, "images": 8002}
ANY_PORTS = dict.fromkeys(USUAL_PORTS, 0)


@dataclass(frozen=True)
class Kept:
    """Ports on this machine (of "shop", "stripe" and "images"), and secrets that no other machine knows."""

    ports: dict[str, int]
    django_secret: str
    stripe_key: str
    webhook_secret: str
    owner_password: str


class Unreadable(Exception):
    """What was kept cannot be read any more."""


def open_folder(folder: Path, *, fresh: bool = False, ports: dict[str, int] = USUAL_PORTS) -> Kept:
    """What was kept in `folder`, or a new beginning; a port that somebody else has taken since is replaced.

    Another port is kept only by `keep`, once everything has started on it.
    `fresh`: forget what was kept. `ports`: to begin with, where they are free; 0 is any.
    """
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "demo.json"
    if not file.exists():
        keep(folder, new(ports))
    kept = read(file)
    return replace(kept, ports=free_ports(kept.ports))


def keep(folder: Path, kept: Kept) -> None:
    file = folder / "demo.json"
    file.touch(mode=0o600)  # Only its owner may read the passwords in it.
    file.write_text(json.dumps(asdict(kept), indent=2))


def read(file: Path) -> Kept:
    try:
        return Kept(**json.loads(file.read_text()))
    except (ValueError, TypeError):
        raise Unreadable(f"{file} cannot be read any more; script/demo --fresh begins anew.") from None


def new(ports: dict[str, int]) -> Kept:
    return Kept(
        ports=ports,
        django_secret=secrets.token_urlsafe(50),
        stripe_key=f"sk_test_{secrets.token_hex(16)}",
        webhook_secret=f"whsec_{secrets.token_hex(16)}",
        owner_password=secrets.token_urlsafe(9),
    )


def free_ports(wanted: dict[str, int]) -> dict[str, int]:
    """The same, with others where these are taken. All are held until all are known, so that none comes twice."""
    with ExitStack() as held:
        return {name: held.enter_context(bound(port)).getsockname()[1] for name, port in wanted.items()}


def bound(port: int) -> socket.socket:
    """A socket on that port of this machine, or on any other if somebody has it."""
    one = socket.socket()
    if os.name == "posix":
        # A port whose last connections are still dying away is free all the same.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        one.bind(("127.0.0.1", 0))
    return one


class AlreadyRunning(Exception):
    """Another demo uses this folder."""


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Keep other demos out of the folder; the system takes the lock back however this process ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        try:
            _lock(file.fileno())
        except OSError:
            raise AlreadyRunning(f"A demo is running already with the data in {folder}.") from None
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
