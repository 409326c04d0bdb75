"""Panels of the admin for a stopped worker and for deliveries that do not arrive."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db.models import Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from config.dates import format_local
from inventory import deliveries, heartbeat
from inventory.models import Issue, MailLock

Panel = dict[str, str]
DELIVERIES, MAIL = "deliveries", "mail"


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
    alarm = _alarms(request).get(DELIVERIES)
    if alarm is None:
        return None
    return {
        "level": "error",
        "title": _("Stripe’s deliveries do not arrive"),
        "text": alarm.text,
        "url": reverse("admin:inventory_issue_change", args=[alarm.pk]),
    }


def mail_panel(request: HttpRequest) -> Panel | None:
    alarm = _alarms(request).get(MAIL) if settings.OWNER_EMAILS else None
    if alarm is None:
        return None
    text = _(
        "Since %(since)s: %(error)s. Check EMAIL_URL and OWNER_EMAIL; “manage.py doctor --send-mail” tries them."
    )
    return {
        "level": "error",
        "title": _("Mails to you cannot be sent"),
        "text": text % {"since": format_local(alarm.since), "error": alarm.text},
        "url": "",
    }


class _Alarm(NamedTuple):
    panel: str
    pk: int
    since: datetime
    text: str


def _alarms(request: HttpRequest) -> dict[str, _Alarm]:
    # By panel. One query for both, because every page of the admin makes it.
    if not hasattr(request, "_alarms"):
        kind, subject = deliveries.ISSUE
        issues = Issue.objects.filter(closed_at=None, kind=kind, subject=subject).order_by()
        mail = MailLock.objects.filter(failing_since__isnull=False)
        rows = issues.values_list(Value(DELIVERIES), "pk", "opened_at", "text").union(
            mail.values_list(Value(MAIL), "pk", "failing_since", "error"), all=True
        )
        request._alarms = {row[0]: _Alarm(*row) for row in rows}  # type: ignore[attr-defined]
    return request._alarms  # type: ignore[attr-defined,no-any-return]
