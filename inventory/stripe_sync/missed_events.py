"""Fetch product events that never arrived from Stripe's event list, which covers 30 days.

The list is read hourly, when a worker starts, before a stock update would replace an unexplained difference, and before an
old form is counted.
Fetching is idempotent: events are stored by their ids, and edits are counted once per request.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Min, QuerySet
from django.utils import timezone

from config.fault_points import fault_point
from config.stripe_client import is_configured
from inventory import deliveries, gateway
from inventory.events import inbox
from inventory.models import EventCursor, ProductSync, StockItem, StripeEvent

logger = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=5)  # An event may appear in the list a little after newer ones.
SETTLE_DELAY = 2 * OVERLAP
EVENT_RETENTION = timedelta(days=29)  # Stripe keeps events for 30 days.


def fetch_product_events(now: datetime) -> int:
    """Store every product event since the last complete listing. Returns how many were new.

    They wait in the inbox like delivered events. Raises config.stripe_client.StripeCallError.
    """
    if not is_configured():
        return 0
    cursor = EventCursor.objects.filter(singleton=1).first()
    if cursor is None:
        # Before the oldest ledger began there was nothing to count. After it, an edit may have been missed.
        since = listed_at = ProductSync.objects.aggregate(at=Min("sales_cutoff"))["at"] or now
    else:
        since, listed_at = cursor.read_to, cursor.listed_at
    began = timezone.now()
    events = list(gateway.product_events(since - OVERLAP))
    fault_point("missed_events.listed")
    if now - listed_at > EVENT_RETENTION:
        # Stripe no longer lists some of the missed events, so differences can no longer be explained.
        days = EVENT_RETENTION.days
        logger.error("Stripe's events were not read for %d days: its counts are accepted as they are", days)
        ProductSync.objects.request_refresh(event_gap=True)
    new_ids = set(inbox.store_events(events))
    new = len(new_ids)
    created = (event["created"] for event in events if event["id"] in new_ids)
    if any(at < (began - deliveries.IN_TRANSIT).timestamp() for at in created):
        deliveries.record_missed(began)
    fault_point("missed_events.stored")
    # The cursor is the newest event seen, by Stripe's clock. It never moves back.
    read_to = max([since, *(datetime.fromtimestamp(event["created"], now.tzinfo) for event in events)])
    EventCursor.objects.update_or_create(singleton=1, defaults={"read_to": read_to, "listed_at": began})
    # A count may be valid again although the event of its correction was lost for good.
    invalid = StockItem.objects.exclude(invalid_edits=0).values("product")
    ProductSync.objects.filter(pk__in=invalid).request_refresh()
    if new:
        logger.info("Fetched %d product events that had not reached the webhook", new)
    return new


def listed_since(moment: datetime) -> bool:
    return EventCursor.objects.filter(listed_at__gt=moment).exists()


def all_events_seen(item: StockItem) -> bool:
    """Whether Stripe's list was read well after this count became invalid, and every event of the product is handled."""
    cursor = EventCursor.objects.filter(singleton=1).first()
    if cursor is None or item.invalid_since is None or cursor.listed_at < item.invalid_since + SETTLE_DELAY:
        return False
    waiting = StripeEvent.objects.filter(object_id=item.product_id, state=StripeEvent.State.WAITING)
    return not waiting.exists()


def waiting_of(product_id: str) -> QuerySet[StripeEvent]:
    """The product's updates that are not handled yet, oldest first."""
    about = StripeEvent.objects.filter(object_id=product_id, type="product.updated")
    return about.filter(state=StripeEvent.State.WAITING).order_by("created_at")


def handle_product_events(product_id: str, now: datetime) -> bool:
    waiting = waiting_of(product_id)
    with inbox.allow_stripe_calls():
        for event_id in list(waiting.values_list("pk", flat=True)):
            inbox.handle(event_id, now)
    return not waiting.exists()
