"""Refresh the whole catalog, or one product, and summarize the result."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils import timezone

from config.stripe_client import NotFound
from inventory.models import Installation, ProductSync, StockItem
from inventory.stripe_sync import backoff, snapshot
from inventory.stripe_sync.refresh import requested_counts
from shop import gateway, mirror
from shop.models import Product

logger = logging.getLogger(__name__)


@dataclass
class Summary:
    """The result of a refresh. `problems` are sentences that begin with the product's id and name."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        numbers = ", ".join(f"{self.counts[name]} {name}" for name in ("created", "updated", "unchanged"))
        return f"{numbers}, {len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"


Progress = Callable[[int, str], None]


def sync_catalog(*, dry_run: bool = False, progress: Progress = lambda done, name: None) -> Summary:
    """Refresh every product of the account. With `dry_run`, report the changes and make none.

    `progress(done, name)` is called after each product. A product that cannot be stored is reported as a problem and
    does not stop the others. Raises config.stripe_client.StripeCallError; products refreshed before it stay stored.
    """
    began, requested = timezone.now(), requested_counts()
    summary, seen = Summary(), set()
    for product in gateway.iter_products():
        seen.add(product.id)
        _summarize(product, requested, summary, dry_run=dry_run)
        progress(len(seen), product.name)
    gone = Product.objects.filter(deleted=False, fetched_at__lte=began).exclude(pk__in=seen)
    for product_id in list(gone.values_list("pk", flat=True)):
        # It may have been created while the listing ran, so ask Stripe before treating it as deleted.
        _summarize(gateway.fetch_product(product_id), requested, summary, dry_run=dry_run)
    return summary


def _summarize(
    product: gateway.StripeProduct, requested: dict[str, int], summary: Summary, *, dry_run: bool
) -> None:
    try:
        outcome = mirror.dry_run_outcome(product) if dry_run else mirror.upsert_product(product)
        # An unchanged product costs no further database write.
        if not dry_run and (outcome != "unchanged" or _would_change(product)):
            snapshot.apply_snapshot(product, requested.get(product.id, 0))
        problems = _problems(product)
    except Exception as error:
        logger.exception("%s cannot be stored", product.id)
        problem = f"it cannot be stored ({backoff.one_line(error)})."
        summary.problems.append(f"{product.id} {product.name}: {problem}")
    else:
        summary.counts[outcome] += 1
        summary.problems += problems


def sync_product(product_id: str, *, dry_run: bool = False) -> Summary:
    """Refresh one product. Raises config.stripe_client.NotFound if neither Stripe nor the local copy has it."""
    requested = requested_counts([product_id])
    product = gateway.fetch_product(product_id)
    if product.deleted and not Product.objects.filter(pk=product_id).exists():
        raise NotFound(f"Stripe has no product {product_id}.")
    outcome = mirror.dry_run_outcome(product) if dry_run else mirror.upsert_product(product)
    if not dry_run:
        snapshot.apply_snapshot(product, requested.get(product_id, 0))
    return Summary(Counter({outcome: 1}), _problems(product))


def _would_change(product: gateway.StripeProduct) -> bool:
    sync = ProductSync.objects.filter(pk=product.id).first()
    if sync is None or sync.refreshes_requested > sync.refreshes_done:
        return True
    if product.deleted:
        return False
    tag = snapshot.tag_of(product, Installation.current())
    if tag.foreign:
        is_paused = sync.pause_reason == sync.PauseReason.FOREIGN and sync.pause_detail == tag.foreign
        if tag.foreign != sync.accepted_version and not is_paused:
            return True
    elif (tag.number or 0) != sync.number:
        return True
    items = {item.key: item for item in StockItem.objects.filter(product=product.id)}
    for reading in snapshot.readings_of(product):
        item = items.get(reading.key)
        if item is None:
            return True
        if reading.count is not None:
            if item.state != StockItem.State.COUNTED or item.on_hand != reading.count:
                return True
        elif item.problem != reading.problem or reading.unlimited != (
            item.state == StockItem.State.NOT_TRACKED
        ):
            return True
    return False


def _problems(product: gateway.StripeProduct) -> list[str]:
    # Archived and deleted products are not for sale, so their problems need no attention.
    if product.deleted or not product.active:
        return []
    readings = [reading.problem for reading in snapshot.readings_of(product) if reading.problem]
    facts = mirror.product_fields(product)["problems"]
    return [f"{product.id} {product.name}: {text}" for text in [*facts, *readings]]
