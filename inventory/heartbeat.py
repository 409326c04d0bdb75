"""Heartbeats of workers: each worker writes its own, and the admin and the webhook warn when none is recent."""

from __future__ import annotations

import logging
import os
import socket
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory.models import Heartbeat

logger = logging.getLogger(__name__)

INTERVAL = 10.0  # seconds between two beats
TIMEOUT = timedelta(minutes=1)  # without a beat until a worker counts as stopped
RETENTION = timedelta(days=1)
# Tolerance for the clocks of other hosts. Later beats are ignored: the clock has been set back since.
CLOCK_SKEW = timedelta(minutes=1)


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def beat(now: datetime) -> int:
    record(worker_name(), now, timeout=TIMEOUT)
    # Those too old to matter, and those from before a clock was set back.
    Heartbeat.objects.filter(Q(beat_at__lt=now - RETENTION) | Q(beat_at__gt=now + RETENTION)).delete()
    return 0


def record(name: str, now: datetime, *, timeout: timedelta) -> None:
    """`timeout`: time without a beat before this worker counts as stopped."""
    Heartbeat.objects.update_or_create(
        name=name, defaults={"beat_at": now, "timeout": int(timeout.total_seconds())}
    )


def worker_silence(now: datetime) -> timedelta | None:
    """Time since the last heartbeat; None while a worker runs, timedelta.max if none ever did."""
    newest = Heartbeat.objects.filter(beat_at__lte=now + CLOCK_SKEW).order_by("-beat_at").first()
    if newest is None:
        return timedelta.max
    silence = now - newest.beat_at
    return silence if silence > timedelta(seconds=newest.timeout) else None


def describe(silence: timedelta) -> str:
    if silence == timedelta.max:
        return _("none has ever run")
    seconds = int(silence.total_seconds())
    return ngettext("last seen %(n)d second ago", "last seen %(n)d seconds ago", seconds) % {"n": seconds}


def warn_if_no_worker(now: datetime) -> None:
    silence = worker_silence(now)
    if silence is not None:
        logger.error(
            "No worker is running (%s): start “manage.py run_worker” to handle events", describe(silence)
        )
