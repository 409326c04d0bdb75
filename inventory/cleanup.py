"""Delete expired sessions and events that were handled long ago.

Deleting events cannot make anything count twice: Stripe does not resend events after 30 days, edits are recorded in
ProcessedRequest and sales in their movements. Waiting and failed events are kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module

from django.conf import settings

from inventory.models import StripeEvent

EVENT_RETENTION = timedelta(days=90)
BATCH_SIZE = 500  # A long transaction would block others; on SQLite, every writer.


def delete_expired(now: datetime) -> int:
    """Daily worker task. Returns the number of deleted events; while it is not 0, the worker runs it again."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    old = StripeEvent.objects.filter(state=StripeEvent.State.HANDLED, handled_at__lt=now - EVENT_RETENTION)
    chosen = list(old.values_list("pk", flat=True)[:BATCH_SIZE])
    StripeEvent.objects.filter(pk__in=chosen, state=StripeEvent.State.HANDLED).delete()
    return len(chosen)
