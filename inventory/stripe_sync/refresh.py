"""Refresh products from Stripe. One read updates both the local copy and the counts.

Event handlers and commands request a refresh, and a worker performs it. inventory.stripe_sync.snapshot applies the reading
to the counts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, QuerySet

from config.fault_points import fault_point
from config.stripe_client import InvalidRequest, RateLimited, ServerError, StripeCallError, is_configured
from inventory import issues
from inventory.leases import claimed, due, free
from inventory.models import ProductStock, StockWrite
from inventory.stripe_sync import backoff, snapshot
from shop import gateway, mirror
from shop.models import Product

logger = logging.getLogger(__name__)

A_ROUND = 20
FRESH = timedelta(seconds=60)


def look_at(product_id: str) -> mirror.Outcome:
    """Read one product from Stripe, update the local copy, and apply its stock metadata.

    Raises config.stripe_client.StripeCallError.
    """
    wanted = wishes([product_id]).get(product_id, 0)
    product = gateway.fetch_product(product_id)
    fault_point("look.read")
    outcome = mirror.store(product)
    fault_point("look.mirrored")
    snapshot.take_in(product, wanted)
    fault_point("look.taken_in")
    return outcome


def look_at_wanted(now: datetime) -> int:
    """Refresh the products with open requests. Returns how many were refreshed.

    Raises StripeTrouble where every other product would fail as well.
    """
    if not is_configured():
        return 0
    open_update = StockWrite.objects.filter(product=OuterRef("pk"), state=StockWrite.State.OPEN)
    chosen = wished().filter(free(), ~Exists(open_update), due("not_looked_before", now))
    refreshed = sum(_look_alone(pk, now) for pk in list(chosen.values_list("pk", flat=True)[:A_ROUND]))
    return refreshed + _finish_first_looks()


def _finish_first_looks() -> int:
    # A process may die after creating a product and before its ProductStock, where refreshes are requested.
    begun = Product.objects.filter(stock=None, deleted=False).order_by("pk").values_list("pk", flat=True)
    for product_id in list(begun[:A_ROUND]):
        look_at(product_id)
    return len(begun)


def wished() -> QuerySet[ProductStock]:
    return ProductStock.objects.filter(looks_wanted__gt=F("looks_done"))


def _look_alone(product_id: str, now: datetime) -> bool:
    """Refresh one product; False if it is claimed by another worker or failed. Its failure does not stop the others."""
    with claimed(product_id) as claim:
        if claim is None:
            return False
        try:
            look_at(product_id)
        except (RateLimited, ServerError, InvalidRequest) as exc:
            _put_off(product_id, now)
            logger.warning("Refreshing %s is postponed: %s", product_id, exc)
            return False
        except StripeCallError:
            raise
        except Exception as exc:
            backoff.tell(issues.LOOK_FAILED, product_id, exc, failures=_put_off(product_id, now))
            return False
    return True


def _put_off(product_id: str, now: datetime) -> int:
    # Postpone the next refresh with backoff. Returns the number of failures.
    stock = ProductStock.objects.get(pk=product_id)
    failures = backoff.one_more(stock.look_failures)
    ProductStock.objects.filter(pk=product_id).update(
        not_looked_before=now + backoff.wait_after(stock.look_failures), look_failures=failures
    )
    return failures


def want_all() -> int:
    # When a worker starts, changes may have been missed: every product is refreshed before an update is sent.
    return ProductStock.objects.want_look()


def want(product_ids: Iterable[str]) -> int:
    return ProductStock.objects.filter(pk__in=product_ids).want_look()


def wishes(product_ids: Iterable[str] | None = None) -> dict[str, int]:
    """Requested refreshes per product, as a reading that begins now fulfills them. Later requests need another one."""
    stocks = ProductStock.objects.all()
    if product_ids is not None:
        stocks = stocks.filter(pk__in=product_ids)
    return dict(stocks.values_list("pk", "looks_wanted"))
