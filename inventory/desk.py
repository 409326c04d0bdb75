"""What does the owner have to know first? Panels for the admin's first page."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory.models import Case, Heartbeat, ProductStock, StockItem

logger = logging.getLogger(__name__)

Panel = dict[str, str]
# So far another host's clock may be ahead; a later beat was made by a clock since set back.
TWO_CLOCKS = timedelta(minutes=1)


def worker_silence(now: datetime) -> timedelta | None:
    """How long no worker has been heard; None while one is at work. A shop that never had one: since ever."""
    newest = Heartbeat.objects.filter(beat_at__lte=now + TWO_CLOCKS).order_by("-beat_at").first()
    if newest is None:
        return timedelta.max
    silence = now - newest.beat_at
    return silence if silence > timedelta(seconds=newest.patience) else None


def warn_if_no_worker(now: datetime) -> None:
    """A log line while nobody handles what Stripe tells."""
    silence = worker_silence(now)
    if silence is not None:
        logger.error("No worker is at work (%s): start “manage.py work”, or events wait", _since(silence))


def _since(silence: timedelta) -> str:
    if silence == timedelta.max:
        return _("none was ever heard of")
    seconds = int(silence.total_seconds())
    return ngettext("silent for %(n)d second", "silent for %(n)d seconds", seconds) % {"n": seconds}


def worker_panel(request: HttpRequest) -> Panel | None:
    """Nobody at work: paid orders wait, and counts at Stripe stand still."""
    silence = worker_silence(timezone.now())
    if silence is None:
        return None
    return {
        "level": "error",
        "title": _("No worker is at work"),
        "text": _("Paid orders and edits wait until “manage.py work” runs (%(since)s).")
        % {"since": _since(silence)},
        "url": "",
    }


def cases_panel(request: HttpRequest) -> Panel | None:
    """What waits for a person."""
    cases = Case.objects.filter(closed_at=None)
    number = cases.count()
    if not number:
        return None
    newest = cases.first()
    return {
        "level": "warning",
        "title": ngettext("%(n)d open case", "%(n)d open cases", number) % {"n": number},
        "text": f"{newest}" if newest else "",
        "url": f"{reverse('admin:inventory_case_changelist')}?closed_at__isempty=1",
    }


def problems_panel(request: HttpRequest) -> Panel | None:
    """What is not for sale because nobody knows how many there are, and what is not written to Stripe."""
    unknown = StockItem.objects.filter(
        listed=True, state=StockItem.State.UNKNOWN, product__active=True, product__deleted=False
    )
    parked = ProductStock.objects.exclude(parked=ProductStock.Parked.NOT).filter(product__deleted=False)
    texts = [f"{item.product}: {item.problem}" for item in unknown.select_related("product")[:5]]
    texts += [f"{stock.product}: {stock.why_parked}" for stock in parked.select_related("product")[:5]]
    number = unknown.count() + parked.count()
    if not number:
        return None
    return {
        "level": "warning",
        "title": ngettext("%(n)d stock problem", "%(n)d stock problems", number) % {"n": number},
        "text": "\n".join(texts),
        "url": f"{reverse('admin:inventory_stockitem_changelist')}?state__exact={StockItem.State.UNKNOWN}",
    }
