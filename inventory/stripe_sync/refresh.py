"""Refresh products from Stripe. One read updates both the local copy and the counts.

Event handlers and commands request a refresh, and a worker performs it. inventory.stripe_sync.snapshot applies the
reading to the counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from config.fault_points import fault_point
from config.stripe_client import InvalidRequest, RateLimited, ServerError, StripeCallError, is_configured
from inventory.leases import is_due, lease, lease_free
from inventory.models import Issue, ProductSync, StockUpdate, StripeEvent
from inventory.stripe_sync import backoff, snapshot
from shop import gateway, mirror
from shop.models import Product

logger = logging.getLogger(__name__)

BATCH_SIZE = 20
MANY_EVENTS = 20
FRESH = timedelta(seconds=60)
# A new account is read as one list, and its first updates take a minute for several hundred products. Edits in between
# request a refresh by their events; one whose event is late is counted when it comes.
FRESH_BEFORE_FIRST_UPDATE = timedelta(minutes=10)


def refresh_product(product_id: str) -> mirror.Outcome:
    """Read one product from Stripe, update the local copy, and apply its stock metadata.

    Raises config.stripe_client.StripeCallError.
    """
    # Counted before the request: a refresh that is requested during this one is not fulfilled by it.
    requested = requested_counts([product_id]).get(product_id, 0)
    return _apply(gateway.fetch_product(product_id), requested)


def _apply(product: gateway.StripeProduct, requested: int) -> mirror.Outcome:
    fault_point("refresh.read")
    outcome = mirror.upsert_product(product)
    fault_point("refresh.stored")
    snapshot.apply_snapshot(product, requested)
    fault_point("refresh.applied")
    return outcome


def refresh_requested(now: datetime) -> int:
    """Refresh the products with open requests. Returns how many were refreshed.

    Raises StripeCallError where every other product would fail as well.
    """
    if not is_configured():
        return 0
    product_ids = list(due_refreshes(now).values_list("pk", flat=True))
    if is_listing_cheaper(len(product_ids)):
        fresh = StripeEvent.objects.filter(state=StripeEvent.State.WAITING, attempts=0, needs_stripe=False)
        if fresh.filter(type__startswith="product.").count() > MANY_EVENTS:
            return 0  # They are about to request more refreshes, and one list serves all.
        refreshed = _refresh_from_listing(product_ids, now)
    else:
        refreshed = sum(
            _refresh_one(product_id, now, partial(refresh_product, product_id))
            for product_id in product_ids[:BATCH_SIZE]
        )
    # A process may die after creating a product and before its ProductSync, where refreshes are requested.
    without_sync = Product.objects.filter(sync=None, deleted=False).order_by("pk")
    for product_id in (product_ids := list(without_sync.values_list("pk", flat=True)[:BATCH_SIZE])):
        refresh_product(product_id)
    return refreshed + len(product_ids)


def pending_refreshes() -> QuerySet[ProductSync]:
    return ProductSync.objects.filter(refreshes_requested__gt=F("refreshes_done"))


def outdated_products() -> QuerySet[Product]:
    """Products with open requests, and those whose ProductSync was never created (a process died before)."""
    without_sync = Q(sync=None, deleted=False)
    return Product.objects.filter(without_sync | Q(sync__refreshes_requested__gt=F("sync__refreshes_done")))


def due_refreshes(now: datetime) -> QuerySet[ProductSync]:
    # While an update is open a refresh can compare nothing.
    open_update = StockUpdate.objects.filter(product=OuterRef("pk"), state=StockUpdate.State.OPEN)
    return pending_refreshes().filter(lease_free(), ~Exists(open_update), is_due("next_refresh_at", now))


def is_listing_cheaper(due: int) -> bool:
    """Whether so many products are due that listing the account takes fewer requests than reading each of them.

    Listing takes about three calls for each page, if a product has one or two prices. Reading one product takes two.
    """
    return due > 2 and 2 * due > 2 + 3 * (Product.objects.count() // gateway.PAGE_SIZE + 1)


def _refresh_from_listing(product_ids: Sequence[str], now: datetime) -> int:
    # Refresh many products from a list of the account, as after a start or a change of many in the Dashboard.
    before = {sync.pk: sync for sync in ProductSync.objects.filter(pk__in=product_ids)}
    refreshed = 0
    for product in gateway.iter_products():
        if sync := before.pop(product.id, None):
            refreshed += _refresh_one(product.id, now, partial(_apply_listed, product, sync))
    # Deleted products are not listed.
    return refreshed + sum(
        _refresh_one(product_id, now, partial(refresh_product, product_id)) for product_id in before
    )


def _apply_listed(product: gateway.StripeProduct, before: ProductSync) -> None:
    # If an update was sent meanwhile, the list may be older than that: the product stays due.
    if ProductSync.objects.filter(pk=before.pk, number=before.number).exists():
        _apply(product, before.refreshes_requested)


def _refresh_one(product_id: str, now: datetime, refresh: Callable[[], object]) -> bool:
    # False if another worker has the product, or it failed, which does not stop the others.
    with lease(product_id) as own_lease:
        if own_lease is None:
            return False
        try:
            refresh()
            return True
        except (RateLimited, ServerError, InvalidRequest) as exc:
            _postpone(product_id, now)
            logger.warning("Refreshing %s is postponed: %s", product_id, exc)
        except StripeCallError:
            raise
        except Exception as exc:
            failures = _postpone(product_id, now)
            backoff.report_failure(Issue.Kind.REFRESH_FAILED, product_id, exc, failures=failures)
    return False


def _postpone(product_id: str, now: datetime) -> int:
    return backoff.postpone(product_id, now, attempts="refresh_attempts", until="next_refresh_at")


def request_refresh_of_all(*, new_before: datetime | None = None) -> int:
    """Request a refresh of every product, or of all but those that were first read after `new_before`.

    When a worker starts, changes may have been missed. Without this no update may be sent.
    """
    is_new = Q(number=0, highest_seen_number=0, refreshed_at__gt=new_before) if new_before else Q(pk=None)
    return ProductSync.objects.exclude(is_new).request_refresh()


def request_refresh(product_ids: Iterable[str]) -> int:
    return ProductSync.objects.filter(pk__in=product_ids).request_refresh()


def requested_counts(product_ids: Iterable[str] | None = None) -> dict[str, int]:
    """Requested refreshes per product, as a reading that begins now fulfills them. Later requests need another one."""
    syncs = ProductSync.objects.all()
    if product_ids is not None:
        syncs = syncs.filter(pk__in=product_ids)
    return dict(syncs.values_list("pk", "refreshes_requested"))
