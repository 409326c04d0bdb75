"""How can stock change? hold, release, sell, take_back, receive, count, adjust: one short transaction each.

Every verb inserts rows that the database lets in only once, and changes the sums in StockItem by
conditional UPDATEs in the order of primary keys. So a verb said twice counts once, two carts never wait
for each other in a circle, and nothing is decided by a number that somebody else may have changed since.
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

from config.fault_points import fault_point
from config.moments import in_local_time
from inventory import cases
from inventory.counts import MOST, signed
from inventory.models import Hold, Movement, ProductStock, StockItem
from inventory.rows import delete_returning, insert_new

logger = logging.getLogger(__name__)

# The fence is by our clock, a payment by Stripe's, which tells whole seconds: this near, nobody knows which came first.
TWO_CLOCKS = timedelta(seconds=5)
MOVEMENT_KEY = ("kind", "reference", "item_id")


@dataclass(frozen=True)
class Shortage:
    """One item of which less is there than was asked for."""

    item_id: int
    wanted: int
    available: int
    size: str = ""

    def __str__(self) -> str:
        text = _("%(wanted)d wanted, %(left)d left") % {"wanted": self.wanted, "left": self.available}
        return f"{text} ({self.size})" if self.size else text


class OutOfStock(Exception):
    """Not everything that was asked for is there; nothing was held. `shortages` names each item."""

    def __init__(self, shortages: list[Shortage]) -> None:
        super().__init__("; ".join(map(str, shortages)))
        self.shortages = shortages


class NotThere(Exception):
    """An adjustment would take more than there is; the text says how many are left."""


class Unreadable(ValueError):
    """What is there cannot be said here while the count at Stripe is no number; the text says where."""


class TooMany(Exception):
    """There would be more than a count of six digits can say; the text says how many there are."""


@dataclass(frozen=True)
class SaleLine:
    """One paid line. `reference` is the line's own; `paid_at` by Stripe's clock, for what a reading has already.

    `ours`: it was held in this database, so the item's ledger had begun before it was paid.
    """

    reference: str
    item_id: int
    quantity: int
    paid_at: datetime | None = None
    ours: bool = False


# --- Holds ------------------------------------------------------------------------------------


def hold(reference: str, demand: Mapping[int, int]) -> None:
    """Keep `demand` (item id to units) for the checkout `reference`: everything or nothing; harmless twice.

    Raises OutOfStock naming every item that is short, ValueError for quantities below 1.
    """
    _must_be_positive(demand.values())
    rows = [Hold(reference=reference, item_id=pk, quantity=demand[pk]) for pk in sorted(demand)]
    with transaction.atomic():
        new = insert_new(rows, unique=("item_id",))
        fault_point("hold.inserted")
        short = [row for row in new if not _set_aside(row.item_id, row.quantity)]
        if short:
            raise OutOfStock(_shortages({row.item_id: row.quantity for row in short}))
        fault_point("hold.set_aside")
    fault_point("hold.committed")


def _set_aside(item_id: int, quantity: int) -> bool:
    """The decision who gets the last one: one statement, so that nobody can come between look and leap."""
    enough = Q(state=StockItem.State.UNLIMITED) | Q(available__gte=quantity)
    return bool(StockItem.objects.filter(enough, pk=item_id, listed=True).update(held=F("held") + quantity))


def _shortages(wanted: Mapping[int, int]) -> list[Shortage]:
    found = StockItem.objects.in_bulk(list(wanted))
    return [
        Shortage(
            pk,
            quantity,
            (found[pk].available or 0) if pk in found and found[pk].listed else 0,
            found[pk].size if pk in found else "",
        )
        for pk, quantity in wanted.items()
    ]


def release(reference: str) -> int:
    """End the hold of `reference`; returns the units that came free, 0 if it had ended before."""
    with transaction.atomic():
        freed = _end_hold(reference)
        fault_point("release.deleted")
        for item_id in sorted(freed):
            StockItem.objects.filter(pk=item_id).update(held=F("held") - freed[item_id])
    fault_point("release.committed")
    return sum(freed.values())


def _end_hold(reference: str) -> dict[int, int]:
    """Delete the rows of a hold; item id to units of those that this transaction deleted."""
    rows: list[Any] = delete_returning(Hold, where={"reference": reference}, columns=("item", "quantity"))
    return dict(rows)


# --- Sales ------------------------------------------------------------------------------------


def sell(hold_reference: str, lines: Sequence[SaleLine], *, now: datetime, actor: str = "") -> list[Movement]:
    """Write down what was paid for and end the hold of the same checkout. Never refuses; harmless twice.

    Returns the movements that are new. What exceeds the stock opens a case, and so does what was paid before
    a restored database was read again: nobody but a person can say whether Stripe's count already has it.
    """
    _must_be_positive(line.quantity for line in lines)
    with transaction.atomic():
        freed = _end_hold(hold_reference)
        fault_point("sell.hold_ended")
        items = _locked_with_their_desks(line.item_id for line in lines)
        counted = [line for line in _in_order(lines) if not _is_fenced(items[line.item_id], line)]
        new = insert_new(
            [_sale(items[line.item_id], line, now, actor) for line in counted], unique=MOVEMENT_KEY
        )
        fault_point("sell.inserted")
        _move(pending=_sums(new), held={pk: -units for pk, units in freed.items()})
        fault_point("sell.counted")
        _tell(new)
    fault_point("sell.committed")
    return new


def _sale(item: StockItem, line: SaleLine, now: datetime, actor: str) -> Movement:
    uncounted = item.state == StockItem.State.UNLIMITED
    return Movement(
        item=item,
        kind=Movement.Kind.SALE,
        delta=0 if uncounted else -line.quantity,
        reference=line.reference,
        reason=f"{line.quantity} sold without counting" if uncounted else "",
        actor=actor,
        published_at=now if uncounted else None,
    )


def _locked_with_their_desks(pks: Iterable[int]) -> dict[int, StockItem]:
    """The items, kept from a look that adopts counts meanwhile; only then where their ledgers begin can be read."""
    ids = sorted(set(pks))
    list(StockItem.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    return {item.pk: item for item in _items(ids)}


def is_before(stock: ProductStock | None, paid_at: datetime | None, *, ours: bool) -> bool:
    """Was this paid before the reading from which the product's ledger goes on? What was held here is not before the
    first one, whatever the clocks say; before a restored database was read, it may be."""
    if stock is None or stock.fence is None or paid_at is None or (ours and not stock.adopted):
        return False
    return paid_at <= stock.fence


def _is_fenced(item: StockItem, line: SaleLine) -> bool:
    """Does Stripe's count have this sale already, or may it? If it is not certain, a person hears of it."""
    stock: ProductStock | None = getattr(item.product, "stock", None)
    if not is_before(stock, line.paid_at, ours=line.ours):
        return False
    assert stock and stock.fence and line.paid_at  # noqa: S101
    if stock.adopted or stock.fence - line.paid_at < TWO_CLOCKS:
        cases.open_case(
            cases.RESTORED if stock.adopted else cases.FIRST_LOOK,
            item.product_id,
            gettext_noop(
                "%(quantity)d of %(key)s were paid for at %(when)s (%(line)s). Is that in Stripe's count? "
                "If not, take it out by hand."
            ),
            quantity=line.quantity,
            key=item.key,
            when=in_local_time(line.paid_at),
            line=line.reference,
        )
    else:
        logger.info(
            "Not counted, it was before the shop's first look: %d of %s at %s (%s)",
            line.quantity,
            item.key,
            line.paid_at,
            line.reference,
        )
    return True


def take_back(
    sale_reference: str, quantity: int, *, reference: str, reason: str = "", actor: str = ""
) -> int:
    """Put units of a sale back on the shelf; `reference` names the return and makes it harmless twice.

    Returns the units that came back: never more than the sale took, whatever several returns ask for.
    """
    _must_be_positive([quantity])
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
    """Units that may come back of each sale whose reference begins with `prefix`: what it took, less what is back."""
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
    """A delivery came in. None if `reference` was written down before. Raises TooMany, Unreadable."""
    _must_be_positive([quantity])
    with transaction.atomic():
        return _fitting(_record(item_id, Movement.Kind.RECEIVED, quantity, reference, reason, actor))


def adjust(item_id: int, delta: int, *, reference: str, reason: str = "", actor: str = "") -> Movement | None:
    """Add or take units. None if `reference` was written down before.

    Raises NotThere if more are taken than are there, TooMany if more are added than can be counted, Unreadable.
    """
    with transaction.atomic():
        item = _locked(item_id)
        if _there(item) + delta < 0:
            raise NotThere(_("Only %(there)d are there.") % {"there": _there(item)})
        return _fitting(_record(item_id, Movement.Kind.ADJUSTED, delta, reference, reason, actor))


def count(
    item_id: int, counted: int, *, reference: str, reason: str = "", actor: str = ""
) -> Movement | None:
    """Somebody counted the shelf, held units included: the difference to what the ledger says is written down.

    None if nothing differs or `reference` was written down before. Raises Unreadable, and ValueError for no count.
    """
    if not 0 <= counted <= MOST:
        raise ValueError(_("A count is a whole number from 0 to %(most)d.") % {"most": MOST})
    with transaction.atomic():
        item = _locked(item_id)
        if item.state == StockItem.State.UNKNOWN:
            # Mending the text at Stripe says a number too: both together would count the shelf twice.
            raise Unreadable(_("Its count is unreadable: write what is there into the product at Stripe."))
        delta = counted - _there(item)
        return _record(item_id, Movement.Kind.COUNTED, delta, reference, reason, actor) if delta else None


def _record(item_id: int, kind: str, delta: int, reference: str, reason: str, actor: str) -> Movement | None:
    """One movement that Stripe has yet to hear of. Raises Unreadable before the item's first count, and ValueError for
    what is sold without counting."""
    item = _locked(item_id)
    _must_have_begun(item)
    if item.state == StockItem.State.UNLIMITED:
        raise ValueError(_("%(item)s is sold without counting.") % {"item": item})
    line = Movement(item=item, kind=kind, delta=delta, reference=reference, reason=reason, actor=actor)
    new = insert_new([line], unique=MOVEMENT_KEY)
    fault_point("record.inserted")
    _move(pending=_sums(new), held={})
    _tell(new)
    return new[0] if new else None


def _fitting(new: Movement | None) -> Movement | None:
    """A longer number at Stripe would be one that nobody can read. Raises TooMany, and the caller's transaction is undone.

    Returns and edits have happened and are not asked: should they add up to too much, the write tells of it.
    """
    if new is not None and new.delta > 0:
        there = _there(_locked(new.item_id))
        if there > MOST:
            text = _("A count has six digits at most: %(most)d. There are %(there)d already.")
            raise TooMany(text % {"most": MOST, "there": there - new.delta})
    return new


def _must_have_begun(item: StockItem) -> None:
    """Before its first count, a delivery would be counted twice: here, and in the number typed at Stripe."""
    if item.on_hand is None and item.state == StockItem.State.UNKNOWN:
        raise Unreadable(
            _("It has no count yet: write how many are there into the product at Stripe, as %(key)s.")
            % {"key": item.key}
        )


def _there(item: StockItem) -> int:
    """Units on the shelf, those in open checkouts included."""
    return (item.on_hand or 0) + item.pending


def _locked(item_id: int) -> StockItem:
    return StockItem.objects.select_for_update(of=("self",)).select_related("product").get(pk=item_id)


# --- Shared -----------------------------------------------------------------------------------


def _move(*, pending: Mapping[int, int], held: Mapping[int, int]) -> None:
    """Change the sums together with the rows they sum, items in the order of their primary keys."""
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
    return StockItem.objects.filter(pk__in=set(pks)).select_related("product__stock").order_by("pk")


def _must_be_positive(quantities: Iterable[int]) -> None:
    if any(not isinstance(quantity, int) or quantity < 1 for quantity in quantities):
        raise ValueError(_("A quantity is a whole number from 1."))


def _tell(new: Sequence[Movement]) -> None:
    """Log each movement and what it leaves; what exceeds the stock becomes a case."""
    after = {item.pk: item for item in _items(movement.item_id for movement in new)} if new else {}
    for movement in new:
        _log_after_commit(movement, after[movement.item_id])
    taken = {movement.item_id for movement in new if movement.delta < 0}
    for item in after.values():
        if item.pk in taken and item.state == StockItem.State.COUNTED and _there(item) < item.held:
            _open_shortfall(item)


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


def _open_shortfall(item: StockItem) -> None:
    sentence = gettext_noop(
        "%(item)s: %(there)d are there, %(held)d of them in open checkouts. More was sold than there was."
    )
    subject = f"{item.product_id} {item.key}"
    cases.open_case(cases.OVERSOLD, subject, sentence, item=item, there=_there(item), held=item.held)


def sums_that_drifted() -> list[str]:
    """Audit: where `held` or `pending` is not the sum of its rows, or the ledger not what it adds up to. Sentences."""
    items = StockItem.objects.select_related("product").order_by("pk")
    held = dict(Hold.objects.order_by().values_list("item").annotate(units=Sum("quantity")))
    waiting = Movement.objects.order_by().filter(published_at=None)
    pending = dict(waiting.values_list("item").annotate(units=Sum("delta")))
    told = Movement.objects.order_by().exclude(published_at=None)
    published = dict(told.values_list("item").annotate(units=Sum("delta")))
    found = []
    for item in items:
        for name, sums in (("held", held), ("pending", pending), ("on_hand", published)):
            says, adds_up_to = getattr(item, name) or 0, sums.get(item.pk, 0)
            if says != adds_up_to:
                found.append(f"{item} ({item.key}): {name} says {says}, its rows add up to {adds_up_to}.")
    return found
