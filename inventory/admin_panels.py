"""Admin panels for a stopped worker, open issues and stock problems."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory import heartbeat
from inventory.models import Issue, ProductSync, StockItem

Panel = dict[str, str]
MAX_LINES = 5  # items, and products, named in a panel


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


def issues_panel(request: HttpRequest) -> Panel | None:
    issues = Issue.objects.filter(closed_at=None)
    number = issues.count()
    if not number:
        return None
    newest = issues.first()
    return {
        "level": "warning",
        "title": ngettext("%(n)d issue needs attention", "%(n)d issues need attention", number)
        % {"n": number},
        "text": str(newest or ""),
        "url": f"{reverse('admin:inventory_issue_changelist')}?closed_at__isempty=1",
    }


def problems_panel(request: HttpRequest) -> Panel | None:
    # Items with an unknown count are not for sale.
    unknown = StockItem.objects.filter(
        is_listed=True, state=StockItem.State.UNKNOWN, product__active=True, product__deleted=False
    ).select_related("product")
    paused = (
        ProductSync.objects.exclude(pause_reason=ProductSync.PauseReason.NOT)
        .filter(product__deleted=False)
        .select_related("product")
    )
    number = unknown.count() + paused.count()
    if not number:
        return None
    texts = [f"{item.product}: {item.problem}" for item in unknown[:MAX_LINES]]
    texts += [f"{sync.product}: {sync.pause_text}" for sync in paused[:MAX_LINES]]
    return {
        "level": "warning",
        "title": ngettext("%(n)d stock problem", "%(n)d stock problems", number) % {"n": number},
        "text": "\n".join(texts),
        "url": f"{reverse('admin:inventory_stockitem_changelist')}?state__exact={StockItem.State.UNKNOWN}",
    }
