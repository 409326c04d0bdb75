"""Publish pending movements to Stripe: one product at a time, many movements in one stock update.

The steps (docs/stock-protocol.md, Publishing), with no transaction open during a request to Stripe:
1. Claim the product. 2. Refresh it unless the last refresh is recent, and fetch the events behind a difference.
3. Freeze pending movements into a stock update. 4. Send it and act on the answer. 5. If the answer is lost for
good, find out whether the update was applied. 6. Release the claim.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from config.stripe_client import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    StripeCallError,
    is_configured,
)
from inventory import gateway, issues
from inventory.events import inbox
from inventory.leases import Lease, is_due, lease, lease_free
from inventory.models import Installation, Issue, Movement, ProductSync, StockItem, StockUpdate
from inventory.stock.metadata import VERSION_KEY, identify_version
from inventory.stripe_sync import backoff, missed_events, refresh, snapshot, updates
from shop import mirror
from shop.gateway import fetch_product

logger = logging.getLogger(__name__)

BATCH_SIZE = 10  # Maximum number of products per round, so that a worker can stop in between.
IDEMPOTENCY_KEY_TTL = timedelta(hours=20)  # Stripe keeps an idempotency key for at least 24 hours.
SUBJECT = "Stripe"
Parked = ProductSync.PauseReason


def publish_pending(now: datetime) -> int:
    """Publish the products that are due. Returns how many were processed; raises ConnectionFailed if Stripe answered for none."""
    if not is_configured():
        return 0
    chosen = list(
        pending_products(now)
        .order_by(F("next_attempt_at").asc(nulls_first=True))
        .values_list("pk", flat=True)[:BATCH_SIZE]
    )
    if not chosen or issues.is_open(Issue.Kind.PUBLISHING_STOPPED, SUBJECT):
        return 0
    done = 0
    for product_id in chosen:
        try:
            done += publish_product(product_id, now)
        except (AuthenticationFailed, PermissionDenied) as exc:
            _stop_publishing(exc)
            return done
        except ConnectionFailed:
            # The other products would only run into the same timeout.
            if done:
                return done
            raise
    return done


def pending_products(now: datetime | None = None) -> QuerySet[ProductSync]:
    counted = StockItem.objects.filter(product=OuterRef("pk"), state=StockItem.State.COUNTED)
    pending = Movement.objects.filter(
        item__product=OuterRef("pk"), item__state=StockItem.State.COUNTED, published_at=None
    )
    open_update = StockUpdate.objects.filter(product=OuterRef("pk"), state=StockUpdate.State.OPEN)
    has_work = Q(needs_version_bump=True) & Exists(counted) | Exists(pending) | Exists(open_update)
    stocks = ProductSync.objects.filter(has_work, pause_reason=Parked.NOT)
    if now is None:
        return stocks
    return stocks.filter(lease_free(), is_due("next_attempt_at", now))


def publish_product(product_id: str, now: datetime) -> bool:
    """Publish one product as far as possible now. False if it is paused or claimed by another worker.

    Raises StripeCallError where every other product would fail as well. A product that fails is retried with backoff.
    """
    with lease(product_id) as claim:
        if claim is None or not ProductSync.objects.filter(pk=product_id, pause_reason=Parked.NOT).exists():
            return False
        fault_point("publish.claimed")
        try:
            write = _open_update(product_id) or _next_update(claim, now)
            if write is not None and claim.renew():
                _send(write, now)
        except StripeCallError as exc:
            _defer(product_id, now)
            if not isinstance(exc, RateLimited | ServerError | InvalidRequest):
                raise
            logger.warning("Publishing %s is postponed: %s", product_id, exc)
        except Exception as exc:
            backoff.report_failure(
                Issue.Kind.PUBLISH_FAILED, product_id, exc, failures=_defer(product_id, now)
            )
    fault_point("publish.released")
    return True


# --- 2, 3: refresh and freeze -----------------------------------------------------------------


def _open_update(product_id: str) -> StockUpdate | None:
    write = updates.open_update(product_id)
    wanted = ProductSync.objects.filter(pk=product_id, refreshes_requested__gt=F("refreshes_done"))
    if write is None or not wanted.exists():
        return write
    # A requested refresh, as after a worker's start, comes before sending. If our rows come from a backup, the update
    # is outdated, and the refresh abandons it.
    refresh.refresh_product(product_id)
    return updates.open_update(product_id)


def _next_update(claim: Lease, now: datetime) -> StockUpdate | None:
    if not _ready_to_publish(claim.product_id, now):
        return None
    fault_point("publish.looked")
    return updates.create_update(claim)


def _ready_to_publish(product_id: str, now: datetime) -> bool:
    if not _is_fresh(product_id, now):
        refresh.refresh_product(product_id)
    stock = ProductSync.objects.get(pk=product_id)
    if stock.pause_reason:
        return False
    return not stock.differs or _fetch_missing_events(product_id, now)


def _is_fresh(product_id: str, now: datetime) -> bool:
    """Whether the last refresh is under a minute old, no other was requested since, and every count was valid."""
    unreadable = StockItem.objects.filter(
        product=OuterRef("pk"), is_listed=True, state=StockItem.State.UNKNOWN, on_hand__isnull=False
    )
    fresh = ProductSync.objects.filter(
        ~Exists(unreadable),
        pk=product_id,
        number__gt=0,
        refreshed_at__gt=now - refresh.FRESH,
        refreshed_at__lte=timezone.now(),
        refreshes_requested__lte=F("refreshes_done"),
    )
    return fresh.exists()


def _fetch_missing_events(product_id: str, now: datetime) -> bool:
    try:
        missed_events.fetch_product_events(now)
    except PermissionDenied as exc:
        sentence = _(
            "Its counts at Stripe differ from the ledger, and the API key has no permission to list the events that "
            "explain the difference: %(error)s"
        )
        issues.open_issue(Issue.Kind.UPDATE_REFUSED, product_id, sentence, error=exc)
        _pause(product_id, Parked.UNEXPLAINED)
        return False
    if not missed_events.handle_product_events(product_id, now):
        _defer(product_id, now)
        return False
    fault_point("publish.explained")
    return True


# --- 4: send ----------------------------------------------------------------------------------


def _send(write: StockUpdate, now: datetime) -> None:
    # Send the update, always the same bytes under the same idempotency key, and act on the answer.
    if now - (write.sent_at or write.created_at) > IDEMPOTENCY_KEY_TTL:
        _resolve_unknown_outcome(write, now)
        return
    StockUpdate.objects.filter(pk=write.pk, sent_at=None).update(sent_at=now)
    began = timezone.now()
    try:
        answer = gateway.update_metadata(
            write.product_id, updates.payload_of(write), key=write.idempotency_key
        )
    except ServerError:
        # Stripe would replay the failure for this idempotency key for a day.
        _resolve_unknown_outcome(write, now)
    except InvalidRequest as exc:
        _reject_update(write, exc, now)
    else:
        fault_point("publish.sent")
        _record_applied(write, now, answered=None if answer.replayed else began)


def _record_applied(write: StockUpdate, now: datetime, *, answered: datetime | None) -> None:
    if answered is None:
        updates.request_refresh(write.product_id)
    updates.apply_update(write.pk, now, answered=answered)
    # Spread the updates to stay below Stripe's 25 requests a second: a product costs an update and at times a refresh.
    gather = timedelta(seconds=min(max(1.0, 0.8 * pending_products().count()), 300.0))
    stock = ProductSync.objects.filter(pk=write.product_id)
    if stock.filter(attempts__gt=0).update(attempts=0):
        issues.close(Issue.Kind.PUBLISH_FAILED, write.product_id)
    stock.update(next_attempt_at=now + gather)
    fault_point("publish.applied")


def _reject_update(write: StockUpdate, refusal: InvalidRequest, now: datetime) -> None:
    # 400 or 404: a retry would be refused again. The movements wait until the owner has fixed the cause.
    updates.abandon_update(write.pk, now)
    sentence = _("Stripe refused the counts: %(refusal)s")
    issues.open_issue(Issue.Kind.UPDATE_REFUSED, write.product_id, sentence, refusal=refusal)
    if isinstance(refusal, NotFound):
        _pause(write.product_id, Parked.DELETED)
    else:
        _pause(write.product_id, Parked.REFUSED, f"{refusal}")


def _pause(product_id: str, why: str, by: str = "") -> None:
    ProductSync.objects.filter(pk=product_id).update(pause_reason=why, pause_detail=by[:500])


def resume_product(product_id: str) -> bool:
    """Resume a product whose problem is fixed. False if it is not paused, or paused by another shop's version tag."""
    resumable = ProductSync.objects.exclude(pause_reason__in=[Parked.NOT, Parked.FOREIGN])
    resumed = resumable.filter(pk=product_id).request_refresh(
        pause_reason=Parked.NOT, pause_detail="", next_attempt_at=None, attempts=0
    )
    issues.close(Issue.Kind.UPDATE_REFUSED, product_id)
    return bool(resumed)


# --- 5: find out ------------------------------------------------------------------------------


def _resolve_unknown_outcome(write: StockUpdate, now: datetime) -> None:
    """Find out whether an update without an answer was applied: by the version tag at Stripe, or by its event."""
    wanted = ProductSync.objects.values_list("refreshes_requested", flat=True).get(pk=write.product_id)
    product = fetch_product(write.product_id)
    mirror.upsert_product(product)
    fault_point("find_out.read")
    mark = identify_version(
        product.metadata.get(VERSION_KEY), shop=Installation.current(), product=product.id
    )
    if product.deleted or (mark.number or 0) > write.number:
        snapshot.apply_snapshot(product, wanted)
    elif mark.number == write.number or (mark.number is None and _event_arrived(write)):
        _record_applied(write, now, answered=None)
    else:
        updates.abandon_update(write.pk, now)
    fault_point("find_out.decided")


def _event_arrived(write: StockUpdate) -> bool:
    events = list(gateway.product_events(write.created_at - missed_events.OVERLAP))
    matching = [event for event in events if _idempotency_key_of(event) == write.idempotency_key]
    inbox.store_events(matching)
    return bool(matching)


def _idempotency_key_of(event: inbox.Json) -> str:
    request = event.get("request") or {}
    return request.get("idempotency_key") or ""


# --- Failures ---------------------------------------------------------------------------------


def _defer(product_id: str, now: datetime) -> int:
    stock = ProductSync.objects.get(pk=product_id)
    failures = backoff.next_count(stock.attempts)
    ProductSync.objects.filter(pk=product_id).update(
        next_attempt_at=now + backoff.wait_after(stock.attempts), attempts=failures
    )
    return failures


def _stop_publishing(exc: StripeCallError) -> None:
    # 401 or 403: every update fails until the key is corrected. A starting worker tries again.
    sentence = _(
        "No counts are sent to Stripe: %(error)s Correct the key, then close this issue or restart the worker."
    )
    issues.open_issue(Issue.Kind.PUBLISHING_STOPPED, SUBJECT, sentence, error=exc)


def resume(*, stopped_before: datetime | None = None) -> int:
    # Called when a worker starts: the key may have been corrected.
    return issues.close(Issue.Kind.PUBLISHING_STOPPED, SUBJECT, opened_before=stopped_before)
