"""App that kills its process by SIGKILL at a fault point if a file in DIE_HERE has the fault point's name."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

from django.apps import AppConfig

from config import fault_points

LEASE = timedelta(seconds=4)  # By the database's clock, like the real lease of a minute.


class Mortal(AppConfig):
    name = "proofs.processes"

    def ready(self) -> None:
        from inventory import leases
        from inventory.events import inbox

        leases.LEASE_DURATION = inbox.LEASE = LEASE
        fault_points.visit = _die_if_asked


def _die_if_asked(point: str) -> None:
    # Several processes may pass the fault point; only the one that deletes the file is killed.
    try:
        (Path(os.environ["DIE_HERE"]) / point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
