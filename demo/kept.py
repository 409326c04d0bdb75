"""The demo's folder, which keeps its ports, secrets and two databases between runs."""

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

USUAL_PORTS = {"shop": 8000, "stripe": 8001, "images": 8002, "mailbox": 8003, "smtp": 8004}
ANY_PORTS = dict.fromkeys(USUAL_PORTS, 0)


@dataclass(frozen=True)
class Kept:
    """The ports of the names in USUAL_PORTS, and the secrets generated for this folder."""

    ports: dict[str, int]
    django_secret: str
    stripe_key: str
    webhook_secret: str
    owner_password: str


class Unreadable(Exception):
    """The demo's file of ports and secrets is damaged."""


def open_folder(folder: Path, *, fresh: bool = False, ports: dict[str, int] = USUAL_PORTS) -> Kept:
    """Read the ports and secrets in `folder`, or create them; ports that are in use now are replaced.

    A replacement is only saved by `keep`, once everything has started on it.
    `fresh`: delete the folder first. `ports`: preferred ports of a new folder; 0 is any free port.
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
    file.touch(mode=0o600)  # Only the owner may read the secrets.
    file.write_text(json.dumps(asdict(kept), indent=2))


def read(file: Path) -> Kept:
    try:
        kept = Kept(**json.loads(file.read_text()))
        # A demo of an older version had fewer ports.
        return replace(kept, ports={**USUAL_PORTS, **kept.ports})
    except (ValueError, TypeError):
        raise Unreadable(f"{file} is damaged. Run script/demo --fresh to start over.") from None


def new(ports: dict[str, int]) -> Kept:
    return Kept(
        ports=ports,
        django_secret=secrets.token_urlsafe(50),
        stripe_key=f"sk_test_{secrets.token_hex(16)}",
        webhook_secret=f"whsec_{secrets.token_hex(16)}",
        owner_password=secrets.token_urlsafe(9),
    )


def free_ports(wanted: dict[str, int]) -> dict[str, int]:
    """`wanted`, with free ports in place of used ones. All stay bound until the end, so that no port is given twice."""
    with ExitStack() as held:
        return {name: held.enter_context(bound(port)).getsockname()[1] for name, port in wanted.items()}


def bound(port: int) -> socket.socket:
    """A socket bound to `port`, or to any free port if that is in use."""
    bound_socket = socket.socket()
    if os.name == "posix":
        # A port with old connections in TIME_WAIT counts as free.
        bound_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound_socket.bind(("127.0.0.1", port))
    except OSError:
        bound_socket.bind(("127.0.0.1", 0))
    return bound_socket


class AlreadyRunning(Exception):
    """Another demo uses this folder."""


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Lock the folder against other demos; the system releases the lock however this process ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        try:
            _lock(file.fileno())
        except OSError:
            raise AlreadyRunning(f"Another demo is already running with the data in {folder}.") from None
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
