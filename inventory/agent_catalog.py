"""Send the catalog to Stripe for AI agents, one import at a time, and follow each to its end.

A file is always whole, so that a later one heals whatever an earlier one left, in whatever order Stripe processes them.
"""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from config.stripe_client import PermissionDenied, is_configured
from inventory import gateway, issues
from inventory.db import insert_new
from inventory.models import CatalogImport, Issue
from shop.feeds.google import shipping_of
from shop.feeds.stripe import AgentCatalog, agent_catalog
from shop.storefront import load_storefront

logger = logging.getLogger(__name__)

APART = timedelta(minutes=15)  # between two imports
DAILY = timedelta(hours=24)
GIVE_UP = timedelta(
    hours=6
)  # Stripe's file links live minutes; an import that is not finished by then never will be.
UPLOAD_BY = timedelta(minutes=10)
KIND = Issue.Kind.AGENT_CATALOG
FAILED, ROWS, SHRUNK, SHIPPING, RIGHT = "failed", "rows", "shrunk", "shipping", "permission"
SUCCEEDED = ("succeeded", "succeeded_with_errors")


def send_catalog(now: datetime) -> int:
    """Follow the import that is under way, or start one that is due. Returns 1 if something was done.

    Raises config.stripe_client.StripeCallError if Stripe cannot be reached; the worker then tries again.
    """
    if settings.AGENT_CATALOG == "off" or not is_configured():
        return 0
    under_way = CatalogImport.objects.filter(finished_at=None).first()
    if under_way:
        return _follow(under_way, now)
    last = CatalogImport.objects.order_by("-id").first()
    if last and last.started_at <= now < last.started_at + APART:
        return 0
    storefront = load_storefront()
    if not shipping_of(storefront):
        sentence = _(
            "Stripe requires the cost of shipping, and the shop cannot tell it: set SHIPPING_COUNTRIES, and SHIPPING_RATES "
            "to rates in the shop's currency that the Stripe key may read. Nothing is sent until then."
        )
        issues.open_issue(KIND, SHIPPING, sentence)
        return 0
    issues.close(KIND, SHIPPING)
    catalog = agent_catalog(storefront)
    feed = _due(catalog, now)
    return _start(feed, catalog, now) if feed else 0


def _due(catalog: AgentCatalog, now: datetime) -> str:
    # The feed to send now: products after a change and daily, stock when counts moved; "" if Stripe has it all.
    sent = CatalogImport.objects.filter(status__in=SUCCEEDED).order_by("-id")
    last = sent.first()
    products = sent.filter(feed=CatalogImport.Feed.PRODUCT).first()
    if products is None:
        return CatalogImport.Feed.PRODUCT
    is_old = not products.started_at <= now < products.started_at + DAILY
    if is_old or products.product_digest != catalog.product_digest:
        return CatalogImport.Feed.PRODUCT
    has_moved = last is not None and last.stock_digest != catalog.stock_digest
    return CatalogImport.Feed.INVENTORY if has_moved and catalog.stock_rows else ""


def _start(feed: str, catalog: AgentCatalog, now: datetime) -> int:
    is_product = feed == CatalogImport.Feed.PRODUCT
    if is_product and not catalog.rows:
        sentence = _("No product can be sent: each lacks something. The products in the admin say what.")
        issues.open_issue(KIND, SHRUNK, sentence)
        return 0
    mode = "replace" if is_product and _may_replace(catalog.rows) else "upsert"
    # Two workers may come here at once: the constraint lets one of them insert the row.
    row = CatalogImport(
        feed=feed,
        mode=mode,
        rows=catalog.rows if is_product else catalog.stock_rows,
        product_digest=catalog.product_digest,
        stock_digest=catalog.stock_digest,
        started_at=now,
    )
    if not insert_new([row], unique=()):
        return 0
    row = CatalogImport.objects.get(finished_at=None)
    try:
        created = gateway.create_catalog_import(feed, mode, key=f"catalog-{secrets.token_hex(16)}")
    except PermissionDenied:
        _finish(row, "failed", now)
        sentence = _("The Stripe key lacks the permission “Product Catalog Import: write”.")
        issues.open_issue(KIND, RIGHT, sentence)
        return 0
    issues.close(KIND, RIGHT)
    CatalogImport.objects.filter(pk=row.pk).update(stripe_id=created.id, status=created.status)
    if not gateway.upload_catalog(created.upload_url, catalog.products if is_product else catalog.stock):
        logger.warning("Stripe did not take the file of catalog import %s", created.id)
    logger.info("Sent %d rows to Stripe's catalog for agents: %s, %s, %s", row.rows, feed, mode, created.id)
    return 1


def _may_replace(rows: int) -> bool:
    # Whether Stripe may delete what is not in the file. A catalog that lost half of its rows needs the owner's
    # consent.
    # Closing the issue is the consent.
    last = (
        CatalogImport.objects.filter(feed=CatalogImport.Feed.PRODUCT, status__in=SUCCEEDED, mode="replace")
        .order_by("-id")
        .first()
    )
    if last is None or last.finished_at is None or rows * 2 >= last.rows:
        return True
    if Issue.objects.filter(kind=KIND, subject=SHRUNK, closed_at__gt=last.finished_at).exists():
        return True
    sentence = _(
        "The catalog for agents has %(rows)d rows instead of %(before)d, so nothing was deleted at Stripe. Close this issue "
        "if the other products are really gone; the next file then removes them."
    )
    issues.open_issue(KIND, SHRUNK, sentence, rows=rows, before=last.rows)
    return False


def _follow(row: CatalogImport, now: datetime) -> int:
    age = now - row.started_at
    if not row.stripe_id:
        # The worker died before it knew the id, or another one is creating it.
        return _finish(row, "unknown", now) if abs(age) > UPLOAD_BY else 0
    state = gateway.fetch_catalog_import(row.stripe_id)
    if not state.is_finished:
        if (state.status == "awaiting_upload" and abs(age) > UPLOAD_BY) or abs(age) > GIVE_UP:
            return _finish(row, "unknown", now)
        CatalogImport.objects.filter(pk=row.pk).update(status=state.status)
        return 0
    if state.status == "failed" and not state.is_transient:
        sentence = _("Stripe did not take the %(feed)s file: %(message)s")
        issues.open_issue(KIND, FAILED, sentence, feed=row.feed, message=state.message)
    elif state.status != "failed":
        issues.close(KIND, FAILED)
        if row.mode == "replace":
            issues.close(KIND, SHRUNK)
    if state.errors:
        sentence = _("Stripe refused %(errors)d of %(rows)d rows of the %(feed)s file:\n%(message)s")
        issues.open_issue(
            KIND, ROWS, sentence, errors=state.errors, rows=row.rows, feed=row.feed, message=state.message
        )
    elif state.status == "succeeded" and row.feed == CatalogImport.Feed.PRODUCT:
        issues.close(KIND, ROWS)
    return _finish(row, state.status, now, errors=state.errors)


def _finish(row: CatalogImport, status: str, now: datetime, *, errors: int = 0) -> int:
    logger.info("Catalog import %s: %s, %d rows with errors", row.stripe_id, status, errors)
    done = CatalogImport.objects.filter(pk=row.pk, finished_at=None)
    return done.update(status=status, errors=errors, finished_at=timezone.now())
