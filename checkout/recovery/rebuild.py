"""Rebuild a lost database from Stripe: the catalog, its counts, recent orders and refunds, and open payment pages.

Each step may be repeated: what is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from checkout.models import CustomerMail, Order
from checkout.recovery.backfill import BackfillResult, apply_completed, store_events
from checkout.recovery.open_sessions import Adoption, adopt_open_sessions
from config.stripe_events import EVENTS
from inventory.events import inbox
from inventory.models import Issue, Movement, ProductSync, StockItem
from inventory.stripe_sync import catalog_sync, snapshot
from inventory.stripe_sync.catalog_sync import Summary
from shop.models import Product

PAGES_LIVE = timedelta(hours=25)  # A payment page is open for at most 24 hours.
# The catalog of today includes its past, and sessions tell more than their events.
HISTORY = [kind for kind in EVENTS if not kind.startswith(("product.", "price.", "checkout."))]
RECENT = timedelta(hours=1)  # Customers who paid before have had their mails.
Progress = Callable[[str], None]


@dataclass
class Rebuilt:
    """`taken_over`: ids of products with counts. `in_doubt`: sales that Stripe's counts may include or not."""

    catalog: Summary = field(default_factory=Summary)
    taken_over: list[str] = field(default_factory=list)
    sessions: BackfillResult = field(default_factory=BackfillResult)
    adoption: Adoption = field(default_factory=Adoption)
    events: int = 0
    in_doubt: list[str] = field(default_factory=list)


def contents() -> dict[str, int]:
    """How many products, orders and movements the database has, without those of which there are none."""
    numbers = {"products": Product.objects, "orders": Order.objects, "movements": Movement.objects}
    return {name: count for name, rows in numbers.items() if (count := rows.count())}


def rebuild(*, since: datetime, now: datetime, progress: Progress = lambda line: None) -> Rebuilt:
    """Raises StripeCallError; what was rebuilt before it stays, and the next run continues."""
    result = Rebuilt()
    progress("Reading the catalog and its counts.")
    result.catalog = catalog_sync.sync_catalog()
    # The lost database's version tags stand at Stripe. Its last update of a product was not later than the product's
    # last change, so what was paid since then is in no count.
    paused = ProductSync.objects.filter(pause_reason=ProductSync.PauseReason.FOREIGN)
    result.taken_over = list(paused.values_list("pk", flat=True))
    for product_id in result.taken_over:
        opened = StockItem.objects.filter(product=product_id).exclude(opened_at=None)
        with transaction.atomic():
            if item := opened.first():
                ProductSync.objects.filter(pk=product_id).update(sales_cutoff=item.opened_at)
            snapshot.accept_stripe_counts(product_id)
    progress("Reading completed sessions.")
    result.sessions = apply_completed(since=since, now=now)
    CustomerMail.objects.filter(
        state=CustomerMail.State.QUEUED, order__paid_at__lt=now - RECENT, created_at__gte=now
    ).update(state=CustomerMail.State.CANCELED)
    progress("Reading open payment pages.")
    result.adoption = adopt_open_sessions(since=now - PAGES_LIVE)
    progress("Reading refunds and disputes.")
    result.events = store_events(since=since, types=HISTORY)
    stored_at = timezone.now()
    while inbox.process_local(stored_at) or inbox.process_remote(stored_at):
        pass
    doubtful = Issue.objects.filter(closed_at=None, kind=Issue.Kind.SALE_BEFORE_SYNC)
    result.in_doubt = [line for text in doubtful.values_list("text", flat=True) for line in text.splitlines()]
    return result
