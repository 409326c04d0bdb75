"""Stock operations: hold, release, sell, restock, receive, adjust and set_count, one short transaction each.

Each operation inserts rows under unique constraints and updates the sums in StockItem by conditional UPDATEs
in the order of primary keys. So every operation is idempotent, carts cannot deadlock, and no decision rests on
a value that may have changed since it was read.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum, Value
from django.db.models.lookups import LessThanOrEqual
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from config.dates import format_local
from config.fault_points import fault_point
from inventory import issues
from inventory.db import delete_returning, insert_new
from inventory.models import Hold, Issue, Movement, OversoldDecision, ProductSync, StockItem
from inventory.stock.counts import MAX_COUNT

logger = logging.getLogger(__name__)

# The cutoff is by our clock, a payment by Stripe's in whole seconds. Closer than this, their order is unknown.
CLOCK_SKEW = timedelta(seconds=5)
MOVEMENT_KEY = ("kind", "reference", "item_id")
# Without the texts of the product's page.
NEEDED_FOR_A_SALE = (
    *("product__name", "key", "size", "state", "on_hand", "pending", "held"),
    *("product__sync__sales_cutoff", "product__sync__cutoff_from_restore"),
)


@dataclass(frozen=True)
class Shortage:
    """An item with fewer units available than requested."""

    item_id: int
    wanted: int
    available: int
    size: str = ""

    @classmethod
    def of(cls, row: Hold, item: StockItem | None) -> Shortage:
        if item is None:
            return cls(row.item_id, row.quantity, available=0)
        available = (item.available or 0) if item.is_listed else 0
        return cls(row.item_id, row.quantity, available, item.size)

    def __str__(self) -> str:
        text = _("%(wanted)d wanted, %(left)d left") % {"wanted": self.wanted, "left": self.available}
        return f"{text} ({self.size})" if self.size else text


class InsufficientStock(Exception):
    """At least one item is short, so nothing was held. `shortages` lists every short item."""

    def __init__(self, shortages: list[Shortage]) -> None:
        super().__init__("; ".join(map(str, shortages)))
        self.shortages = shortages


class RushLimited(InsufficientStock):
    """There are enough units, but others are holding many of them. `items`: those of which less may be held."""

    def __init__(self, shortages: list[Shortage], items: list[StockItem]) -> None:
        super().__init__(shortages)
        self.items = items


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


@dataclass(frozen=True)
class Rush:
    """Where unpaid checkouts hold more than `percent` of a size, each may hold one unit, or 0.5 % of the size.

    So those who come first cannot take it all, and one unit is never refused while there is one.
    """

    percent: int
    per_checkout = 200  # One of so many units.

    def condition(self, quantity: int) -> Q:
        units = F("on_hand") + F("pending")
        is_calm = LessThanOrEqual(F("held") * 100, units * self.percent)
        is_small_part = LessThanOrEqual(Value(quantity * self.per_checkout), units)
        return Q(is_calm) | Q(is_small_part)


def hold(reference: str, demand: Mapping[int, int], *, rush: Rush | None = None) -> None:
    """Hold `demand` (item id to units) for the checkout `reference`: all or nothing, idempotent.

    Raises InsufficientStock with every short item, RushLimited if there are enough units but `rush` keeps them for
    others, ValueError for quantities below 1.
    """
    _check_quantities(demand.values())
    rows = [Hold(reference=reference, item_id=pk, quantity=demand[pk]) for pk in sorted(demand)]
    with transaction.atomic():
        new = insert_new(rows, unique=("item_id",))
        fault_point("hold.inserted")
        short = [row for row in new if not _reserve(row.item_id, row.quantity, rush)]
        if short:
            items = StockItem.objects.in_bulk([row.item_id for row in short])
            shortages = [Shortage.of(row, items.get(row.item_id)) for row in short]
            kept = [each for each in items.values() if (each.available or 0) >= demand[each.pk]]
            raise (
                RushLimited(shortages, kept)
                if rush and len(kept) == len(short)
                else InsufficientStock(shortages)
            )
        fault_point("hold.set_aside")
    fault_point("hold.committed")


def _reserve(item_id: int, quantity: int, rush: Rush | None) -> bool:
    is_available = Q(available__gte=quantity)
    if rush and quantity > 1:
        is_available &= rush.condition(quantity)
    enough = Q(state=StockItem.State.NOT_TRACKED) | is_available
    # A single UPDATE checks and reserves atomically, so the last unit cannot be held twice.
    return bool(
        StockItem.objects.filter(enough, pk=item_id, is_listed=True).update(held=F("held") + quantity)
    )


def release(reference: str) -> int:
    """End the hold of `reference`. Returns the units released, 0 if it had ended before."""
    with transaction.atomic():
        rows = delete_returning(Hold, where="reference", values=[reference], columns=("item_id", "quantity"))
        fault_point("release.deleted")
        for item_id, units in sorted(rows):
            StockItem.objects.filter(pk=item_id).update(held=F("held") - units)
    fault_point("release.committed")
    return sum(units for _item_id, units in rows)


# --- Sales ------------------------------------------------------------------------------------


def sell(
    hold_references: Sequence[str], lines: Sequence[SaleLine], *, now: datetime, actor: str = ""
) -> list[Movement]:
    """Record the paid lines as sales and end the holds of their checkouts. Never refuses; idempotent.

    Returns the new movements. Sales beyond the stock open an issue, and so do sales that were paid before a
    restored database was refreshed: only a person can decide whether Stripe's count already includes those.
    """
    _check_quantities(line.quantity for line in lines)
    with transaction.atomic():
        held: Counter[int] = Counter()
        for item_id, units in delete_returning(
            Hold, where="reference", values=hold_references, columns=("item_id", "quantity")
        ):
            held[item_id] -= units
        fault_point("sell.hold_ended")
        ids = {*held, *(line.item_id for line in lines)}
        # Lock before reading the sales cutoff: a concurrent refresh may accept Stripe's counts and move it.
        locked = StockItem.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
        list(locked.values_list("pk"))
        items = StockItem.objects.only(*NEEDED_FOR_A_SALE).select_related("product__sync").in_bulk(ids)
        sales = []
        for line in sorted(lines, key=lambda line: (line.item_id, line.reference)):
            item = items[line.item_id]
            sync: ProductSync | None = getattr(item.product, "sync", None)
            if is_before_cutoff(sync, line.paid_at, ours=line.ours):
                _report_not_counted(item, line)
                continue
            # The sale of an item that is not tracked changes no count and is not sent to Stripe.
            is_tracked = item.state != StockItem.State.NOT_TRACKED
            sales.append(
                Movement(
                    item=item,
                    kind=Movement.Kind.SALE,
                    delta=-line.quantity if is_tracked else 0,
                    reference=line.reference,
                    reason="" if is_tracked else f"{line.quantity} sold without counting",
                    actor=actor,
                    published_at=None if is_tracked else now,
                )
            )
        new = insert_new(sales, unique=MOVEMENT_KEY)
        fault_point("sell.inserted")
        _count(items, new, held)
        fault_point("sell.counted")
    fault_point("sell.committed")
    return new


def is_before_cutoff(sync: ProductSync | None, paid_at: datetime | None, *, ours: bool) -> bool:
    """Whether the payment is older than the reading from which the product's ledger continues.

    Units held in this database are never older than the first reading, whatever the clocks say. They may be older
    than the reading after a restore.
    """
    if (
        sync is None
        or sync.sales_cutoff is None
        or paid_at is None
        or (ours and not sync.cutoff_from_restore)
    ):
        return False
    return paid_at <= sync.sales_cutoff


def _report_not_counted(item: StockItem, line: SaleLine) -> None:
    # Stripe's count includes this sale already, or may include it: then an issue asks the owner to check.
    sync: ProductSync = item.product.sync
    assert sync.sales_cutoff and line.paid_at  # noqa: S101 -- else it is not before the cutoff
    if sync.cutoff_from_restore or sync.sales_cutoff - line.paid_at < CLOCK_SKEW:
        issues.open_issue(
            Issue.Kind.RESTORED_DATABASE if sync.cutoff_from_restore else Issue.Kind.SALE_BEFORE_SYNC,
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


def restock(sale_reference: str, quantity: int, *, reference: str, reason: str = "", actor: str = "") -> int:
    """Return units of a sale to stock. `reference` names the return and makes it idempotent.

    Returns the units added: all returns of one sale together never exceed it.
    """
    _check_quantities([quantity])
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
    """Add delivered units. None if `reference` was recorded before. Raises CountTooLarge, CountUnreadable.

    Units that are owed to oversold orders are taken off by a second movement.
    """
    _check_quantities([quantity])
    with transaction.atomic():
        new = _check_max(_record(item_id, Movement.Kind.RECEIVED, quantity, reference, reason, actor))
        if new is not None:
            cover_owed(item_id, quantity, reference=reference, actor=actor)
        return new


def cover_owed(item_id: int, units: int, *, reference: str, actor: str) -> int:
    """Take up to `units` that have arrived for orders that were oversold. Returns how many. Inside a transaction."""
    covered = 0
    for decision in OversoldDecision.objects.filter(item=item_id, owed__gt=0).order_by("id"):
        taken = min(decision.owed, units - covered)
        OversoldDecision.objects.filter(pk=decision.pk).update(owed=F("owed") - taken)
        covered += taken
    if covered:
        reason = "for orders that were oversold"
        record_oversold(item_id, -covered, reference=reference, reason=reason, actor=actor)
    return covered


def record_oversold(item_id: int, delta: int, *, reference: str, reason: str, actor: str) -> None:
    _record(item_id, Movement.Kind.OVERSOLD, delta, reference, reason, actor)


def adjust(item_id: int, delta: int, *, reference: str, reason: str = "", actor: str = "") -> Movement | None:
    """Add or remove units. None if `reference` was recorded before.

    Raises NotEnoughUnits if more are removed than are in stock, CountTooLarge, CountUnreadable.
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

    None if nothing differs or `reference` was recorded before. Raises CountUnreadable, and ValueError outside 0 to
    MAX_COUNT.
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


def record_many(
    kind: str, deltas: Mapping[StockItem, int], *, reference: str, reason: str, actor: str
) -> int:
    """Record one pending movement for each item, in few statements. Returns how many are new.

    The caller's transaction has locked the items in the order of primary keys, and has checked that they are counted and
    that no count becomes negative or too large.
    """
    lines = [
        Movement(item=item, kind=kind, delta=deltas[item], reference=reference, reason=reason, actor=actor)
        for item in sorted(deltas, key=lambda item: item.pk)
    ]
    new = insert_new(lines, unique=MOVEMENT_KEY)
    _count({item.pk: item for item in deltas}, new)
    return len(new)


def _record(item_id: int, kind: str, delta: int, reference: str, reason: str, actor: str) -> Movement | None:
    # Record one pending movement.
    # Raises CountUnreadable before the item's first count, ValueError for items that are sold without counting.
    item = _locked(item_id)
    if item.on_hand is None and item.state == StockItem.State.UNKNOWN:
        # A delivery would be counted twice: here, and in the number entered at Stripe.
        text = _(
            "It has no count yet. Enter the number in stock in the product's metadata at Stripe, as %(key)s."
        )
        raise CountUnreadable(text % {"key": item.key})
    if item.state == StockItem.State.NOT_TRACKED:
        raise ValueError(_("%(item)s is sold without counting.") % {"item": item})
    line = Movement(item=item, kind=kind, delta=delta, reference=reference, reason=reason, actor=actor)
    new = insert_new([line], unique=MOVEMENT_KEY)
    fault_point("record.inserted")
    _count({item_id: item}, new)
    return new[0] if new else None


def _check_max(new: Movement | None) -> Movement | None:
    # Raise CountTooLarge above six digits, which rolls back the caller's transaction. A longer count is invalid at
    # Stripe.
    # Returns and edits have already happened and are not checked. If they exceed the limit, the next stock update
    # opens an issue.
    if new is not None and new.delta > 0:
        there = _physical(new.item)
        if there > MAX_COUNT:
            text = _("A count has six digits at most: %(most)d. There are %(there)d already.")
            raise CountTooLarge(text % {"most": MAX_COUNT, "there": there - new.delta})
    return new


def _physical(item: StockItem) -> int:
    return (item.on_hand or 0) + item.pending


def _locked(item_id: int) -> StockItem:
    return StockItem.objects.select_for_update(of=("self",)).select_related("product").get(pk=item_id)


# --- Shared -----------------------------------------------------------------------------------


def _count(
    items: Mapping[int, StockItem], new: Sequence[Movement], held: Mapping[int, int] | None = None
) -> None:
    # Add new movements to `pending`, and `held` to the units held: in the database, and in `items`, which are locked.
    # Issues are opened in this transaction, and lines logged after it.
    changes = {item_id: [0, units] for item_id, units in (held or {}).items()}
    for movement in new:
        changes.setdefault(movement.item_id, [0, 0])[0] += movement.delta
    # One UPDATE for all items that change alike.
    alike = defaultdict[tuple[int, int], list[int]](list)
    for item_id, (pending, units) in changes.items():
        items[item_id].pending += pending
        items[item_id].held += units
        alike[pending, units].append(item_id)
    for (pending, units), ids in alike.items():
        StockItem.objects.filter(pk__in=ids).update(pending=F("pending") + pending, held=F("held") + units)
    if new:
        transaction.on_commit(partial(_log, new))
    for item in dict.fromkeys(movement.item for movement in new if movement.delta < 0):
        if item.state == StockItem.State.COUNTED and _physical(item) < item.held:
            issues.open_issue(
                Issue.Kind.OVERSOLD,
                f"{item.product_id} {item.key}",
                gettext_noop(
                    "%(item)s: %(there)d in stock, %(held)d in open checkouts. More units are sold or held than are "
                    "in stock."
                ),
                item=item,
                there=_physical(item),
                held=item.held,
            )


def _check_quantities(quantities: Iterable[int]) -> None:
    if any(not isinstance(quantity, int) or quantity < 1 for quantity in quantities):
        raise ValueError(_("A quantity is a whole number from 1."))


def _log(new: Sequence[Movement]) -> None:
    for movement in new:
        item, is_counted = movement.item, movement.item.state == StockItem.State.COUNTED
        left = max(0, _physical(item) - item.held)
        logger.info(
            "Counted: %s %+d %s, %s left (%s)",
            movement.kind,
            movement.delta,
            item,
            left if is_counted else item.get_state_display(),
            movement.reference,
        )
        if movement.delta >= 0 or not is_counted:
            continue
        if not left:
            logger.warning("Out of stock: %s", item)
        elif left <= settings.LOW_STOCK_THRESHOLD:
            logger.warning("Low stock: %s, %d left", item, left)


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
