"""A thread of each web process that watches the worker, and mails the owner when none runs.

The worker sends all other mails. Any number of web processes may watch: the issue is opened once, and a lease keeps two
of them from sending one mail.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone

from inventory.setup import alarms

logger = logging.getLogger(__name__)

INTERVAL = 60.0  # seconds between two checks


def start() -> threading.Thread:
    thread = threading.Thread(target=_watch, name="worker watch", daemon=True)
    thread.start()
    return thread


def _watch() -> None:
    began = time.monotonic()
    while True:
        time.sleep(INTERVAL)
        close_old_connections()
        check(timedelta(seconds=time.monotonic() - began))
        connections.close_all()


def check(watching_for: timedelta) -> None:
    """Check once. A database that does not answer is not the worker's fault, and has its own line in the log."""
    try:
        alarms.check_worker(timezone.now(), watching_for=watching_for)
    except DatabaseError as exc:
        logger.warning("The worker cannot be watched: %s", " ".join(str(exc).split()))
    except Exception:
        logger.exception("The worker cannot be watched")
