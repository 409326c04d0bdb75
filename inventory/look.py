"""What does a product look like at Stripe now? One read serves the mirror and the counts.

A look counts nothing but the first count of an item: it lists what is unreadable, parks a product that
another shop writes, adopts Stripe's counts when our database is older than Stripe, and says when something
differs. Edits are counted from events (inventory.observe).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from config.stripe_client import Busy, NotFound, Refused, StripeFailed, StripeTrouble, is_configured
from inventory import cases, catch_up, restore, setbacks, writes
from inventory.claims import claimed, due, free
from inventory.metadata import MARK_KEY, ONE_ITEM, Reading, Whose, read, read_key, whose
from inventory.models import Movement, ProductStock, ShopIdentity, StockItem, StockWrite
from shop import gateway, mirror
from shop.metadata import parse
from shop.models import Product

logger = logging.getLogger(__name__)

DELETED = "Deleted at Stripe."
FOREIGN = "Another shop writes its counts: "
A_ROUND = 20
FRESH = timedelta(seconds=60)

Pair = tuple[StockItem, Reading]


def look_at(product_id: str) -> mirror.Outcome:
    """Read one product from Stripe, mirror it, and take in what its metadata says of stock.

    Raises config.stripe_client.StripeTrouble.
    """
    wanted = _wanted([product_id]).get(product_id, 0)
    product = gateway.fetch_product(product_id)
    fault_point("look.read")
    outcome = mirror.store(product)
    fault_point("look.mirrored")
    take_in(product, wanted)
    fault_point("look.taken_in")
    return outcome


def look_at_wanted(now: datetime) -> int:
    """Look at the products of which something was heard. Returns how many were looked at.

    Raises StripeTrouble where no other product would fare better.
    """
    if not is_configured():
        return 0
    on_its_way = StockWrite.objects.filter(product=OuterRef("pk"), state=StockWrite.State.OPEN)
    chosen = wished().filter(free(), ~Exists(on_its_way), due("not_looked_before", now))
    return sum(_look_alone(pk, now) for pk in list(chosen.values_list("pk", flat=True)[:A_ROUND]))


def wished() -> QuerySet[ProductStock]:
    """The products of which a look is wanted."""
    return ProductStock.objects.filter(looks_wanted__gt=F("looks_done"))


def _look_alone(product_id: str, now: datetime) -> bool:
    """True if we looked. One product that fails, by Stripe's fault or ours, does not keep the others waiting."""
    with claimed(product_id) as claim:
        if claim is None:
            return False
        try:
            look_at(product_id)
        except (Busy, StripeFailed, Refused) as trouble:
            _put_off(product_id, now)
            logger.warning("Looking at %s is put off: %s", product_id, trouble)
            return False
        except StripeTrouble:
            raise
        except Exception as error:
            setbacks.tell(cases.LOOK_FAILED, product_id, error, failures=_put_off(product_id, now))
            return False
    return True


def _put_off(product_id: str, now: datetime) -> int:
    """Look again later, with growing gaps. Returns how often it has failed now."""
    stock = ProductStock.objects.get(pk=product_id)
    failures = setbacks.one_more(stock.look_failures)
    ProductStock.objects.filter(pk=product_id).update(
        not_looked_before=now + setbacks.wait_after(stock.look_failures), look_failures=failures
    )
    return failures


def want_all() -> int:
    """A worker starts: whatever happened meanwhile, each product is looked at before it is written."""
    return ProductStock.objects.update(looks_wanted=F("looks_wanted") + 1)


def want(product_ids: Iterable[str]) -> int:
    """Somebody wants these looked at; the worker does it."""
    return ProductStock.objects.filter(pk__in=product_ids).update(looks_wanted=F("looks_wanted") + 1)


def _wanted(product_ids: Iterable[str] | None = None) -> dict[str, int]:
    """Which wishes will a reading that begins now fulfil? Those that come later want another."""
    stocks = ProductStock.objects.all()
    if product_ids is not None:
        stocks = stocks.filter(pk__in=product_ids)
    return dict(stocks.values_list("pk", "looks_wanted"))


# --- The whole catalogue ----------------------------------------------------------------------


@dataclass
class Summary:
    """What a reading of the whole catalogue found; `problems` are sentences with the product's id before them."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        numbers = ", ".join(f"{self.counts[name]} {name}" for name in ("created", "updated", "unchanged"))
        return f"{numbers}, {len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"


Progress = Callable[[int, str], None]


def look_at_all(*, dry_run: bool = False, progress: Progress = lambda done, name: None) -> Summary:
    """Read every product of the account. With `dry_run`, say what would change and change nothing.

    `progress(done, name)` is called after each product. A product that cannot be stored is a problem, and the
    others are read all the same. Raises config.stripe_client.StripeTrouble; what was taken in before stays.
    """
    began, wanted = timezone.now(), _wanted()
    summary, seen = Summary(), set()
    for product in gateway.each_product():
        seen.add(product.id)
        _sum_up(product, wanted, summary, dry_run=dry_run)
        progress(len(seen), product.name)
    gone = Product.objects.filter(deleted=False, read_at__lte=began).exclude(pk__in=seen)
    for product_id in list(gone.values_list("pk", flat=True)):
        # It may only be new since the listing began: Stripe is asked before it counts as deleted.
        _sum_up(gateway.fetch_product(product_id), wanted, summary, dry_run=dry_run)
    return summary


def _sum_up(
    product: gateway.StripeProduct, wanted: dict[str, int], summary: Summary, *, dry_run: bool
) -> None:
    try:
        outcome = mirror.outcome_of(product) if dry_run else _store(product, wanted)
        problems = _problems(product)
    except Exception as error:
        logger.exception("%s cannot be stored", product.id)
        problem = f"it cannot be stored ({setbacks.in_a_line(error)})."
        summary.problems.append(f"{product.id} {product.name}: {problem}")
    else:
        summary.counts[outcome] += 1
        summary.problems += problems


def look_at_one(product_id: str, *, dry_run: bool = False) -> Summary:
    """The same for one product. Raises config.stripe_client.NotFound where neither Stripe nor the mirror knows it."""
    wanted = _wanted([product_id])
    product = gateway.fetch_product(product_id)
    if product.deleted and not Product.objects.filter(pk=product_id).exists():
        raise NotFound(f"Stripe has no product {product_id}.")
    outcome = mirror.outcome_of(product) if dry_run else mirror.store(product)
    if not dry_run:
        take_in(product, wanted.get(product_id, 0))
    return Summary(Counter({outcome: 1}), _problems(product))


def _store(product: gateway.StripeProduct, wanted: dict[str, int]) -> mirror.Outcome:
    outcome = mirror.store(product)
    if outcome != "unchanged" or _has_news(product):
        take_in(product, wanted.get(product.id, 0))
    return outcome


def _has_news(product: gateway.StripeProduct) -> bool:
    """A product that is as it was costs no write."""
    stock = ProductStock.objects.filter(pk=product.id).first()
    if stock is None or stock.looks_wanted > stock.looks_done:
        return True
    if product.deleted:
        return False
    known = {item.key: item for item in StockItem.objects.filter(product=product.id)}
    return _mark_is_news(stock, _mark(product)) or any(
        reading.key not in known or _differs_from(known[reading.key], reading)
        for reading in _readings(product)
    )


def _mark_is_news(stock: ProductStock, mark: Whose) -> bool:
    if mark.foreign:
        return mark.foreign != stock.taken_over and stock.parked != f"{FOREIGN}{mark.foreign}"
    return (mark.n or 0) != stock.n


def _differs_from(item: StockItem, reading: Reading) -> bool:
    if reading.count is not None:
        return item.state != StockItem.State.COUNTED or item.on_hand != reading.count
    return item.problem != reading.problem or (item.state == StockItem.State.UNLIMITED) != reading.unlimited


def _problems(product: gateway.StripeProduct) -> list[str]:
    """What the owner has to mend; nobody misses what is archived or deleted."""
    if product.deleted or not product.active:
        return []
    readings = [reading.problem for reading in _readings(product) if reading.problem]
    facts = mirror.fields_of(product)["problems"]
    return [f"{product.id} {product.name}: {text}" for text in [*facts, *readings]]


# --- Taking in --------------------------------------------------------------------------------


def take_in(product: gateway.StripeProduct, wanted: int) -> None:
    """What was read, in one transaction. `wanted`: how many looks were wanted when the reading began."""
    ShopIdentity.current()
    with transaction.atomic():
        stock, is_new = _desk(product)
        if stock is None or _is_overtaken(stock, product.read_at):
            return
        if product.deleted:
            stock.parked = stock.parked or DELETED
        else:
            # An edit may have been counted since the reading began: this reading is too old to begin a ledger with.
            _take_in_counts(stock, product, may_begin=is_new or stock.looks_wanted <= wanted)
        stock.looked_at = product.read_at
        stock.looks_done = max(stock.looks_done, wanted)
        if stock.look_failures:
            stock.look_failures, stock.not_looked_before = 0, None
            cases.close(cases.LOOK_FAILED, stock.pk)
        stock.save()


def _desk(product: gateway.StripeProduct) -> tuple[ProductStock | None, bool]:
    """The product's row, locked, and whether it is new; made at the first look, which is also its fence."""
    if not Product.objects.filter(pk=product.id).exists():
        return None, False
    is_new = False
    if not product.deleted:
        _row, is_new = ProductStock.objects.get_or_create(
            product_id=product.id, defaults={"fence": product.read_at}
        )
    return ProductStock.objects.select_for_update().filter(pk=product.id).first(), is_new


def _is_overtaken(stock: ProductStock, read_at: datetime) -> bool:
    """Was a younger reading taken in before? One from the future was made before the clock was set back."""
    return stock.looked_at is not None and read_at < stock.looked_at <= timezone.now()


def _take_in_counts(stock: ProductStock, product: gateway.StripeProduct, *, may_begin: bool) -> None:
    """`may_begin`: may a ledger begin, or go on, with the counts of this reading?"""
    pairs, mark = _pairs(product), _mark(product)
    if stock.parked == DELETED:
        stock.parked = ""
    if _is_parked_by(stock, mark):
        _open_items(pairs, product, may_begin=may_begin)
        return
    if restore.is_due(stock, mark):
        if may_begin:
            restore.adopt(stock, pairs, mark, product.read_at, product.updated_at)
        else:
            restore.postpone(stock, mark)
    _open_items(pairs, product, may_begin=may_begin)
    _compare(stock, pairs, mark)


def _is_parked_by(stock: ProductStock, mark: Whose) -> bool:
    """Another database's mark stops our writing until the owner takes over; its going away starts it again."""
    if mark.foreign and mark.foreign != stock.taken_over:
        stock.parked = f"{FOREIGN}{mark.foreign}"[:500]
        sentence = _(
            "Its mark is %(mark)s, which this shop's database did not write. Nothing is written until you say "
            "“manage.py sync_catalog --product %(product)s --take-over”."
        )
        cases.open_case(cases.FOREIGN_MARK, stock.pk, sentence, mark=mark.foreign, product=stock.pk)
        return True
    if stock.parked.startswith(FOREIGN):
        stock.parked = ""
        cases.close(cases.FOREIGN_MARK, stock.pk)
    return False


def _compare(stock: ProductStock, pairs: list[Pair], mark: Whose) -> None:
    """Wish for a write where Stripe shows other than the ledger says. While a write is on its way nothing can be said."""
    counted = [(item, reading) for item, reading in pairs if item.state == StockItem.State.COUNTED]
    if not counted or writes.open_write(stock.pk):
        return
    other = [item.key for item, reading in counted if item.on_hand != reading.count]
    stock.differs = stock.n > 0 and (bool(other) or mark.n != stock.n)
    stock.mark_wanted = stock.mark_wanted or stock.differs
    if stock.differs:
        logger.info("Differs at Stripe: %s %s, mark %s of %d", stock.pk, other, mark.n, stock.n)


# --- Items ------------------------------------------------------------------------------------


def _mark(product: gateway.StripeProduct) -> Whose:
    return whose(product.metadata.get(MARK_KEY), shop=ShopIdentity.current(), product=product.id)


def _readings(product: gateway.StripeProduct) -> list[Reading]:
    """One per size. None for a product to listen to or look at: without a price nothing of it is ever counted."""
    facts = parse(product.metadata)
    if facts.link and not product.prices and not facts.sizes and ONE_ITEM not in product.metadata:
        return []
    return read(product.metadata, facts.sizes)


def _pairs(product: gateway.StripeProduct) -> list[Pair]:
    """The product's items, those that are no longer listed among its sizes too, with what stands under their keys."""
    readings = _readings(product)
    items = {item.key: item for item in _locked_items(product.id)}
    missing = [reading for reading in readings if reading.key not in items]
    for reading in missing:
        StockItem.objects.create(product_id=product.id, key=reading.key, size=reading.size, listed=False)
    if missing:
        items = {item.key: item for item in _locked_items(product.id)}
    place = {reading.key: position for position, reading in enumerate(readings)}
    for item in items.values():
        item.listed, item.position = item.key in place, place.get(item.key, item.position)
    return [(item, read_key(product.metadata, item.key, item.size)) for item in items.values()]


def _locked_items(product_id: str) -> list[StockItem]:
    return list(StockItem.objects.filter(product=product_id).select_for_update().order_by("pk"))


def _open_items(pairs: list[Pair], product: gateway.StripeProduct, *, may_begin: bool) -> None:
    for item, reading in pairs:
        if may_begin and reading.count is not None:
            _begin(item, reading, product)
        item.state, item.problem = _state_of(item, reading)
        item.save(
            update_fields=["listed", "position", "state", "problem", "on_hand", "began_at", "began_with"]
        )


def _begin(item: StockItem, reading: Reading, product: gateway.StripeProduct) -> None:
    """A readable count: the ledger begins with it, or goes on where no event will say how it was mended."""
    if item.on_hand is None:
        _open_ledger(item, reading.count or 0, product)
    elif item.garbled and catch_up.nothing_more_will_come(item):
        _give_up_waiting(item, reading, product)


def _open_ledger(item: StockItem, count: int, product: gateway.StripeProduct) -> None:
    """The first count that was ever read: the ledger of this item begins with it."""
    Movement.objects.create(
        item=item,
        kind=Movement.Kind.OPENED,
        delta=count,
        reference=f"opened:{product.id}:{item.key}"[:255],
        actor="Stripe",
        published_at=product.read_at,
    )
    item.on_hand, item.began_at, item.began_with = count, product.updated_at, count


def _give_up_waiting(item: StockItem, reading: Reading, product: gateway.StripeProduct) -> None:
    """The count was unreadable, is whole again, and no event will ever say how: Stripe is believed, a person is asked."""
    restore.believe(item, reading, product.read_at, product.updated_at)
    sentence = _(
        "%(key)s was unreadable and is %(count)s now; what was edited meanwhile is not known. Please check."
    )
    subject = f"{item.product_id} {item.key}"
    cases.open_case(cases.UNREADABLE, subject, sentence, key=item.key, count=reading.count)


def _state_of(item: StockItem, reading: Reading) -> tuple[str, str]:
    if reading.unlimited:
        return StockItem.State.UNLIMITED, ""
    if reading.count is None:
        return StockItem.State.UNKNOWN, reading.problem[:500]
    if item.on_hand is None:
        return StockItem.State.UNKNOWN, f"{item.key} was edited while it was read; it is read again."
    if item.garbled:
        return StockItem.State.UNKNOWN, f"{item.key} was unreadable; its mending is not reported yet."
    return StockItem.State.COUNTED, ""


# --- Taking over ------------------------------------------------------------------------------


def take_over(product_id: str) -> str:
    """The owner says that this shop writes the product from now on. Returns the mark taken over, "" if there was none."""
    with transaction.atomic():
        stock = ProductStock.objects.select_for_update().filter(pk=product_id).first()
        if stock is None or not stock.parked.startswith(FOREIGN):
            return ""
        mark = stock.parked.removeprefix(FOREIGN)
        ProductStock.objects.filter(pk=product_id).update(
            taken_over=mark, parked="", mark_wanted=True, looks_wanted=F("looks_wanted") + 1
        )
        cases.close(cases.FOREIGN_MARK, product_id)
    return mark
