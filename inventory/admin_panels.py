"""Panels of the admin for a stopped worker and for deliveries that do not arrive."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from config.dates import format_local
from inventory import deliveries, heartbeat
from inventory.models import Issue, MailLock

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


def mail_panel(request: HttpRequest) -> Panel | None:
    failing = MailLock.objects.exclude(failing_since=None).first() if settings.OWNER_EMAILS else None
    if failing is None or failing.failing_since is None:
        return None
    text = _(
        "Since %(since)s: %(error)s. Check EMAIL_URL and OWNER_EMAIL; “manage.py doctor --send-mail” tries them."
    )
    return {
        "level": "error",
        "title": _("Mails to you cannot be sent"),
        "text": text % {"since": format_local(failing.failing_since), "error": failing.error},
        "url": "",
    }
