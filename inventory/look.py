"""Which products are looked at, and when? One read serves the mirror and the counts.

Whoever hears of a change wishes for a look; a worker grants it. What a reading means for the counts is
inventory.taking_in's to say.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, QuerySet

from config.fault_points import fault_point
from config.stripe_client import Busy, Refused, StripeFailed, StripeTrouble, is_configured
from inventory import cases, setbacks, taking_in
from inventory.claims import claimed, due, free
from inventory.models import ProductStock, StockWrite
from shop import gateway, mirror
from shop.models import Product

logger = logging.getLogger(__name__)

A_ROUND = 20
FRESH = timedelta(seconds=60)


def look_at(product_id: str) -> mirror.Outcome:
    """Read one product from Stripe, mirror it, and take in what its metadata says of stock.

    Raises config.stripe_client.StripeTrouble.
    """
    wanted = wishes([product_id]).get(product_id, 0)
    product = gateway.fetch_product(product_id)
    fault_point("look.read")
    outcome = mirror.store(product)
    fault_point("look.mirrored")
    taking_in.take_in(product, wanted)
    fault_point("look.taken_in")
    return outcome


def look_at_wanted(now: datetime) -> int:
    """Look at the products of which something was heard. Returns how many were looked at.

    Raises StripeTrouble where no other product would fare better.
    """
    if not is_configured():
        return 0
    on_its_way = StockWrite.objects.filter(product=OuterRef("pk"), state=StockWrite.State.OPEN)
    chosen = wished().filter(free(), ~Exists(on_its_way), due("not_looked_before", now))
    looked = sum(_look_alone(pk, now) for pk in list(chosen.values_list("pk", flat=True)[:A_ROUND]))
    return looked + _finish_first_looks()


def _finish_first_looks() -> int:
    """A process may die between a product's row and its desk; nobody could wish for a look at it then."""
    begun = Product.objects.filter(stock=None, deleted=False).order_by("pk").values_list("pk", flat=True)
    for product_id in list(begun[:A_ROUND]):
        look_at(product_id)
    return len(begun)


def wished() -> QuerySet[ProductStock]:
    """The products of which a look is wanted."""
    return ProductStock.objects.filter(looks_wanted__gt=F("looks_done"))


def _look_alone(product_id: str, now: datetime) -> bool:
    """True if we looked. One product that fails, by Stripe's fault or ours, does not keep the others waiting."""
    with claimed(product_id) as claim:
        if claim is None:
            return False
        try:
            look_at(product_id)
        except (Busy, StripeFailed, Refused) as trouble:
            _put_off(product_id, now)
            logger.warning("Looking at %s is put off: %s", product_id, trouble)
            return False
        except StripeTrouble:
            raise
        except Exception as error:
            setbacks.tell(cases.LOOK_FAILED, product_id, error, failures=_put_off(product_id, now))
            return False
    return True


def _put_off(product_id: str, now: datetime) -> int:
    """Look again later, with growing gaps. Returns how often it has failed now."""
    stock = ProductStock.objects.get(pk=product_id)
    failures = setbacks.one_more(stock.look_failures)
    ProductStock.objects.filter(pk=product_id).update(
        not_looked_before=now + setbacks.wait_after(stock.look_failures), look_failures=failures
    )
    return failures


def want_all() -> int:
    """A worker starts: whatever happened meanwhile, each product is looked at before it is written."""
    return ProductStock.objects.want_look()


def want(product_ids: Iterable[str]) -> int:
    """Somebody wants these looked at; the worker does it."""
    return ProductStock.objects.filter(pk__in=product_ids).want_look()


def wishes(product_ids: Iterable[str] | None = None) -> dict[str, int]:
    """Which wishes will a reading that begins now fulfil? Those that come later want another."""
    stocks = ProductStock.objects.all()
    if product_ids is not None:
        stocks = stocks.filter(pk__in=product_ids)
    return dict(stocks.values_list("pk", "looks_wanted"))
