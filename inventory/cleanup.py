"""Delete rows that only remember what was done, once nothing can ask for them any more.

docs/decisions/0013-what-is-forgotten.md has the reason for each rule. Orders, movements and issues are never deleted here.
Each transaction deletes few rows: a long one would block others; on SQLite, every writer.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Count, Max, Model, Q, QuerySet

from inventory.locks import lock_sync
from inventory.models import (
    CatalogImport,
    EventCursor,
    Movement,
    ProcessedRequest,
    StockUpdate,
    StripeEvent,
    VersionSnapshot,
)
from inventory.stripe_sync.updates import open_update

RETENTION = timedelta(days=90)
STRIPE_KEEPS_EVENTS = timedelta(days=30)
# Two events of one request are created together. Rows from before 2026-11-28 have the time of handling instead.
TWINS = (STRIPE_KEEPS_EVENTS + timedelta(days=1), timedelta(days=1))
PRODUCT_EVENTS = ("product.updated", "v1.product.updated")
BATCH_SIZE = 500
MOVEMENTS_PER_BATCH = 2000
LOGIN_RECORDS: tuple[type[Model], ...] = (AccessAttempt, AccessFailureLog, AccessLog)


def delete_expired(now: datetime) -> int:
    """Daily worker task. Returns the number of deleted rows; while it is not 0, the worker runs it again."""
    deleted = _delete_some(Session.objects.filter(expire_date__lt=now))
    for model in LOGIN_RECORDS:
        deleted += _delete_some(model._default_manager.filter(attempt_time__lt=now - RETENTION))
    # What is waiting or failed is kept. `received_at` has an index.
    handled = StripeEvent.objects.filter(state=StripeEvent.State.HANDLED, handled_at__lt=now - RETENTION)
    deleted += _delete_some(handled.filter(received_at__lt=now - RETENTION))
    deleted += _delete_imports(now - RETENTION)
    # By Stripe's clock as well: a clock of ours that jumps ahead must not delete what Stripe's events still need.
    read_to = EventCursor.objects.values_list("read_to", flat=True).first()
    if read_to is not None:
        before = min(now, read_to) - RETENTION
        deleted += _delete_requests(before) + _delete_versions(before)
    return deleted


def _delete_some(rows: QuerySet[Model]) -> int:
    keys = list(rows.order_by().values_list("pk", flat=True)[:BATCH_SIZE])
    return rows.filter(pk__in=keys).delete()[0] if keys else 0


def _delete_imports(before: datetime) -> int:
    old = CatalogImport.objects.filter(finished_at__lt=before)
    if not old.exists():
        return 0
    # The next catalog for agents is compared with the newest ones.
    succeeded = CatalogImport.objects.filter(status__startswith="succeeded")
    products = succeeded.filter(feed=CatalogImport.Feed.PRODUCT)
    newest = [
        rows.aggregate(newest=Max("pk"))["newest"]
        for rows in (succeeded, products, products.filter(mode="replace"))
    ]
    return _delete_some(old.exclude(pk__in=[pk for pk in newest if pk]))


# --- Processed requests -----------------------------------------------------------------------


def _delete_requests(before: datetime) -> int:
    # Stripe has forgotten the request's events. It is kept while one of them may still be stored, to be replayed.
    old = ProcessedRequest.objects.filter(created_at__lt=before).order_by("pk")
    done = 0
    while rows := list(old.filter(pk__gt=done).values_list("pk", "product", "created_at")[:BATCH_SIZE]):
        done = rows[-1][0]
        events = StripeEvent.objects.filter(
            object_id__in={product for _pk, product, _at in rows},
            type__in=PRODUCT_EVENTS,
            created_at__lte=before + TWINS[1],
        )
        stored = defaultdict[str, list[datetime]](list)
        for product, created in events.values_list("object_id", "created_at"):
            stored[product].append(created)
        keys = [
            pk
            for pk, product, at in rows
            if not any(at - TWINS[0] <= created <= at + TWINS[1] for created in stored[product])
        ]
        if keys:
            return old.filter(pk__in=keys).delete()[0]
    return 0


# --- Stock updates and the counts under their version tags --------------------------------------


def _delete_versions(before: datetime) -> int:
    # What came before the newest version that was at Stripe by `before`: no form that is still open shows it.
    applied = StockUpdate.objects.filter(state=StockUpdate.State.APPLIED, finished_at__lt=before)
    newest = applied.order_by().values_list("product").annotate(number=Max("number"))
    return sum(_delete_versions_of(product_id, number, before) for product_id, number in list(newest))


def _delete_versions_of(product_id: str, number: int, before: datetime) -> int:
    snapshots = VersionSnapshot.objects.filter(product=product_id, number__lt=number)
    updates = StockUpdate.objects.filter(
        product=product_id, number__lt=number, finished_at__lt=before
    ).exclude(state=StockUpdate.State.OPEN)
    if not updates.exists() and not snapshots.exists():
        return 0
    with transaction.atomic():
        # Events are applied under this lock: all counts of a version are deleted together, or none.
        sync = lock_sync(product_id)
        # While counts are not at rest at Stripe, an older version may stand there. And an event that has waited since
        # Stripe still listed that version may report a form of it.
        is_at_rest = not (sync.pause_reason or sync.differs or sync.needs_version_bump or sync.event_gap)
        unhandled = StripeEvent.objects.exclude(state=StripeEvent.State.HANDLED)
        saved_by = before + RETENTION - STRIPE_KEEPS_EVENTS
        if (
            not is_at_rest
            or open_update(sync.pk)
            or unhandled.filter(object_id=sync.pk, created_at__lt=saved_by).exists()
        ):
            return 0
        last_seen = snapshots.order_by().values("number").annotate(last=Max("created_at"))
        unseen = last_seen.filter(last__lt=before).order_by("number").values_list("number", flat=True)
        deleted = snapshots.filter(number__in=list(unseen[:BATCH_SIZE])).delete()[0]
        chosen = _with_few_movements(updates)
        Movement.objects.filter(stock_update__in=chosen).update(stock_update=None)
        return deleted + updates.filter(pk__in=chosen).delete()[0]


def _with_few_movements(updates: QuerySet[StockUpdate]) -> list[int]:
    # The oldest ones, which together carried few movements, but at least one.
    published = Count("movements", filter=Q(movements__published_at__isnull=False))
    chosen, movements = list[int](), 0
    for pk, number in updates.order_by("number").values_list("pk").annotate(n=published)[:BATCH_SIZE]:
        movements += number
        if chosen and movements > MOVEMENTS_PER_BATCH:
            break
        chosen.append(pk)
    return chosen
