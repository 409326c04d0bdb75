"""Panel of the admin for a stopped worker."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from inventory import heartbeat

Panel = dict[str, str]


def worker_panel(request: HttpRequest) -> Panel | None:
    silence = heartbeat.worker_silence(timezone.now())
    if silence is None:
        return None
    text = _("Paid orders and stock edits are not processed until “manage.py run_worker” runs (%(since)s).")
    return {
        "level": "error",
        "title": _("No worker is running"),
        "text": text % {"since": heartbeat.describe(silence)},
        "url": "",
    }
