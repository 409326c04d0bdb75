"""Panels of the admin for a stopped worker and for deliveries that do not arrive."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from inventory import deliveries, heartbeat
from inventory.models import Issue

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


def deliveries_panel(request: HttpRequest) -> Panel | None:
    kind, subject = deliveries.ISSUE
    issue = Issue.objects.filter(closed_at=None, kind=kind, subject=subject).first()
    if issue is None:
        return None
    return {
        "level": "error",
        "title": _("Stripe’s deliveries do not arrive"),
        "text": issue.text,
        "url": reverse("admin:inventory_issue_change", args=[issue.pk]),
    }
