"""Return units of an order to stock, line by line, as the owner says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from checkout.models import Order, OrderLine
from inventory.stock import ledger


class NotCounted(Exception):
    """Units of an item without a count cannot be returned to stock. The text names the item."""


@dataclass(frozen=True)
class ReturnableLine:
    line: OrderLine
    max_units: int


def returnable_lines(order: Order) -> list[ReturnableLine]:
    left = ledger.returnable(f"{order.reference}:")
    return [
        ReturnableLine(line, left[line.reference]) for line in order.lines.all() if left[line.reference] > 0
    ]


def restock(order: Order, units: Mapping[int, int], *, token: str, reason: str, actor: str) -> int:
    """Return units to stock, given by line id. `token` makes it idempotent. Returns how many were added.

    No line returns more than it sold. Raises NotCounted, and returns nothing, if one of the items is sold without
    counting now.
    """
    # In the order of the items' primary keys, as every ledger operation locks them, to prevent deadlocks.
    lines = order.lines.filter(pk__in=[pk for pk, wanted in units.items() if wanted > 0]).order_by("item_id")
    added = 0
    try:
        with transaction.atomic():
            for line in lines:
                added += ledger.restock(
                    line.reference,
                    units[line.pk],
                    reference=token,
                    reason=reason or _("returned"),
                    actor=actor,
                )
    except ValueError as exc:
        raise NotCounted(_("Nothing was returned to stock: %(reason)s") % {"reason": exc}) from exc
    return added
