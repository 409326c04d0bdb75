"""What came back from the customer? Units that the owner puts on the shelf again, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from checkout.models import Order, OrderLine
from inventory import ledger
from inventory.models import Movement


class NotCounted(Exception):
    """There is no count to put units back to; the text says of what."""


@dataclass(frozen=True)
class Returnable:
    """A counted line and how many of its units may still come back."""

    line: OrderLine
    most: int


def returnable(order: Order) -> list[Returnable]:
    """The lines that took something from the stock and have not brought all of it back."""
    lines = [line for line in order.lines.all() if line.item_id is not None]
    found = [Returnable(line, _taken(line) - _brought_back(line)) for line in lines]
    return [each for each in found if each.most > 0]


def take_back(order: Order, units: Mapping[int, int], *, token: str, reason: str, actor: str) -> int:
    """Put units back, by the line's id; `token` makes a second click harmless. Returns how many came back.

    The ledger allows no more than the line took, however many returns there are. Raises NotCounted, and takes back
    nothing, if one of them is sold without counting now.
    """
    lines = order.lines.in_bulk([pk for pk, wanted in units.items() if wanted > 0])
    try:
        with transaction.atomic():
            return sum(
                ledger.take_back(
                    line.reference, units[pk], reference=token, reason=reason or _("came back"), actor=actor
                )
                for pk, line in lines.items()
            )
    except ValueError as refusal:
        raise NotCounted(_("Nothing was put back: %(why)s") % {"why": refusal}) from refusal


def _taken(line: OrderLine) -> int:
    sales = Movement.objects.filter(kind=Movement.Kind.SALE, reference=line.reference, item=line.item_id)
    return -(sales.aggregate(units=Sum("delta"))["units"] or 0)


def _brought_back(line: OrderLine) -> int:
    returns = Movement.objects.filter(
        kind=Movement.Kind.RETURNED, item=line.item_id, reference__startswith=f"{line.reference}/"
    )
    return returns.aggregate(units=Sum("delta"))["units"] or 0
