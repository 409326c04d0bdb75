"""What came back from the customer? Units that the owner puts on the shelf again, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from checkout.models import Order, OrderLine
from inventory.stock import ledger


class NotCounted(Exception):
    """There is no count to put units back to; the text says of what."""


@dataclass(frozen=True)
class Returnable:
    """A counted line and how many of its units may still come back."""

    line: OrderLine
    most: int


def returnable(order: Order) -> list[Returnable]:
    """The lines that took something from the stock and have not brought all of it back."""
    left = ledger.returnable(f"{order.reference}:")
    return [Returnable(line, left[line.reference]) for line in order.lines.all() if left[line.reference] > 0]


def take_back(order: Order, units: Mapping[int, int], *, token: str, reason: str, actor: str) -> int:
    """Put units back, by the line's id; `token` makes a second click harmless. Returns how many came back.

    The ledger allows no more than the line took, however many returns there are. Raises NotCounted, and takes back
    nothing, if one of them is sold without counting now.
    """
    # In the order of the items' primary keys, as every verb locks them.
    lines = order.lines.filter(pk__in=[pk for pk, wanted in units.items() if wanted > 0]).order_by("item_id")
    try:
        with transaction.atomic():
            return sum(
                ledger.restock(
                    line.reference,
                    units[line.pk],
                    reference=token,
                    reason=reason or _("came back"),
                    actor=actor,
                )
                for line in lines
            )
    except ValueError as refusal:
        raise NotCounted(_("Nothing was put back: %(why)s") % {"why": refusal}) from refusal
