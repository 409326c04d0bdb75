"""What becomes of a write? It is frozen, then applied or abandoned: one transaction each, and no network.

Lock order everywhere: the product's row in ProductStock first, then its items by primary key.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from inventory import cases, counts
from inventory.claims import Claim
from inventory.metadata import Mark, body
from inventory.models import MarkState, Movement, ProductStock, ShopIdentity, StockItem, StockWrite

logger = logging.getLogger(__name__)

Open, Applied, Abandoned = StockWrite.State.OPEN, StockWrite.State.APPLIED, StockWrite.State.ABANDONED


def open_write(product_id: str) -> StockWrite | None:
    return StockWrite.objects.filter(product=product_id, state=Open).first()


def key_prefix(product_id: str) -> str:
    """How the idempotency keys of all our writes of a product begin, those of lost rows too."""
    return f"{ShopIdentity.current()}/{product_id}/"


def number_in(key: str, product_id: str) -> int:
    """The number of the write that an idempotency key of ours names; 0 if it names none."""
    text = key.removeprefix(key_prefix(product_id)).partition("/")[0]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def body_of(write: StockWrite) -> dict[str, str]:
    """What is sent: the same bytes every time, whoever sends it."""
    return body(write.totals, Mark(ShopIdentity.current(), write.product_id, write.n))


# --- Freeze -----------------------------------------------------------------------------------


def freeze(claim: Claim) -> StockWrite | None:
    """Gather what is pending into one write under the next mark. None if there is nothing to say, or not for us."""
    prefix = key_prefix(claim.product_id)
    with transaction.atomic():
        stock = ProductStock.objects.locked(claim.product_id)
        if not claim.is_ours(stock) or stock.parked or open_write(stock.pk):
            return None
        if stock.lost_n > stock.n or stock.gap:
            return None  # Our rows are a backup's, or too old: the look that is wanted takes Stripe's counts first.
        items = _readable_items(stock.pk)
        if not stock.mark_wanted and not _waiting(items):
            return None
        write = _make_write(stock, items, prefix)
        fault_point("freeze.made")
    fault_point("freeze.committed")
    return write


def _readable_items(product_id: str) -> list[StockItem]:
    items = StockItem.objects.filter(product=product_id, state=StockItem.State.COUNTED)
    return list(items.select_for_update().order_by("pk"))


def _waiting(items: list[StockItem]) -> bool:
    return Movement.objects.filter(item__in=items, published_at=None).exists()


def _make_write(stock: ProductStock, items: list[StockItem], prefix: str) -> StockWrite:
    """The write, its movements, and its mark: all in the caller's transaction."""
    n = stock.n + 1
    totals = {item.key: _total(item, n) for item in items}
    write = StockWrite.objects.create(
        product_id=stock.pk,
        n=n,
        key=f"{prefix}{n}/{secrets.token_hex(8)}",
        totals=totals,
        created_at=timezone.now(),
    )
    Movement.objects.filter(item__in=items, published_at=None).update(write=write)
    MarkState.objects.create(product_id=stock.pk, n=n, counts=totals, by_write=True)
    ProductStock.objects.filter(pk=stock.pk).update(n=n, mark_wanted=False, differs=False)
    return write


def _total(item: StockItem, n: int) -> int:
    """The item's count after all that is pending; what is missing below 0, or too much to be said, is written down and told."""
    found, subject = counts.total(item.on_hand or 0, item.pending), f"{item.product_id} {item.key}"
    if found.shortfall:
        reason = "More was sold than there was; a count at Stripe is never below 0."
        _write_down(item, Movement.Kind.OVERSOLD, found.shortfall, n, reason)
        sentence = _(
            "%(units)d of %(key)s were sold that were not there: deliver them later, or give money back."
        )
        cases.open_case(cases.OVERSOLD, subject, sentence, units=found.shortfall, key=item.key)
    if found.surplus:
        _write_down(
            item, Movement.Kind.ADJUSTED, -found.surplus, n, "A count at Stripe has six digits at most."
        )
        sentence = _("%(units)d of %(key)s are there beyond %(most)d, which is all that a count can say.")
        cases.open_case(
            cases.TOO_MANY, subject, sentence, units=found.surplus, key=item.key, most=counts.MOST
        )
    return found.count


def _write_down(item: StockItem, kind: str, delta: int, n: int, reason: str) -> None:
    """What makes the ledger agree with the count that write `n` carries."""
    reference = f"write:{item.product_id}:{n}"
    Movement.objects.create(item=item, kind=kind, delta=delta, reference=reference, reason=reason)
    StockItem.objects.filter(pk=item.pk).update(pending=F("pending") + delta)


# --- Apply, abandon ---------------------------------------------------------------------------


def apply(write_id: int, now: datetime, *, answered: datetime | None = None) -> bool:
    """The write is at Stripe: its movements are published. False if that was known before.

    `answered`: when the request began whose own, first answer this is; it tells as much as a look.
    """
    with transaction.atomic():
        write = StockWrite.objects.get(pk=write_id)
        stock = ProductStock.objects.locked(write.product_id)
        changed = StockWrite.objects.filter(pk=write_id, state=Open).update(state=Applied, finished_at=now)
        if not changed:
            return False
        fault_point("apply.changed")
        _publish_movements(write, now)
        if _differs(write) or _was_looked_at_meanwhile(stock, write):
            want_look(stock.pk)
        if answered is not None:
            ProductStock.objects.filter(pk=stock.pk).update(looked_at=answered)
    logger.info("At Stripe: %s write %d %s", write.product_id, write.n, write.totals)
    fault_point("apply.committed")
    return True


def _was_looked_at_meanwhile(stock: ProductStock, write: StockWrite) -> bool:
    """A look with a write on its way compares nothing, so another must follow."""
    return stock.looked_at is not None and stock.looked_at >= write.created_at


def _publish_movements(write: StockWrite, now: datetime) -> None:
    riding = Movement.objects.filter(write=write, published_at=None)
    sums = dict(riding.order_by().values_list("item").annotate(units=Sum("delta")))
    riding.update(published_at=now)
    for item_id in sorted(sums):
        StockItem.objects.filter(pk=item_id).update(
            on_hand=F("on_hand") + sums[item_id], pending=F("pending") - sums[item_id]
        )


def _differs(write: StockWrite) -> bool:
    """Did an edit move the ledger while the write was on its way? Nobody knows yet which of them Stripe did last."""
    on_hand = dict(StockItem.objects.filter(product=write.product_id).values_list("key", "on_hand"))
    return any(on_hand.get(key) != count for key, count in write.totals.items())


def abandon(write_id: int, now: datetime) -> None:
    """Nothing proves that the write is at Stripe: its movements are gathered anew.

    Should it be there after all, the next total sets it right; being wrong here does no harm.
    """
    with transaction.atomic():
        write = StockWrite.objects.get(pk=write_id)
        ProductStock.objects.locked(write.product_id)
        write.refresh_from_db()
        if write.state != Open:
            return
        if write.seen:
            apply(write_id, now)
            return
        StockWrite.objects.filter(pk=write_id).update(state=Abandoned, finished_at=now)
        Movement.objects.filter(write=write, published_at=None).update(write=None)
        ProductStock.objects.filter(pk=write.product_id).want_look(mark_wanted=True)
    logger.warning("Abandoned: %s write %d", write.product_id, write.n)
    fault_point("abandon.committed")


def want_look(product_id: str) -> None:
    ProductStock.objects.filter(pk=product_id).want_look()


def remember_state(product_id: str, n: int, state: Mapping[str, int | None], *, by_write: bool) -> None:
    """Under mark n, these counts stood. What a write left is said once; edits follow, each state once."""
    readable = {key: count for key, count in state.items() if count is not None}
    if by_write:
        MarkState.objects.update_or_create(
            product_id=product_id, n=n, by_write=True, defaults={"counts": readable}
        )
    elif readable not in states_of(product_id, n):
        MarkState.objects.create(product_id=product_id, n=n, counts=readable)


def states_of(product_id: str, n: int) -> list[dict[str, int]]:
    """The states of mark n, what the write left first."""
    return list(MarkState.objects.filter(product=product_id, n=n).values_list("counts", flat=True))
