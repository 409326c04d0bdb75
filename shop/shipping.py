"""Copy the shop's shipping rates from Stripe, for feeds and structured data."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction

from config.stripe_client import NotFound, PermissionDenied, is_configured
from shop import gateway
from shop.models import ShippingRate

logger = logging.getLogger(__name__)

COPIED = ("name", "currency", "amount", "options", "delivery_days")


def refresh_shipping_rates(now: datetime) -> int:
    """Fetch the rates of SHIPPING_RATES. Returns how many rows changed.

    A rate that is archived or unknown at Stripe is deleted: without it, feeds say nothing about shipping. Raises
    config.stripe_client.StripeCallError if Stripe cannot be reached; the rows then stay.
    """
    if not is_configured():
        return 0
    rates = []
    for id in dict.fromkeys(settings.SHIPPING_RATES):
        try:
            rate = gateway.fetch_shipping_rate(id)
        except NotFound:
            logger.warning("SHIPPING_RATES lists %s, which Stripe does not have", id)
            continue
        except PermissionDenied:
            # Checkout works without this permission, and the worker would ask again every few seconds.
            logger.warning("The Stripe key may not read shipping rates, so feeds do not mention shipping")
            return 0
        if rate.active:
            rates.append(rate)
    changed = 0
    with transaction.atomic():
        changed += ShippingRate.objects.exclude(pk__in=[rate.id for rate in rates]).delete()[0]
        rows = ShippingRate.objects.all()
        stored = {row.pk: [getattr(row, name) for name in COPIED] for row in rows}
        for rate in rates:
            values = {name: getattr(rate, name) for name in COPIED}
            if stored.get(rate.id) == list(values.values()):
                continue
            ShippingRate.objects.update_or_create(pk=rate.id, defaults={**values, "fetched_at": now})
            changed += 1
    return changed
