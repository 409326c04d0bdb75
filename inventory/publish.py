"""How does Stripe hear of pending movements? One product at a time, many movements in one write.

The steps, none of them inside a transaction while Stripe is asked (docs/stock-protocol.md, Publishing):
1. Claim the product. 2. Look, unless the last look is fresh; a difference is first explained by events.
3. Freeze what is pending into a write. 4. Send it; its answer decides. 5. Where no answer can be
had, look whether it happened. 6. Release.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from config.stripe_client import (
    Busy,
    NoAnswer,
    NotAllowed,
    NotFound,
    Refused,
    StripeFailed,
    StripeTrouble,
    WrongKey,
    is_configured,
)
from inventory import cases, catch_up, gateway, inbox, look, setbacks, taking_in, writes
from inventory.claims import Claim, claimed, due, free
from inventory.metadata import MARK_KEY, whose
from inventory.models import Movement, ProductStock, ShopIdentity, StockItem, StockWrite
from shop import mirror
from shop.gateway import fetch_product

logger = logging.getLogger(__name__)

A_ROUND = 10  # Products that one round takes at most, so that a worker can stop in between.
KEY_MEMORY = timedelta(hours=20)  # Stripe remembers an idempotency key for 24 hours at least.
SUBJECT = "Stripe"
Parked = ProductStock.Parked


def publish_waiting(now: datetime) -> int:
    """Publish what waits and is due. Returns how many products were worked on. Raises NoAnswer if that kept all waiting."""
    if not is_configured():
        return 0
    chosen = list(
        waiting(now).order_by(F("not_before").asc(nulls_first=True)).values_list("pk", flat=True)[:A_ROUND]
    )
    if not chosen or cases.is_open(cases.STOPPED, SUBJECT):
        return 0
    done = 0
    for product_id in chosen:
        try:
            done += publish_product(product_id, now)
        except (WrongKey, NotAllowed) as trouble:
            _stop(trouble)
            return done
        except NoAnswer:
            # The others would wait as long for nothing.
            if done:
                return done
            raise
    return done


def waiting(now: datetime | None = None) -> QuerySet[ProductStock]:
    """The products that have something to tell Stripe; with `now`, those that may be worked on."""
    counted = StockItem.objects.filter(product=OuterRef("pk"), state=StockItem.State.COUNTED)
    told = Movement.objects.filter(
        item__product=OuterRef("pk"), item__state=StockItem.State.COUNTED, published_at=None
    )
    on_its_way = StockWrite.objects.filter(product=OuterRef("pk"), state=StockWrite.State.OPEN)
    something = Q(mark_wanted=True) & Exists(counted) | Exists(told) | Exists(on_its_way)
    stocks = ProductStock.objects.filter(something, parked=Parked.NOT)
    if now is None:
        return stocks
    return stocks.filter(free(), due("not_before", now))


def publish_product(product_id: str, now: datetime) -> bool:
    """Bring one product's counts to Stripe, as far as it goes now. False if it is parked or somebody else works on it.

    Raises StripeTrouble where no other product would fare better. A product that fails has been put off.
    """
    with claimed(product_id) as claim:
        if claim is None or not ProductStock.objects.filter(pk=product_id, parked=Parked.NOT).exists():
            return False
        fault_point("publish.claimed")
        try:
            write = _open_write(product_id) or _next_write(claim, now)
            if write is not None and claim.renew():
                _deliver(write, now)
        except StripeTrouble as trouble:
            _put_off(product_id, now)
            if not isinstance(trouble, Busy | StripeFailed | Refused):
                raise
            logger.warning("Publishing %s is put off: %s", product_id, trouble)
        except Exception as error:
            setbacks.tell(cases.PUBLISH_FAILED, product_id, error, failures=_put_off(product_id, now))
    fault_point("publish.released")
    return True


# --- 2, 3: look and freeze --------------------------------------------------------------------


def _open_write(product_id: str) -> StockWrite | None:
    """A write that somebody else left open. Where a look is wanted, as when a worker starts, that comes first: should
    our rows be a backup's, the write is an old one, and the look abandons it."""
    write = writes.open_write(product_id)
    wanted = ProductStock.objects.filter(pk=product_id, looks_wanted__gt=F("looks_done"))
    if write is None or not wanted.exists():
        return write
    look.look_at(product_id)
    return writes.open_write(product_id)


def _next_write(claim: Claim, now: datetime) -> StockWrite | None:
    if not _knows_enough(claim.product_id, now):
        return None
    fault_point("publish.looked")
    return writes.freeze(claim)


def _knows_enough(product_id: str, now: datetime) -> bool:
    """Do we know what stands at Stripe, and what explains it? If not yet, the next round goes on."""
    if not _is_fresh(product_id, now):
        look.look_at(product_id)
    stock = ProductStock.objects.get(pk=product_id)
    if stock.parked:
        return False
    return not stock.differs or _explain(product_id, now)


def _is_fresh(product_id: str, now: datetime) -> bool:
    """Has anybody looked within a minute, nothing been heard since, and every count been readable?"""
    unreadable = StockItem.objects.filter(
        product=OuterRef("pk"), listed=True, state=StockItem.State.UNKNOWN, on_hand__isnull=False
    )
    fresh = ProductStock.objects.filter(
        ~Exists(unreadable),
        pk=product_id,
        n__gt=0,
        looked_at__gt=now - look.FRESH,
        looked_at__lte=timezone.now(),
        looks_wanted__lte=F("looks_done"),
    )
    return fresh.exists()


def _explain(product_id: str, now: datetime) -> bool:
    """Count the edits that a difference may come from, before a total replaces it. False: not all could be counted."""
    try:
        catch_up.fetch_product_events(now)
    except NotAllowed as trouble:
        sentence = _(
            "Its counts differ from the ledger, and the key may not list events to find out why: %(trouble)s"
        )
        cases.open_case(cases.REFUSED, product_id, sentence, trouble=trouble)
        _park(product_id, Parked.UNEXPLAINED)
        return False
    if not catch_up.handle_product_events(product_id, now):
        _put_off(product_id, now)
        return False
    fault_point("publish.explained")
    return True


# --- 4: send ----------------------------------------------------------------------------------


def _deliver(write: StockWrite, now: datetime) -> None:
    """Send the write, the same bytes under the same key whoever sends it, and do as the answer says."""
    if now - (write.sent_at or write.created_at) > KEY_MEMORY:
        _find_out(write, now)
        return
    StockWrite.objects.filter(pk=write.pk, sent_at=None).update(sent_at=now)
    began = timezone.now()
    try:
        answer = gateway.write_metadata(write.product_id, writes.body_of(write), key=write.key)
    except StripeFailed:
        # The failure is what Stripe would answer to this key for a day.
        _find_out(write, now)
    except Refused as refusal:
        _give_up(write, refusal, now)
    else:
        fault_point("publish.sent")
        _applied(write, now, answered=None if answer.replayed else began)


def _applied(write: StockWrite, now: datetime, *, answered: datetime | None) -> None:
    if answered is None:
        writes.want_look(write.product_id)
    writes.apply(write.pk, now, answered=answered)
    # 25 requests a second, and a product costs a look and a write now and then: so nobody waits for a turn in vain.
    gather = timedelta(seconds=min(max(1.0, 0.8 * waiting().count()), 300.0))
    stock = ProductStock.objects.filter(pk=write.product_id)
    if stock.filter(failures__gt=0).update(failures=0):
        cases.close(cases.PUBLISH_FAILED, write.product_id)
    stock.update(not_before=now + gather)
    fault_point("publish.applied")


def _give_up(write: StockWrite, refusal: Refused, now: datetime) -> None:
    """400 or 404: sending it again would be refused again. The movements wait until the owner has mended it."""
    writes.abandon(write.pk, now)
    sentence = _("Stripe refused the counts: %(refusal)s")
    cases.open_case(cases.REFUSED, write.product_id, sentence, refusal=refusal)
    if isinstance(refusal, NotFound):
        _park(write.product_id, Parked.DELETED)
    else:
        _park(write.product_id, Parked.REFUSED, f"{refusal}")


def _park(product_id: str, why: str, by: str = "") -> None:
    ProductStock.objects.filter(pk=product_id).update(parked=why, parked_by=by[:500])


def unpark(product_id: str) -> bool:
    """The owner has mended what stopped the product's writes. False if nothing did, or another shop's mark does."""
    ours = ProductStock.objects.exclude(parked__in=[Parked.NOT, Parked.FOREIGN])
    unparked = ours.filter(pk=product_id).want_look(
        parked=Parked.NOT, parked_by="", not_before=None, failures=0
    )
    cases.close(cases.REFUSED, product_id)
    return bool(unparked)


# --- 5: find out ------------------------------------------------------------------------------


def _find_out(write: StockWrite, now: datetime) -> None:
    """Did a write happen whose answer is lost for good? The mark at Stripe says it, else the event of the write."""
    wanted = ProductStock.objects.values_list("looks_wanted", flat=True).get(pk=write.product_id)
    product = fetch_product(write.product_id)
    mirror.store(product)
    fault_point("find_out.read")
    mark = whose(product.metadata.get(MARK_KEY), shop=ShopIdentity.current(), product=product.id)
    if product.deleted or (mark.n or 0) > write.n:
        taking_in.take_in(product, wanted)
    elif mark.n == write.n or (mark.n is None and _its_event_is_there(write)):
        _applied(write, now, answered=None)
    else:
        writes.abandon(write.pk, now)
    fault_point("find_out.decided")


def _its_event_is_there(write: StockWrite) -> bool:
    events = list(gateway.product_events(write.created_at - catch_up.OVERLAP))
    ours = [event for event in events if _key_of(event) == write.key]
    inbox.remember(ours)
    return bool(ours)


def _key_of(event: inbox.Json) -> str:
    request = event.get("request") or {}
    return request.get("idempotency_key") or ""


# --- When Stripe does not want to -------------------------------------------------------------


def _put_off(product_id: str, now: datetime) -> int:
    """Try again later, with growing gaps; the open write stays as it is. Returns how often it has failed now."""
    stock = ProductStock.objects.get(pk=product_id)
    failures = setbacks.one_more(stock.failures)
    ProductStock.objects.filter(pk=product_id).update(
        not_before=now + setbacks.wait_after(stock.failures), failures=failures
    )
    return failures


def _stop(trouble: StripeTrouble) -> None:
    """401 or 403: no write will pass until the key is mended. A worker that starts tries again."""
    sentence = _(
        "No count is written to Stripe: %(trouble)s Mend the key, then close this case or start the worker again."
    )
    cases.open_case(cases.STOPPED, SUBJECT, sentence, trouble=trouble)


def resume(*, stopped_before: datetime | None = None) -> int:
    """A worker starts, perhaps with a better key."""
    return cases.close(cases.STOPPED, SUBJECT, opened_before=stopped_before)
