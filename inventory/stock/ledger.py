"""Stock operations: hold, release, sell, take_back, receive, adjust and count, one short transaction each.

Each operation inserts rows under unique constraints and updates the sums in StockItem by conditional UPDATEs
in the order of primary keys. So every operation is idempotent, carts cannot deadlock, and no decision rests on
a value that may have changed since it was read.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from config.dates import format_local
from config.fault_points import fault_point
from inventory import issues
from inventory.db import delete_returning, insert_new
from inventory.models import Hold, Issue, Movement, ProductSync, StockItem
from inventory.stock.counts import MAX_COUNT, signed

logger = logging.getLogger(__name__)

# The cutoff is by our clock, a payment by Stripe's in whole seconds. Closer than this, their order is unknown.
CLOCK_SKEW = timedelta(seconds=5)
MOVEMENT_KEY = ("kind", "reference", "item_id")


@dataclass(frozen=True)
class Shortage:
    """An item with fewer units available than requested."""

    item_id: int
    wanted: int
    available: int
    size: str = ""

    def __str__(self) -> str:
        text = _("%(wanted)d wanted, %(left)d left") % {"wanted": self.wanted, "left": self.available}
        return f"{text} ({self.size})" if self.size else text


class InsufficientStock(Exception):
    """At least one item is short, so nothing was held. `shortages` lists every short item."""

    def __init__(self, shortages: list[Shortage]) -> None:
        super().__init__("; ".join(map(str, shortages)))
        self.shortages = shortages


class NotEnoughUnits(Exception):
    """An adjustment would remove more units than are in stock. The message says how many are left."""


class CountUnreadable(ValueError):
    """Stock cannot be entered here while the count at Stripe is missing or invalid. The message says what to correct."""


class CountTooLarge(Exception):
    """The count would exceed six digits. The message says how many units are in stock."""


@dataclass(frozen=True)
class SaleLine:
    """One paid line. `reference` is unique to the line. `paid_at` is Stripe's time, compared with the sales cutoff.

    `ours`: the units were held in this database, so the item's ledger had begun before the payment.
    """

    reference: str
    item_id: int
    quantity: int
    paid_at: datetime | None = None
    ours: bool = False


# --- Holds ------------------------------------------------------------------------------------


def hold(reference: str, demand: Mapping[int, int]) -> None:
    """Hold `demand` (item id to units) for the checkout `reference`: all or nothing, idempotent.

    Raises InsufficientStock with every short item, ValueError for quantities below 1.
    """
    _require_positive(demand.values())
    rows = [Hold(reference=reference, item_id=pk, quantity=demand[pk]) for pk in sorted(demand)]
    with transaction.atomic():
        new = insert_new(rows, unique=("item_id",))
        fault_point("hold.inserted")
        short = [row for row in new if not _reserve(row.item_id, row.quantity)]
        if short:
            raise InsufficientStock(_shortages({row.item_id: row.quantity for row in short}))
        fault_point("hold.set_aside")
    fault_point("hold.committed")


def _reserve(item_id: int, quantity: int) -> bool:
    enough = Q(state=StockItem.State.NOT_TRACKED) | Q(available__gte=quantity)
    # A single UPDATE checks and reserves atomically, so the last unit cannot be held twice.
    return bool(
        StockItem.objects.filter(enough, pk=item_id, is_listed=True).update(held=F("held") + quantity)
    )


def _shortages(wanted: Mapping[int, int]) -> list[Shortage]:
    items = StockItem.objects.in_bulk(list(wanted))
    return [
        Shortage(
            pk,
            quantity,
            (items[pk].available or 0) if pk in items and items[pk].is_listed else 0,
            items[pk].size if pk in items else "",
        )
        for pk, quantity in wanted.items()
    ]


def release(reference: str) -> int:
    """End the hold of `reference`. Returns the units released, 0 if it had ended before."""
    with transaction.atomic():
        freed = _end_hold(reference)
        fault_point("release.deleted")
        for item_id in sorted(freed):
            StockItem.objects.filter(pk=item_id).update(held=F("held") - freed[item_id])
    fault_point("release.committed")
    return sum(freed.values())


def _end_hold(reference: str) -> dict[int, int]:
    rows: list[Any] = delete_returning(Hold, where={"reference": reference}, columns=("item", "quantity"))
    return dict(rows)


# --- Sales ------------------------------------------------------------------------------------


def sell(hold_reference: str, lines: Sequence[SaleLine], *, now: datetime, actor: str = "") -> list[Movement]:
    """Record the paid lines as sales and end the checkout's hold. Never refuses; idempotent.

    Returns the new movements. Sales beyond the stock open an issue, and so do sales that were paid before a
    restored database was refreshed: only a person can decide whether Stripe's count already includes those.
    """
    _require_positive(line.quantity for line in lines)
    with transaction.atomic():
        freed = _end_hold(hold_reference)
        fault_point("sell.hold_ended")
        items = _locked_with_sync(line.item_id for line in lines)
        counted = [line for line in _in_order(lines) if not _is_past_cutoff(items[line.item_id], line)]
        new = insert_new(
            [_sale(items[line.item_id], line, now, actor) for line in counted], unique=MOVEMENT_KEY
        )
        fault_point("sell.inserted")
        _move(pending=_sums(new), held={pk: -units for pk, units in freed.items()})
        fault_point("sell.counted")
        _report(new)
    fault_point("sell.committed")
    return new


def _sale(item: StockItem, line: SaleLine, now: datetime, actor: str) -> Movement:
    uncounted = item.state == StockItem.State.NOT_TRACKED
    return Movement(
        item=item,
        kind=Movement.Kind.SALE,
        delta=0 if uncounted else -line.quantity,
        reference=line.reference,
        reason=f"{line.quantity} sold without counting" if uncounted else "",
        actor=actor,
        published_at=now if uncounted else None,
    )


def _locked_with_sync(pks: Iterable[int]) -> dict[int, StockItem]:
    ids = sorted(set(pks))
    # Lock before reading the sales cutoff: a concurrent refresh may accept Stripe's counts and move it.
    list(StockItem.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    return {item.pk: item for item in _items(ids)}


def is_before_cutoff(stock: ProductSync | None, paid_at: datetime | None, *, ours: bool) -> bool:
    """Whether the payment is older than the reading from which the product's ledger continues.

    Units held in this database are never older than the first reading, whatever the clocks say. They may be older
    than the reading after a restore.
    """
    if (
        stock is None
        or stock.sales_cutoff is None
        or paid_at is None
        or (ours and not stock.cutoff_from_restore)
    ):
        return False
    return paid_at <= stock.sales_cutoff


def _is_past_cutoff(item: StockItem, line: SaleLine) -> bool:
    """Whether Stripe's count includes this sale already, or may include it. Opens an issue if that is uncertain."""
    stock: ProductSync | None = getattr(item.product, "sync", None)
    if not is_before_cutoff(stock, line.paid_at, ours=line.ours):
        return False
    assert stock and stock.sales_cutoff and line.paid_at  # noqa: S101
    if stock.cutoff_from_restore or stock.sales_cutoff - line.paid_at < CLOCK_SKEW:
        issues.open_issue(
            Issue.Kind.RESTORED_DATABASE if stock.cutoff_from_restore else Issue.Kind.SALE_BEFORE_SYNC,
            item.product_id,
            gettext_noop(
                "%(quantity)d of %(key)s were paid for at %(when)s (%(line)s). Please check whether Stripe's count "
                "already includes this sale. If it does not, subtract it by hand."
            ),
            quantity=line.quantity,
            key=item.key,
            when=format_local(line.paid_at),
            line=line.reference,
        )
    else:
        logger.info(
            "Sale not counted, paid before the product was first read: %d of %s at %s (%s)",
            line.quantity,
            item.key,
            line.paid_at,
            line.reference,
        )
    return True


def restock(sale_reference: str, quantity: int, *, reference: str, reason: str = "", actor: str = "") -> int:
    """Return units of a sale to stock. `reference` names the return and makes it idempotent.

    Returns the units added: all returns of one sale together never exceed it.
    """
    _require_positive([quantity])
    with transaction.atomic():
        sale = Movement.objects.filter(kind=Movement.Kind.SALE, reference=sale_reference).first()
        if sale is None:
            return 0
        _locked(sale.item_id)
        units = min(quantity, returnable(sale_reference)[sale_reference])
        name = f"{sale_reference}/{reference}"
        if units <= 0 or not _record(sale.item_id, Movement.Kind.RETURNED, units, name, reason, actor):
            return 0
        return units


def returnable(prefix: str) -> Counter[str]:
    """Units that can still be returned, for each sale whose reference begins with `prefix`."""
    kinds = [Movement.Kind.SALE, Movement.Kind.RETURNED]
    rows = Movement.objects.filter(kind__in=kinds, reference__startswith=prefix)
    left: Counter[str] = Counter()
    for reference, delta in rows.values_list("reference", "delta"):
        left[reference.partition("/")[0]] -= delta
    return left


# --- What the owner does ----------------------------------------------------------------------


def receive(
    item_id: int, quantity: int, *, reference: str, reason: str = "", actor: str = ""
) -> Movement | None:
    """Add delivered units. None if `reference` was recorded before. Raises CountTooLarge, Unreadable."""
    _require_positive([quantity])
    with transaction.atomic():
        return _check_max(_record(item_id, Movement.Kind.RECEIVED, quantity, reference, reason, actor))


def adjust(item_id: int, delta: int, *, reference: str, reason: str = "", actor: str = "") -> Movement | None:
    """Add or remove units. None if `reference` was recorded before.

    Raises NotEnoughUnits if more are removed than are in stock, CountTooLarge if the count would exceed six digits, Unreadable.
    """
    with transaction.atomic():
        item = _locked(item_id)
        if _physical(item) + delta < 0:
            raise NotEnoughUnits(_("Only %(there)d in stock.") % {"there": _physical(item)})
        return _check_max(_record(item_id, Movement.Kind.ADJUSTED, delta, reference, reason, actor))


def set_count(
    item_id: int, counted: int, *, reference: str, reason: str = "", actor: str = ""
) -> Movement | None:
    """Set the stock to the units counted on the shelf, held units included, by recording the difference.

    None if nothing differs or `reference` was recorded before. Raises Unreadable, and ValueError outside 0 to MOST.
    """
    if not 0 <= counted <= MAX_COUNT:
        raise ValueError(_("A count is a whole number from 0 to %(most)d.") % {"most": MAX_COUNT})
    with transaction.atomic():
        item = _locked(item_id)
        if item.state == StockItem.State.UNKNOWN:
            # Correcting the value at Stripe sets a number too: both together would count the shelf twice.
            raise CountUnreadable(
                _("Its count is invalid. Enter the number in stock in the product's metadata at Stripe.")
            )
        delta = counted - _physical(item)
        return _record(item_id, Movement.Kind.COUNTED, delta, reference, reason, actor) if delta else None


def _record(item_id: int, kind: str, delta: int, reference: str, reason: str, actor: str) -> Movement | None:
    """Record one pending movement.

    Raises Unreadable before the item's first count, ValueError for items that are sold without counting.
    """
    item = _locked(item_id)
    _require_opened(item)
    if item.state == StockItem.State.NOT_TRACKED:
        raise ValueError(_("%(item)s is sold without counting.") % {"item": item})
    line = Movement(item=item, kind=kind, delta=delta, reference=reference, reason=reason, actor=actor)
    new = insert_new([line], unique=MOVEMENT_KEY)
    fault_point("record.inserted")
    _move(pending=_sums(new), held={})
    _report(new)
    return new[0] if new else None


def _check_max(new: Movement | None) -> Movement | None:
    """Raise CountTooLarge above six digits, which rolls back the caller's transaction. A longer count is invalid at Stripe.

    Returns and edits have already happened and are not checked. If they exceed the limit, the next stock update
    opens an issue.
    """
    if new is not None and new.delta > 0:
        there = _physical(_locked(new.item_id))
        if there > MAX_COUNT:
            text = _("A count has six digits at most: %(most)d. There are %(there)d already.")
            raise CountTooLarge(text % {"most": MAX_COUNT, "there": there - new.delta})
    return new


def _require_opened(item: StockItem) -> None:
    # Before the first count, a delivery would be counted twice: here, and in the number entered at Stripe.
    if item.on_hand is None and item.state == StockItem.State.UNKNOWN:
        raise CountUnreadable(
            _(
                "It has no count yet. Enter the number in stock in the product's metadata at Stripe, as %(key)s."
            )
            % {"key": item.key}
        )


def _physical(item: StockItem) -> int:
    return (item.on_hand or 0) + item.pending


def _locked(item_id: int) -> StockItem:
    return StockItem.objects.select_for_update(of=("self",)).select_related("product").get(pk=item_id)


# --- Shared -----------------------------------------------------------------------------------


def _move(*, pending: Mapping[int, int], held: Mapping[int, int]) -> None:
    # In the order of primary keys everywhere, so that concurrent transactions cannot deadlock.
    for item_id in sorted({*pending, *held}):
        StockItem.objects.filter(pk=item_id).update(
            pending=F("pending") + pending.get(item_id, 0), held=F("held") + held.get(item_id, 0)
        )


def _sums(movements: Iterable[Movement]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for movement in movements:
        sums[movement.item_id] = sums.get(movement.item_id, 0) + movement.delta
    return sums


def _in_order(lines: Sequence[SaleLine]) -> list[SaleLine]:
    return sorted(lines, key=lambda line: (line.item_id, line.reference))


def _items(pks: Iterable[int]) -> Iterable[StockItem]:
    return StockItem.objects.filter(pk__in=set(pks)).select_related("product__sync").order_by("pk")


def _require_positive(quantities: Iterable[int]) -> None:
    if any(not isinstance(quantity, int) or quantity < 1 for quantity in quantities):
        raise ValueError(_("A quantity is a whole number from 1."))


def _report(new: Sequence[Movement]) -> None:
    after = {item.pk: item for item in _items(movement.item_id for movement in new)} if new else {}
    for movement in new:
        _log_after_commit(movement, after[movement.item_id])
    taken = {movement.item_id for movement in new if movement.delta < 0}
    for item in after.values():
        if item.pk in taken and item.state == StockItem.State.COUNTED and _physical(item) < item.held:
            _open_oversold_issue(item)


def _log_after_commit(movement: Movement, item: StockItem) -> None:
    transaction.on_commit(lambda: _log(movement, item))


def _log(movement: Movement, item: StockItem) -> None:
    logger.info(
        "Counted: %s %s %s, %s left (%s)",
        movement.kind,
        signed(movement.delta),
        item,
        item.available if item.state == StockItem.State.COUNTED else item.get_state_display(),
        movement.reference,
    )
    if movement.delta >= 0 or item.state != StockItem.State.COUNTED:
        return
    if not item.available:
        logger.warning("Out of stock: %s", item)
    elif item.available <= settings.LOW_STOCK_THRESHOLD:
        logger.warning("Low stock: %s, %d left", item, item.available)


def _open_oversold_issue(item: StockItem) -> None:
    sentence = gettext_noop(
        "%(item)s: %(there)d in stock, %(held)d in open checkouts. More units are sold or held than are in stock."
    )
    subject = f"{item.product_id} {item.key}"
    issues.open_issue(
        Issue.Kind.OVERSOLD, subject, sentence, item=item, there=_physical(item), held=item.held
    )


def find_drift() -> list[str]:
    """Compare `held`, `pending` and `on_hand` of every item with its rows. Returns one sentence per mismatch."""
    items = StockItem.objects.select_related("product").order_by("pk")
    held = dict(Hold.objects.order_by().values_list("item").annotate(units=Sum("quantity")))
    waiting = Movement.objects.order_by().filter(published_at=None)
    pending = dict(waiting.values_list("item").annotate(units=Sum("delta")))
    done = Movement.objects.order_by().exclude(published_at=None)
    published = dict(done.values_list("item").annotate(units=Sum("delta")))
    problems = []
    for item in items:
        for name, sums in (("held", held), ("pending", pending), ("on_hand", published)):
            stored, total = getattr(item, name) or 0, sums.get(item.pk, 0)
            if stored != total:
                problems.append(f"{item} ({item.key}): {name} is {stored}, but its rows add up to {total}.")
    return problems
