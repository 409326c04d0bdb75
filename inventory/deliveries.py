"""Notice when Stripe's deliveries do not arrive, and open an issue that says why and what to do.

Two signs: for an hour every delivery was refused, or Stripe's lists keep naming what was never delivered. The next
accepted delivery ends both. Anyone can post what looks like a delivery and is refused, so refusals count only if Stripe's
list of events has one that waits to be delivered.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from config.dates import format_local
from config.stripe_client import AuthenticationFailed, NotConfigured, PermissionDenied
from config.stripe_events import EVENTS
from inventory import gateway, heartbeat, issues
from inventory.db import insert_new
from inventory.models import DeliveryStatus, Issue

logger = logging.getLogger(__name__)

WRITE_INTERVAL = 60  # seconds between two writes of a process, so that a flood of deliveries costs nothing
PERIOD = timedelta(hours=1)  # of refusals until an issue is opened
# Stripe's lists are read hourly. One reading that finds something follows every restart; two an hour apart do not.
TWO_LISTINGS = timedelta(minutes=45)
IN_TRANSIT = timedelta(minutes=10)  # What is younger may still be delivered.
ISSUE = (Issue.Kind.NO_DELIVERIES, "webhook")

REFUSED = _(
    "Since %(since)s every delivery of Stripe has been refused: %(reason)s Compare the endpoint’s secret and mode in "
    "Stripe’s Dashboard with STRIPE_WEBHOOK_SECRET and STRIPE_SECRET_KEY, and check this machine’s clock. Meanwhile, "
    "sales and edits are read from Stripe once an hour."
)
MISSED = _(
    "Since %(since)s sales or edits were found only in Stripe’s lists: no delivery arrives at %(url)s. Check in "
    "Stripe’s Dashboard that an endpoint with this address is enabled for the events of your own account. Meanwhile, "
    "sales and edits are read from Stripe once an hour."
)

_written_at = {"accepted": float("-inf"), "refused": float("-inf")}  # by time.monotonic()


def record_accepted(now: datetime) -> None:
    """Record it, and warn in the log if no worker runs that could handle the event: at most once a minute."""
    if time.monotonic() - _written_at["accepted"] < WRITE_INTERVAL:
        return
    _written_at["accepted"] = time.monotonic()
    _write(
        accepted_at=now,
        refused_since=None,
        refused_at=None,
        refusal="",
        missed_since=None,
        missed_at=None,
    )
    heartbeat.warn_if_no_worker(now)


def record_refused(now: datetime, reason: str) -> None:
    if time.monotonic() - _written_at["refused"] >= WRITE_INTERVAL:
        _written_at["refused"] = time.monotonic()
        _write(refused_since=Coalesce("refused_since", now), refused_at=now, refusal=reason[:500])


def record_missed(now: datetime) -> None:
    """Something older than IN_TRANSIT was found in one of Stripe's lists that no delivery had reported."""
    _write(missed_since=Coalesce("missed_since", now), missed_at=now)


def check(now: datetime) -> int:
    """Worker task: open the issue, or close it once a delivery was accepted. Returns 1 if it did either."""
    status = DeliveryStatus.objects.first()
    if status is None:
        return 0
    refused = _lasts(status.refused_since, status.refused_at, PERIOD) and not issues.is_open(*ISSUE)
    missed = _lasts(status.missed_since, status.missed_at, TWO_LISTINGS)
    if refused and status.refused_since:
        # Stripe retries for days, so an event refused at the beginning may be older.
        since, until = status.refused_since - PERIOD, now - IN_TRANSIT
        try:
            refused = gateway.has_undelivered_events(list(EVENTS), since=since, until=until)
        except (NotConfigured, AuthenticationFailed, PermissionDenied):
            refused = True  # It cannot be asked. Better a needless issue than none.
        # Any other error is Stripe's silence: the task is repeated.
    if not (refused or missed):
        opened = Issue.objects.filter(closed_at=None, kind=ISSUE[0], subject=ISSUE[1]).first()
        is_over = (
            opened is not None and status.accepted_at is not None and status.accepted_at > opened.opened_at
        )
        return issues.close(*ISSUE) if is_over else 0
    if issues.is_open(*ISSUE):
        return 0  # Its text would grow with each new reason.
    if refused and status.refused_since:
        issues.open_issue(*ISSUE, REFUSED, since=format_local(status.refused_since), reason=status.refusal)
    elif status.missed_since:
        url = settings.SITE_URL + reverse("stripe_webhook")
        issues.open_issue(*ISSUE, MISSED, since=format_local(status.missed_since), url=url)
    return 1


def _lasts(since: datetime | None, until: datetime | None, at_least: timedelta) -> bool:
    return since is not None and until is not None and until - since >= at_least


def _write(**values: object) -> None:
    # A delivery is answered whether or not this is recorded.
    try:
        if not DeliveryStatus.objects.update(**values):
            insert_new([DeliveryStatus()], unique=("singleton",))
            DeliveryStatus.objects.update(**values)
    except DatabaseError:
        logger.exception("The outcome of a delivery could not be recorded")
