"""Alarms between two hourly examinations: Stripe does not answer, a clock is off, counts wait, no worker runs.

Each is one issue, which is mailed once and closes when its cause is gone. The last one is raised by the web processes,
since no worker is there to do it (inventory.web_watch).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Min
from django.utils.translation import gettext_noop as _

from config.dates import format_local
from config.stripe_client import ConnectionFailed, ServerError, StripeCallError, is_configured
from inventory import alerts, gateway, heartbeat, issues
from inventory.models import Issue, Movement, ProductSync, StockItem
from inventory.setup.doctor import MAX_UNPUBLISHED, PROBLEM, clock_finding
from inventory.stripe_sync import publisher

SETUP = Issue.Kind.SETUP
STRIPE, CLOCK, COUNTS, WORKER = "stripe", "clock", "counts", "worker"
PATIENCE = timedelta(minutes=10)  # of Stripe's silence: shorter ones heal before anyone has read a mail
WORKER_PATIENCE = timedelta(minutes=5)  # longer than a restart with an update of packages

# Mails show the first 300 characters: what to do comes before what Stripe said.
AWAY = _(
    "Stripe has not answered since %(since)s. Nothing is lost: counts wait and are sent when it answers. → See "
    "https://status.stripe.com, then this machine’s connection. %(error)s"
)
COUNTS_WAIT = _(
    "Counts have been waiting for Stripe since %(since)s, although Stripe answers. → See the worker’s log, and restart it."
)
NO_WORKER = _(
    "No worker is running (%(since)s). Paid orders are stored, but not counted. → Start “manage.py run_worker”, or "
    "restart script/server."
)

_away_since: datetime | None = None  # of this process


def check(now: datetime) -> int:
    issues.close(SETUP, WORKER)  # This is a worker.
    if is_configured():
        _check_stripe(now)
        _check_counts(now)
    return 0


def _check_stripe(now: datetime) -> None:
    global _away_since
    try:
        account = gateway.fetch_account()
    except (ConnectionFailed, ServerError) as exc:
        _away_since = _away_since or now
        if now - _away_since >= PATIENCE and not issues.is_open(SETUP, STRIPE):
            issues.open_issue(SETUP, STRIPE, AWAY, since=format_local(_away_since), error=exc)
        return
    except StripeCallError:
        return  # Stripe answers. The hourly examination names what is wrong with the key.
    issues.close(SETUP, STRIPE)
    _away_since = None
    if account.clock is not None:
        finding = clock_finding(account.clock - now)
        if finding.level == "ok":
            issues.close(SETUP, CLOCK)
        elif not issues.is_open(SETUP, CLOCK):
            issues.open_issue(SETUP, CLOCK, PROBLEM, text=finding.text, remedy=finding.remedy)


def _check_counts(now: datetime) -> None:
    # Products that are paused, a rejected key and a silent Stripe have issues of their own.
    unpublished = Movement.objects.filter(
        published_at=None,
        item__state=StockItem.State.COUNTED,
        item__product__deleted=False,
        item__product__sync__pause_reason=ProductSync.PauseReason.NOT,
    )
    oldest = unpublished.aggregate(at=Min("created_at"))["at"]
    if oldest is None or now - oldest <= MAX_UNPUBLISHED:
        issues.close(SETUP, COUNTS)
    elif not (
        _away_since
        or issues.is_open(SETUP, COUNTS)
        or issues.is_open(Issue.Kind.PUBLISHING_STOPPED, publisher.SUBJECT)
    ):
        issues.open_issue(SETUP, COUNTS, COUNTS_WAIT, since=format_local(oldest))


def check_worker(now: datetime, *, watching_for: timedelta) -> int:
    """Task of the web processes: open the alarm that no worker runs, and mail it. Returns the number of entries mailed.

    `watching_for`: how long this process has been running; a worker that starts with it has as long to begin.
    """
    silence = heartbeat.worker_silence(now)
    if silence is None:
        issues.close(SETUP, WORKER)
        return 0
    if min(silence, watching_for) < WORKER_PATIENCE:
        return 0
    if not issues.is_open(SETUP, WORKER):
        issues.open_issue(SETUP, WORKER, NO_WORKER, since=heartbeat.describe(silence))
    return alerts.notify_owner(now)
