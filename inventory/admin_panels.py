"""Panel of the admin for a stopped worker."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory import deliveries, heartbeat
from inventory.models import DoctorReport, Issue
from inventory.setup.doctor import ERROR, WARNING, Finding

Panel = dict[str, str]
REPORT_VALID = timedelta(hours=3)
# Problems of which the admin shows the present state elsewhere.
SHOWN_ELSEWHERE = {"worker", "issues", "catalog"}


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


def doctor_panel(request: HttpRequest) -> Panel | None:
    """What the last hourly examination found: errors on every page, warnings on the first one."""
    report = DoctorReport.objects.filter(examined_at__gte=timezone.now() - REPORT_VALID).first()
    findings = [Finding(**each) for each in report.findings] if report else []
    shown = {ERROR, WARNING} if request.path == reverse("admin:index") else {ERROR}
    problems = [each for each in findings if each.level in shown and each.check not in SHOWN_ELSEWHERE]
    if not problems:
        return None
    title = ngettext("The doctor found %(n)d problem", "The doctor found %(n)d problems", len(problems))
    return {
        "level": ERROR if any(each.level == ERROR for each in problems) else WARNING,
        "title": title % {"n": len(problems)},
        "text": "\n".join(" → ".join(filter(None, [each.text, each.remedy])) for each in problems),
        "url": "",
    }
