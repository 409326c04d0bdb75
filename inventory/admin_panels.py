"""Admin panels for a stopped worker, open issues and stock problems."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory.models import Heartbeat, Issue, ProductSync, StockItem

logger = logging.getLogger(__name__)

Panel = dict[str, str]
# Tolerance for the clocks of other hosts. Later beats are ignored: the clock has been set back since.
CLOCK_SKEW = timedelta(minutes=1)


def worker_silence(now: datetime) -> timedelta | None:
    """Time since the last heartbeat; None while a worker runs, timedelta.max if none ever did."""
    newest = Heartbeat.objects.filter(beat_at__lte=now + CLOCK_SKEW).order_by("-beat_at").first()
    if newest is None:
        return timedelta.max
    silence = now - newest.beat_at
    return silence if silence > timedelta(seconds=newest.timeout) else None


def warn_if_no_worker(now: datetime) -> None:
    silence = worker_silence(now)
    if silence is not None:
        logger.error("No worker is running (%s): start “manage.py work” to handle events", _since(silence))


def _since(silence: timedelta) -> str:
    if silence == timedelta.max:
        return _("none has ever run")
    seconds = int(silence.total_seconds())
    return ngettext("last seen %(n)d second ago", "last seen %(n)d seconds ago", seconds) % {"n": seconds}


def worker_panel(request: HttpRequest) -> Panel | None:
    silence = worker_silence(timezone.now())
    if silence is None:
        return None
    return {
        "level": "error",
        "title": _("No worker is running"),
        "text": _("Paid orders and stock edits are not processed until “manage.py work” runs (%(since)s).")
        % {"since": _since(silence)},
        "url": "",
    }


def issues_panel(request: HttpRequest) -> Panel | None:
    cases = Issue.objects.filter(closed_at=None)
    number = cases.count()
    if not number:
        return None
    newest = cases.first()
    return {
        "level": "warning",
        "title": ngettext("%(n)d issue needs attention", "%(n)d issues need attention", number)
        % {"n": number},
        "text": f"{newest}" if newest else "",
        "url": f"{reverse('admin:inventory_issue_changelist')}?closed_at__isempty=1",
    }


def problems_panel(request: HttpRequest) -> Panel | None:
    """Items that are not for sale because their count is unknown, and products whose stock updates are paused."""
    unknown = StockItem.objects.filter(
        is_listed=True, state=StockItem.State.UNKNOWN, product__active=True, product__deleted=False
    )
    parked = ProductSync.objects.exclude(pause_reason=ProductSync.PauseReason.NOT).filter(
        product__deleted=False
    )
    texts = [f"{item.product}: {item.problem}" for item in unknown.select_related("product")[:5]]
    texts += [f"{stock.product}: {stock.pause_text}" for stock in parked.select_related("product")[:5]]
    number = unknown.count() + parked.count()
    if not number:
        return None
    return {
        "level": "warning",
        "title": ngettext("%(n)d stock problem", "%(n)d stock problems", number) % {"n": number},
        "text": "\n".join(texts),
        "url": f"{reverse('admin:inventory_stockitem_changelist')}?state__exact={StockItem.State.UNKNOWN}",
    }
