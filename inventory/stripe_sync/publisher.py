"""Publish pending movements to Stripe: one product at a time, many movements in one stock update.

`publish_product` has the steps of docs/stock-protocol.md, Publishing: lease, refresh, prepare, send, apply. No
transaction is open during a request to Stripe.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.fault_points import fault_point
from config.kept_queries import KeptQuery, any_rows, count_rows
from config.logs import log_context
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
from inventory.leases import is_due, lease, lease_free
from inventory.models import Installation, Issue, Movement, ProductSync, StockItem, StockUpdate, StripeEvent
from inventory.stock.metadata import update_payload
from inventory.stripe_sync import backoff, missed_events, refresh, snapshot, updates
from shop import mirror
from shop.gateway import fetch_product

logger = logging.getLogger(__name__)

BATCH_SIZE = 10  # Maximum number of products per round, so that a worker can stop in between.
IDEMPOTENCY_KEY_TTL = timedelta(hours=20)  # Stripe keeps an idempotency key for at least 24 hours.
# Movements gather for an update while sales go on. When no sale came for a moment, what has gathered is sent at once.
QUIET = timedelta(seconds=0.4)
MIN_PAUSE = timedelta(seconds=1)  # between two updates of a product
# Seconds until the next attempt. Stripe counts the requests of each second, so there is room again soon.
AFTER_LIMIT = 0.25
SUBJECT = "Stripe"
PauseReason = ProductSync.PauseReason

_SYNC = KeptQuery(lambda product_id: ProductSync.objects.filter(pk=product_id))
_SALES_SINCE = KeptQuery(
    lambda moment: Movement.objects.filter(kind=Movement.Kind.SALE, created_at__gt=moment)
)


def publish_pending(now: datetime) -> int:
    """Publish the products that are due. Returns how many were processed.

    Raises ConnectionFailed if Stripe did not answer for the first of them.
    """
    if not is_configured():
        return 0
    # Without a valid key nothing is sent, until a worker starts or the owner closes the issue.
    stopped = Issue.objects.filter(kind=Issue.Kind.PUBLISHING_STOPPED, subject=SUBJECT, closed_at=None)
    due = pending_products(now).filter(~Exists(stopped))
    due = due.order_by(F("next_attempt_at").asc(nulls_first=True))
    if any_rows(refresh.pending_refreshes):
        to_refresh = refresh.due_refreshes(now)
        if refresh.is_listing_cheaper(to_refresh.count()):
            # As after a start: one list of the account takes far fewer requests than reading each product here.
            due = due.exclude(pk__in=to_refresh.values("pk"))
    done, seen, is_last = 0, list[str](), False
    while len(seen) < BATCH_SIZE and not is_last:
        # One at a time, because other threads take theirs meanwhile. The second only tells whether to ask again.
        found = due.exclude(pk__in=seen).values_list("pk", flat=True)[:2]
        if not found:
            break
        product_id, is_last = found[0], len(found) == 1
        seen.append(product_id)
        try:
            done += publish_product(product_id, now)
        except (AuthenticationFailed, PermissionDenied) as exc:
            # 401 or 403: every update fails until the key is corrected. A starting worker tries again.
            sentence = _(
                "No counts are sent to Stripe: %(error)s Correct the key, then close this issue or restart the worker."
            )
            issues.open_issue(Issue.Kind.PUBLISHING_STOPPED, SUBJECT, sentence, error=exc)
            return done
        except ConnectionFailed:
            # The other products would only run into the same timeout.
            if done:
                return done
            raise
    return done


def resume(*, stopped_before: datetime | None = None) -> int:
    # Called when a worker starts: the key may have been corrected.
    return issues.close(Issue.Kind.PUBLISHING_STOPPED, SUBJECT, opened_before=stopped_before)


def pending_products(now: datetime | None = None) -> QuerySet[ProductSync]:
    """Products with something to publish; with `now`, only those that are due: no more sales come, or they have waited."""
    counted = StockItem.objects.filter(product=OuterRef("pk"), state=StockItem.State.COUNTED)
    pending = Movement.objects.filter(
        item__product=OuterRef("pk"), item__state=StockItem.State.COUNTED, published_at=None
    )
    open_update = StockUpdate.objects.filter(product=OuterRef("pk"), state=StockUpdate.State.OPEN)
    has_work = Q(needs_version_bump=True) & Exists(counted) | Exists(pending) | Exists(open_update)
    syncs = ProductSync.objects.filter(has_work, pause_reason=PauseReason.NOT)
    if now is None:
        return syncs
    is_now = is_due("next_attempt_at", now)
    # Sales go on while paid sessions wait as well: a worker that is slow for a moment sells nothing.
    if not (any_rows(waiting_sales) or _SALES_SINCE.exists(now - QUIET)):
        recent = StockUpdate.objects.filter(product=OuterRef("pk"), finished_at__gt=now - MIN_PAUSE)
        is_now |= Q(~Exists(recent), attempts=0)  # With attempts it waits because it failed.
    return syncs.filter(lease_free(), is_now)


def waiting_sales() -> QuerySet[StripeEvent]:
    waiting = StripeEvent.objects.filter(state=StripeEvent.State.WAITING, attempts=0, needs_stripe=False)
    return waiting.filter(type="checkout.session.completed")


def publish_product(product_id: str, now: datetime) -> bool:
    """Publish one product as far as possible now. False if it is paused or leased by another worker.

    Raises StripeCallError where every other product would fail as well. A product that fails is retried with backoff.
    """
    with log_context(product=product_id), lease(product_id) as own_lease:
        if own_lease is None:
            return False
        sync = _SYNC.get(product_id)
        if sync.pause_reason:
            return False
        fault_point("publish.leased")
        try:
            update = updates.open_update(product_id)
            # Refresh. Where one was requested, as after a worker's start, it comes even before an update that is open:
            # if our rows are from a backup, that update is outdated, and the refresh abandons it.
            if update and sync.refreshes_requested > sync.refreshes_done:
                refresh.refresh_product(product_id)
                sync.refresh_from_db()
                # Unless the refresh took so long that another worker has the product.
                update = updates.open_update(product_id) if own_lease.renew() else None
            if update is None and _counts_are_explained(sync, now):
                fault_point("publish.refreshed")
                # Prepare: everything pending goes into one update, whose totals and key no longer change.
                update = updates.prepare_update(own_lease)
            if update:
                _send(sync, update, now)
        except StripeCallError as exc:
            _postpone(product_id, now, first=AFTER_LIMIT if isinstance(exc, RateLimited) else 1)
            if not isinstance(exc, RateLimited | ServerError | InvalidRequest):
                raise
            logger.warning("Publishing %s is postponed: %s", product_id, exc)
        except Exception as exc:
            failures = _postpone(product_id, now)
            backoff.report_failure(Issue.Kind.PUBLISH_FAILED, product_id, exc, failures=failures)
    fault_point("publish.released")
    return True


def _postpone(product_id: str, now: datetime, *, first: float = 1) -> int:
    return backoff.postpone(product_id, now, attempts="attempts", until="next_attempt_at", first=first)


# --- Refresh ----------------------------------------------------------------------------------


def _counts_are_explained(sync: ProductSync, now: datetime) -> bool:
    # Refresh the product, unless that was done a short while ago, and count the edits behind a difference.
    # False if the product is paused, or a difference remains unexplained for now.
    invalid = StockItem.objects.filter(
        product=sync.pk, is_listed=True, state=StockItem.State.UNKNOWN, on_hand__isnull=False
    )
    # However recent the last refresh is, an invalid count may have been corrected in the meantime.
    if not _is_fresh(sync, now) or invalid.exists():
        refresh.refresh_product(sync.pk)
        sync.refresh_from_db()
    if sync.pause_reason:
        return False
    if not sync.differs:
        return True
    try:
        missed_events.fetch_product_events(now)
    except PermissionDenied as exc:
        sentence = _(
            "Its counts at Stripe differ from the ledger, and the API key has no permission to list the events that "
            "explain the difference: %(error)s"
        )
        issues.open_issue(Issue.Kind.UPDATE_REFUSED, sync.pk, sentence, error=exc)
        _pause(sync.pk, PauseReason.UNEXPLAINED)
        return False
    if not missed_events.handle_product_events(sync.pk, now):
        _postpone(sync.pk, now)
        return False
    fault_point("publish.explained")
    return True


def _is_fresh(sync: ProductSync, now: datetime) -> bool:
    if sync.refreshed_at is None or sync.refreshes_requested > sync.refreshes_done:
        return False
    longest = refresh.FRESH if sync.number else refresh.FRESH_BEFORE_FIRST_UPDATE
    return now - longest < sync.refreshed_at <= timezone.now()


# --- Send and apply ---------------------------------------------------------------------------


def _send(sync: ProductSync, update: StockUpdate, now: datetime) -> None:
    if now - (update.sent_at or update.created_at) > IDEMPOTENCY_KEY_TTL:
        # Stripe may have forgotten the key, and a retry would then apply the update a second time.
        _resolve_unknown_outcome(sync, update, now)
        return
    # A retry reuses the idempotency key, so the bytes must be the same every time.
    payload = update_payload(update.totals, update.version_tag)
    began = timezone.now()
    try:
        answer = gateway.update_metadata(update.product_id, payload, key=update.idempotency_key)
    except ServerError:
        # Stripe would replay the failure for this idempotency key for a day.
        _resolve_unknown_outcome(sync, update, now)
    except InvalidRequest as exc:
        # 400 or 404: a retry would be refused again. The movements wait until the owner has fixed the cause.
        updates.abandon_update(update.pk, now)
        sentence = _("Stripe refused the counts: %(refusal)s")
        issues.open_issue(Issue.Kind.UPDATE_REFUSED, update.product_id, sentence, refusal=exc)
        if isinstance(exc, NotFound):
            _pause(update.product_id, PauseReason.DELETED)
        else:
            _pause(update.product_id, PauseReason.REFUSED, str(exc))
    else:
        fault_point("publish.sent")
        _record_applied(sync, update, now, answered=None if answer.replayed else began)


def _record_applied(
    sync: ProductSync, update: StockUpdate, now: datetime, *, answered: datetime | None
) -> None:
    own_row = ProductSync.objects.filter(pk=update.product_id)
    if answered is None:
        own_row.request_refresh()
    updates.apply_update(update, now, answered=answered)
    # Spread the updates to stay below Stripe's 25 requests a second: a product costs an update and at times a refresh.
    gather = timedelta(seconds=min(max(MIN_PAUSE.total_seconds(), 0.8 * count_rows(pending_products)), 300.0))
    own_row.update(next_attempt_at=now + gather, attempts=0)
    if sync.attempts:
        issues.close(Issue.Kind.PUBLISH_FAILED, sync.pk)
    fault_point("publish.applied")


def _resolve_unknown_outcome(sync: ProductSync, update: StockUpdate, now: datetime) -> None:
    # Find out whether an update without an answer was applied: by the version tag at Stripe, or by its event.
    requested = ProductSync.objects.values_list("refreshes_requested", flat=True).get(pk=update.product_id)
    product = fetch_product(update.product_id)
    mirror.upsert_product(product)
    fault_point("resolve.read")
    tag = snapshot.tag_of(product, Installation.current())
    was_applied = tag.number == update.number
    if tag.number is None and not product.deleted:
        # The tag was removed or replaced. Only our update's own event can prove that it was applied before.
        events = [
            event
            for event in gateway.product_events(update.created_at - missed_events.OVERLAP)
            if (event.get("request") or {}).get("idempotency_key") == update.idempotency_key
        ]
        inbox.store_events(events)
        was_applied = bool(events)
    if product.deleted or (tag.number or 0) > update.number:
        snapshot.apply_snapshot(product, requested)
    elif was_applied:
        _record_applied(sync, update, now, answered=None)
    else:
        updates.abandon_update(update.pk, now)
    fault_point("resolve.decided")


# --- Pause and resume -------------------------------------------------------------------------


def _pause(product_id: str, reason: str, detail: str = "") -> None:
    ProductSync.objects.filter(pk=product_id).update(pause_reason=reason, pause_detail=detail[:500])


def resume_product(product_id: str) -> bool:
    """Resume a product whose problem is fixed. False if it is not paused, or paused by another shop's version tag."""
    resumable = ProductSync.objects.exclude(pause_reason__in=[PauseReason.NOT, PauseReason.FOREIGN])
    resumed = resumable.filter(pk=product_id).request_refresh(
        pause_reason=PauseReason.NOT, pause_detail="", next_attempt_at=None, attempts=0
    )
    issues.close(Issue.Kind.UPDATE_REFUSED, product_id)
    return bool(resumed)
