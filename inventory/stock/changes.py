"""Stock changes named by people: “prod_x M=12”, a line of a delivery file. Planned first, then applied as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from inventory.models import Movement, StockItem
from inventory.stock import ledger, oversold
from inventory.stock.counts import MAX_COUNT
from shop.models import Product


class Verb(StrEnum):
    RECEIVE = "receive"
    COUNT = "count"
    TAKE = "take"


KINDS = {
    Verb.RECEIVE: Movement.Kind.RECEIVED,
    Verb.COUNT: Movement.Kind.COUNTED,
    Verb.TAKE: Movement.Kind.ADJUSTED,
}


class ChangeRefused(ValueError):
    """The change cannot be made; the message says why. Nothing was recorded. `by_item`: item id to its own reason."""

    def __init__(self, text: str = "", by_item: Mapping[int, str] | None = None) -> None:
        super().__init__(text)
        self.by_item = dict(by_item or {})


@dataclass(frozen=True)
class Change:
    """`number`: units received or taken, or the new total. `was` and `will_be`: units in stock, held ones included.

    `recorded_before`: the reference was used for this item earlier, so nothing happens. `covered`: units of a delivery
    that are for orders that were oversold, so they do not add to the stock.
    """

    item: StockItem
    verb: Verb
    number: int
    was: int
    will_be: int
    recorded_before: bool = False
    covered: int = 0

    def record(self, reference: str, reason: str, actor: str) -> Movement | None:
        if self.verb == Verb.RECEIVE:
            return ledger.receive(self.item.pk, self.number, reference=reference, reason=reason, actor=actor)
        if self.verb == Verb.TAKE:
            return ledger.adjust(self.item.pk, -self.number, reference=reference, reason=reason, actor=actor)
        return ledger.set_count(self.item.pk, self.number, reference=reference, reason=reason, actor=actor)


def find_product(name: str) -> Product:
    """By Stripe's id, by the metadata key `sku`, or by the exact name. Raises ChangeRefused unless it is one product."""
    existing = Product.objects.filter(deleted=False)
    for found in (
        existing.filter(pk=name),
        existing.filter(metadata__sku=name),
        existing.filter(name__iexact=name.strip()),
    ):
        matches = list(found.order_by("pk")[:3])
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(product.pk for product in matches)
            raise ChangeRefused(f"“{name}” is more than one product ({ids}). Use the product's id.")
    raise ChangeRefused(f"There is no product “{name}”. Give its id, its SKU or its exact name.")


def find_item(product: Product, size: str) -> StockItem:
    """The item of a size, by the exact size or metadata key, else by the size in another case. Raises ChangeRefused."""
    items = list(
        StockItem.objects.filter(product=product).select_related("product").order_by("position", "pk")
    )
    for matches in (
        [item for item in items if size in (item.size, item.key)],
        [item for item in items if item.size.casefold() == size.strip().casefold()],
    ):
        if len(matches) == 1:
            return matches[0]
    sizes = ", ".join(item.size or item.key for item in items)
    if not sizes:
        raise ChangeRefused(f"Nothing is counted for {product.pk}. Run “manage.py sync_catalog” first.")
    if not size:
        raise ChangeRefused(f"{product} comes in sizes. Say which: {sizes}.")
    raise ChangeRefused(f"{product} has no size “{size}”; it has {sizes}.")


def parse_number(text: str) -> int:
    """Units as ASCII digits. Raises ChangeRefused for anything else, signs included."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal()):
        raise ChangeRefused(f"“{text}” is not a whole number of units.")
    if len(digits) > 7 or int(digits) > MAX_COUNT:
        raise ChangeRefused(f"{digits} is more than {MAX_COUNT}, the largest count.")
    return int(digits)


def plan(verb: Verb, wanted: Iterable[tuple[StockItem, int]], *, reference: str) -> list[Change]:
    """What `apply_changes` would do now. Reads only. Raises ChangeRefused for an item that is named twice."""
    changes: list[Change] = []
    owed = oversold.owed_by_item() if verb == Verb.RECEIVE else {}
    for item, number in wanted:
        if any(change.item.pk == item.pk for change in changes):
            raise ChangeRefused(f"{item} is named twice. Add the numbers up.")
        was = (item.on_hand or 0) + item.pending
        covered = min(number, owed.get(item.pk, 0))
        will_be = {Verb.RECEIVE: was + number - covered, Verb.COUNT: number, Verb.TAKE: was - number}[verb]
        before = Movement.objects.filter(kind=KINDS[verb], reference=reference, item=item).first()
        if before is not None:
            # A count is a difference in the ledger, so only deliveries and removals can be compared.
            expected = {Verb.RECEIVE: number, Verb.TAKE: -number}.get(verb)
            if expected is not None and before.delta != expected:
                raise ChangeRefused(
                    f"The reference “{before.reference}” was used for {item} before, with {before.delta:+d}. "
                    "Use another reference for another change."
                )
            will_be, covered = was, 0
        changes.append(Change(item, verb, number, was, will_be, before is not None, covered))
    return changes


def apply_changes(
    changes: Sequence[Change],
    *,
    reference: str,
    reason: str,
    actor: str,
    expected: Mapping[int, int] | None = None,
) -> list[Movement]:
    """Record all changes or none. Returns the new movements; an item whose reference is known adds none.

    `expected`: item id to the units in stock that the change was based on. Raises ChangeRefused with every item that is
    refused, or whose stock is no longer the expected one.
    """
    refused: dict[Change, str] = {}
    movements: list[Movement] = []
    # By primary key, the order in which every writer locks items.
    ordered = sorted(changes, key=lambda change: change.item.pk)
    with transaction.atomic():
        for change in ordered if expected else []:
            item = StockItem.objects.select_for_update().get(pk=change.item.pk)
            units = (item.on_hand or 0) + item.pending
            was = expected.get(item.pk, units) if expected else units
            if units != was and not change.recorded_before:
                refused[change] = f"changed meanwhile from {was} to {units}"
        for change in ordered if not refused else []:
            try:
                movement = change.record(reference, reason, actor)
            except (ledger.NotEnoughUnits, ledger.CountTooLarge, ValueError) as exc:
                refused[change] = str(exc)
            else:
                movements += [movement] if movement else []
        if refused:
            text = " ".join(f"{change.item}: {why}" for change, why in refused.items())
            raise ChangeRefused(text, {change.item.pk: why for change, why in refused.items()})
    return movements
