"""What is thrown away, and when? Sessions that have expired, and events whose work is done long since.

Nothing counts twice for it: Stripe repeats no event after 30 days, edits are known by CountedRequest and sales by
their movements. What failed, and what no case or person has dealt with, stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module

from django.conf import settings

from inventory.models import StripeEvent

KEEP_EVENTS = timedelta(days=90)
AT_ONCE = 500  # A long transaction would keep others waiting, on SQLite everybody.


def throw_away_old(now: datetime) -> int:
    """The worker's daily duty. Returns how many events are gone: while there are any, the next round goes on."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    old = StripeEvent.objects.filter(state=StripeEvent.State.HANDLED, handled_at__lt=now - KEEP_EVENTS)
    chosen = list(old.values_list("pk", flat=True)[:AT_ONCE])
    StripeEvent.objects.filter(pk__in=chosen, state=StripeEvent.State.HANDLED).delete()
    return len(chosen)
