"""How fast sizes sell, and how long their stock lasts."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Sum

from inventory.models import Movement

PACE_DAYS = 28
CACHE_SECONDS = 300


def units_sold(since: datetime, until: datetime) -> dict[int, int]:
    """Stock item id to units sold, for sizes that sold at all. Returned goods are not subtracted."""
    sales = Movement.objects.filter(kind=Movement.Kind.SALE, created_at__gte=since, created_at__lt=until)
    rows = sales.order_by().values_list("item").annotate(units=-Sum("delta"))
    return {item: units for item, units in rows if units > 0}


def recent_sales(now: datetime) -> dict[int, int]:
    """Units sold in the last PACE_DAYS days, up to CACHE_SECONDS old, so that a page need not add them up."""
    sold: dict[int, int] | None = cache.get("pace")
    if sold is None:
        sold = units_sold(now - timedelta(days=PACE_DAYS), now)
        cache.set("pace", sold, CACHE_SECONDS)
    return sold


def days_left(units: int, sold: int, *, days: int = PACE_DAYS) -> int | None:
    """Whole days until `units` are sold, if `sold` in `days` is the pace; None if none were sold."""
    if sold <= 0:
        return None
    return max(0, units) * days // sold
