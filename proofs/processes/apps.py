"""How does a real process die where a test says? By SIGKILL, at the fault point that a file is named after."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

from django.apps import AppConfig

from config import fault_points

LEASE = timedelta(seconds=4)  # By the database's clock, as the real one of a minute.


class Mortal(AppConfig):
    name = "proofs.processes"

    def ready(self) -> None:
        from inventory import claims, inbox

        claims.LEASE = inbox.LEASE = LEASE
        fault_points.visit = _die_if_asked


def _die_if_asked(point: str) -> None:
    """Several processes may come by; the one that can take the file away is the one that dies."""
    try:
        (Path(os.environ["DIE_HERE"]) / point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
