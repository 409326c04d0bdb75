"""Rehearse the restore of a backup: what docs/operating.md does after a restore, on a copy, and what it would change."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone

from checkout.models import Order
from checkout.recovery.backfill import apply_completed, store_events
from checkout.recovery.open_sessions import adopt_open_sessions
from checkout.recovery.reconcile import reconcile
from inventory.events import inbox
from inventory.models import Heartbeat, Issue, Movement, StockItem, StripeEvent
from inventory.stripe_sync import catalog_sync

OVERLAP = timedelta(days=1)
KEPT_AT_STRIPE = timedelta(days=29)


@dataclass
class Rehearsal:
    """`newest`: time of the newest row of the backup. `to_send`: counts that the worker would send to Stripe.

    `in_doubt`: sales that Stripe's counts include, or not if the shop ended within seconds of them.
    """

    newest: str = ""
    orders: int = 0
    missing_orders: list[str] = field(default_factory=list)
    pages_held: int = 0
    pages_ended: int = 0
    counts: list[str] = field(default_factory=list)
    to_send: list[str] = field(default_factory=list)
    issues: dict[str, int] = field(default_factory=dict)
    in_doubt: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def rehearse(now: datetime) -> Rehearsal:
    """Run on a restored copy, with STRIPE_READ_ONLY. Raises StripeCallError."""
    newest = newest_row() or now
    since = max(newest - OVERLAP, now - KEPT_AT_STRIPE)
    result = Rehearsal(newest=newest.isoformat(), orders=Order.objects.count())
    open_before = set(Issue.objects.filter(closed_at=None).values_list("pk", flat=True))
    before = dict(StockItem.objects.exclude(on_hand=None).values_list("pk", "on_hand"))
    catalog_sync.sync_catalog()
    store_events(since=since)
    completed = apply_completed(since=since, now=now)
    adoption = adopt_open_sessions(since=since)
    stored_at = timezone.now()
    while inbox.process_local(stored_at) or inbox.process_remote(stored_at):
        pass
    report = reconcile(since=since, now=timezone.now())
    result.missing_orders = [
        f"Order {order.number} is {order.get_state_display()}." for order in completed.orders
    ]
    result.missing_orders += report.fetched
    result.pages_held, result.pages_ended = len(adoption.adopted), len(adoption.ended)
    for item in StockItem.objects.select_related("product").exclude(on_hand=None):
        if before.get(item.pk) != item.on_hand:
            result.counts.append(f"{item}: the backup has {before.get(item.pk)}, Stripe {item.on_hand}")
    issues = Issue.objects.filter(closed_at=None).exclude(pk__in=open_before)
    result.issues = dict(Counter(issue.get_kind_display() for issue in issues))
    for difference in report.differences:
        kept = {"pending": result.to_send, "sale_in_doubt": result.in_doubt}
        kept.get(difference.kind, result.differences).append(difference.text)
    return result


def newest_row() -> datetime | None:
    times = [
        Order.objects.aggregate(at=Max("created_at"))["at"],
        Movement.objects.aggregate(at=Max("created_at"))["at"],
        StripeEvent.objects.aggregate(at=Max("received_at"))["at"],
        Heartbeat.objects.aggregate(at=Max("beat_at"))["at"],
    ]
    return max((at for at in times if at is not None), default=None)
