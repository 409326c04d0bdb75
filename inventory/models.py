"""Models of the stock protocol: counts, movements, holds, Stripe events and the sync state of each product.

Counts change only through the modules of inventory, most of them through inventory.stock.ledger (see
docs/stock-protocol.md). `on_hand` + `pending` - `held` is what may still be sold.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.db import models
from django.db.models import Case as CaseExpression
from django.db.models import F, Q, Value, When
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from config.kept_queries import KeptQuery
from shop.feeds.ids import catalog_id
from shop.models import Product

# --- Stock: counts, the ledger and holds ------------------------------------------------------


class StockItem(models.Model):
    """One size of a product, or the product itself where it has no sizes. `key` is the exact metadata key at Stripe."""

    class State(models.TextChoices):
        COUNTED = "counted", _("counted")
        NOT_TRACKED = "unlimited", _("not tracked")
        UNKNOWN = "unknown", _("unknown")

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="stock_items")
    key = models.CharField(_("key"), max_length=520, help_text=_("The exact metadata key at Stripe."))
    size = models.CharField(_("size"), max_length=500, blank=True)
    catalog_id = models.CharField(
        _("catalog id"),
        max_length=50,
        blank=True,
        help_text=_("Id of this size in feeds and structured data. It never changes."),
    )
    position = models.PositiveSmallIntegerField(default=0)
    is_listed = models.BooleanField(
        _("listed"), default=True, help_text=_("Whether Stripe lists it among the product's sizes.")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.UNKNOWN)
    problem = models.CharField(_("problem"), max_length=500, blank=True)
    on_hand = models.IntegerField(
        _("on hand"),
        null=True,
        help_text=_("The count Stripe should show, by the ledger. Empty until a count has been read."),
    )
    held = models.PositiveIntegerField(_("held"), default=0, help_text=_("Units in open checkouts."))
    pending = models.IntegerField(
        _("pending"), default=0, help_text=_("Sum of the movements not yet at Stripe.")
    )
    available = models.GeneratedField(
        expression=CaseExpression(
            When(state="counted", then=Greatest(Value(0), F("on_hand") + F("pending") - F("held"))),
            default=None,
        ),
        output_field=models.IntegerField(null=True),
        db_persist=True,
    )
    # Invalid edits that have not been corrected yet (inventory.stock.counts.InvalidEdits). Events arrive in any order, so
    # the first two may be negative for a while before they return to 0.
    invalid_edits = models.SmallIntegerField(
        default=0, help_text=_("Edits that made the count invalid, minus edits that corrected it.")
    )
    invalid_units = models.IntegerField(default=0, help_text=_("Net change of those edits, in units."))
    invalid_overwritten = models.BooleanField(
        default=False, help_text=_("Whether an update of ours replaced an invalid count.")
    )
    invalid_since = models.DateTimeField(
        null=True, blank=True, help_text=_("Set while there are invalid edits.")
    )
    # The inventory.alerts.StockLevel last recorded or mailed to the owner; empty until the first check.
    notified_level = models.PositiveSmallIntegerField(null=True, blank=True)
    # The Stripe snapshot with which the ledger of this item began; edits it already contains are not counted.
    opened_at = models.DateTimeField(
        null=True, blank=True, help_text=_("“updated” of the product in the first snapshot.")
    )
    opened_count = models.IntegerField(
        null=True, blank=True, help_text=_("The count in the first snapshot; empty if it was invalid.")
    )

    class Meta:
        verbose_name = _("stock item")
        verbose_name_plural = _("stock items")
        ordering = ["product_id", "position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["product", "key"], name="a_key_is_counted_in_one_place"),
            models.UniqueConstraint(fields=["catalog_id"], name="a_catalog_id_names_one_size"),
            models.CheckConstraint(condition=Q(held__gte=0), name="held_is_never_negative"),
            models.CheckConstraint(
                condition=~Q(state="counted") | Q(on_hand__isnull=False), name="what_is_counted_has_a_count"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product.name} {self.size}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.catalog_id = self.catalog_id or catalog_id(self.product_id, self.key)
        super().save(*args, **kwargs)

    @property
    def for_sale(self) -> bool:
        return self.is_listed and (self.state == self.State.NOT_TRACKED or bool(self.available))


class AppendOnlyQuerySet(models.QuerySet["Movement"]):
    def update(self, **changes: Any) -> int:
        if not changes.keys() <= {"stock_update", "stock_update_id", "published_at"}:
            raise TypeError("Movements cannot be changed; add a correcting movement.")
        return super().update(**changes)

    def delete(self) -> Any:
        raise TypeError("Movements cannot be deleted; add a correcting movement.")


class Movement(models.Model):
    """One line of the ledger, append-only: mistakes are corrected by another movement.

    Only `stock_update` and `published_at` are ever updated; they record the update that carried it to Stripe.
    """

    class Kind(models.TextChoices):
        OPENED = "opened", _("opening count")
        SALE = "sale", _("sale")
        RETURNED = "returned", _("returned")
        RECEIVED = "received", _("received")
        COUNTED = "counted", _("counted")
        ADJUSTED = "adjusted", _("adjusted")
        EDITED = "edited", _("edited at Stripe")
        OVERSOLD = "oversold", _("oversold")
        ADOPTED = "adopted", _("accepted after a restore")

    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    delta = models.IntegerField(_("difference"), help_text=_("0 for items that are not tracked."))
    reference = models.CharField(_("reference"), max_length=255)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    actor = models.CharField(_("by"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)
    stock_update = models.ForeignKey(
        "StockUpdate", null=True, blank=True, on_delete=models.PROTECT, related_name="movements"
    )
    published_at = models.DateTimeField(_("at Stripe since"), null=True, blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        verbose_name = _("movement")
        verbose_name_plural = _("movements")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "reference", "item"], name="a_movement_is_counted_once"),
        ]
        indexes = [
            # Used by the publisher to collect movements for the next update.
            models.Index(fields=["item"], condition=Q(published_at=None), name="movements_not_yet_at_stripe"),
            # For what was sold in a period, by size.
            models.Index(fields=["kind", "created_at", "item", "delta"], name="sales_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delta:+d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("Movements cannot be changed; add a correcting movement.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Movements cannot be deleted; add a correcting movement.")


class Hold(models.Model):
    """Units reserved for an open checkout. Released or sold only once Stripe confirms the outcome."""

    reference = models.CharField(_("reference"), max_length=255)
    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="holds")
    quantity = models.PositiveIntegerField(_("quantity"))
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.UniqueConstraint(fields=["reference", "item"], name="a_checkout_holds_an_item_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="a_hold_holds_something"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} for {self.reference}"


class OversoldDecision(models.Model):
    """What the owner decided about units that were sold beyond the stock. The ledger says how many there were."""

    class Kind(models.TextChoices):
        REFUNDED = "refunded", _("refunded")
        NEXT_DELIVERY = "delivery", _("sent from the next delivery")
        IGNORED = "ignored", _("ignored")

    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="oversold_decisions")
    kind = models.CharField(_("decision"), max_length=10, choices=Kind.choices)
    units = models.PositiveIntegerField(_("units"))
    owed = models.PositiveIntegerField(
        _("owed"), default=0, help_text=_("Units that the next delivery still has to cover.")
    )
    token = models.CharField(max_length=100, unique=True, help_text=_("Makes a second click harmless."))
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    actor = models.CharField(_("by"), max_length=150)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("oversold decision")
        verbose_name_plural = _("oversold decisions")
        ordering = ["id"]
        indexes = [
            # For each delivery, to find what it has to cover.
            models.Index(fields=["item"], condition=Q(owed__gt=0), name="oversold_units_still_owed"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(owed__lte=F("units")), name="no_more_is_owed_than_decided"),
        ]

    def __str__(self) -> str:
        return f"{self.units} × {self.item}: {self.get_kind_display()}"


# --- Events: the inbox ------------------------------------------------------------------------


class StripeEvent(models.Model):
    """An event from Stripe, stored before the delivery is answered. The primary key is Stripe's event id."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        HANDLED = "handled", _("handled")
        FAILED = "failed", _("failed")

    id = models.CharField(primary_key=True, max_length=255)
    type = models.CharField(_("type"), max_length=255)
    created_at = models.DateTimeField(_("created at Stripe"))
    livemode = models.BooleanField()
    object_id = models.CharField(
        _("object"), max_length=255, blank=True, help_text=_("Id of the object the event is about.")
    )
    payload = models.JSONField(_("payload"))
    received_at = models.DateTimeField(_("received"), auto_now_add=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    needs_stripe = models.BooleanField(
        default=False,
        help_text=_("The handler must call Stripe, so a separate worker task handles the event."),
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"))
    lease_until = models.DateTimeField(null=True, blank=True)
    error = models.TextField(_("last error"), blank=True)
    handled_at = models.DateTimeField(_("handled"), null=True, blank=True)

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        ordering = ["-received_at"]
        indexes = [
            # Due events, polled by the worker.
            models.Index(fields=["next_attempt_at"], condition=Q(state="waiting"), name="events_that_wait"),
            # The history of one product.
            models.Index(fields=["object_id"], name="events_about_an_object"),
            # For the admin's list, also of one type, and for the worker to find old events. Not with the type first: SQLite
            # would take it for the events of a type that wait, among all of the type.
            models.Index(fields=["received_at", "type"], name="events_by_time_and_type"),
            # For the admin's list of what failed.
            models.Index(fields=["received_at"], condition=Q(state="failed"), name="events_that_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


# --- Synchronization with Stripe --------------------------------------------------------------


class ProductSyncQuerySet(models.QuerySet["ProductSync"]):
    def request_refresh(self, **also: Any) -> int:
        """Request a refresh; `also`: further columns to set in the same UPDATE. Returns the number of rows."""
        return self.update(refreshes_requested=F("refreshes_requested") + 1, **also)


class ProductSync(models.Model):
    """Sync state of one product: its lease, the last update sent, pending refreshes."""

    class PauseReason(models.TextChoices):
        """Why the product's counts are not sent to Stripe; a person has to resolve it."""

        NOT = "", _("no")
        DELETED = "deleted", _("deleted at Stripe")
        FOREIGN = "foreign", _("another shop updates its counts")
        REFUSED = "refused", _("Stripe rejected an update")
        UNEXPLAINED = "unexplained", _("unexplained difference, and the Stripe key may not list events")

    product = models.OneToOneField(Product, on_delete=models.PROTECT, primary_key=True, related_name="sync")
    number = models.PositiveIntegerField(_("last update number"), default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_holder = models.CharField(max_length=32, blank=True)
    # Counters, not flags: a request that arrives during a refresh is not lost when that refresh ends.
    refreshes_requested = models.PositiveBigIntegerField(default=1)
    refreshes_done = models.PositiveBigIntegerField(default=0)
    next_refresh_at = models.DateTimeField(null=True, blank=True)
    refresh_attempts = models.PositiveSmallIntegerField(default=0)
    refreshed_at = models.DateTimeField(
        _("refreshed at"), null=True, blank=True, help_text=_("Start of the last refresh or stock update.")
    )
    needs_version_bump = models.BooleanField(default=True)
    differs = models.BooleanField(
        default=False,
        help_text=_(
            "Stripe's counts differ and no event explains it. Events are fetched before the next update."
        ),
    )
    next_attempt_at = models.DateTimeField(_("next update not before"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    pause_reason = models.CharField(
        _("paused"), max_length=20, choices=PauseReason.choices, default=PauseReason.NOT, blank=True
    )
    pause_detail = models.CharField(
        _("pause detail"),
        max_length=500,
        blank=True,
        help_text=_("The other shop's version tag, or Stripe's error message."),
    )
    accepted_version = models.CharField(_("version tag taken over"), max_length=500, blank=True)
    sales_cutoff = models.DateTimeField(
        _("sales cutoff"),
        null=True,
        blank=True,
        help_text=_("Sales paid up to this time are not counted automatically."),
    )
    cutoff_from_restore = models.BooleanField(
        default=False, help_text=_("The sales cutoff was set after a database restore.")
    )
    event_gap = models.BooleanField(
        default=False,
        help_text=_(
            "Events are missing that Stripe no longer lists. The next refresh accepts Stripe's counts."
        ),
    )
    highest_seen_number = models.PositiveIntegerField(
        default=0,
        help_text=_("Highest update number seen in an event without a local row (after a restore)."),
    )

    objects = ProductSyncQuerySet.as_manager()

    class Meta:
        verbose_name = _("product sync state")
        verbose_name_plural = _("product sync states")
        indexes = [
            # The worker queries pending refreshes every second.
            models.Index(
                fields=["product"],
                condition=Q(refreshes_requested__gt=F("refreshes_done")),
                name="refreshes_that_are_requested",
            ),
        ]

    def __str__(self) -> str:
        return self.product_id

    def pause(self, reason: str, detail: str = "") -> None:
        self.pause_reason, self.pause_detail = reason, detail[:500]

    @property
    def pause_text(self) -> str:
        """The reason and its detail, for display; "" unless paused."""
        parts = [str(self.get_pause_reason_display()), self.pause_detail] if self.pause_reason else []
        return ": ".join(filter(None, parts))


class StockUpdate(models.Model):
    """One stock update of a product at Stripe; `number` is that of its version tag."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        APPLIED = "applied", _("applied")
        ABANDONED = "abandoned", _("abandoned")

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="stock_updates")
    number = models.PositiveIntegerField(_("number"))
    idempotency_key = models.CharField(_("idempotency key"), max_length=255, unique=True)
    totals = models.JSONField(_("totals"), help_text=_("Counts by metadata key, without the version tag."))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("first sent"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    event_seen = models.BooleanField(_("event received"), default=False)

    class Meta:
        verbose_name = _("stock update")
        verbose_name_plural = _("stock updates")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["product", "number"], name="a_number_stands_for_one_update"),
            models.UniqueConstraint(
                fields=["product"], condition=Q(state="open"), name="a_product_has_one_open_update"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.number}"

    @property
    def version_tag(self) -> str:
        return self.idempotency_key.rpartition("/")[0]  # The rest is random.


class VersionSnapshot(models.Model):
    """Counts that Stripe showed under one version tag: first those of its update, then those after each edit.

    A Dashboard form that brings the tag back was opened while Stripe showed one of these.
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(_("number"))
    counts = models.JSONField(_("counts"), help_text=_("Counts by metadata key; invalid ones are left out."))
    from_update = models.BooleanField(
        default=False, help_text=_("Set by the update itself, before any edit.")
    )
    created_at = models.DateTimeField(auto_now_add=True)  # When these counts were last seen under the tag.

    class Meta:
        verbose_name = _("version snapshot")
        verbose_name_plural = _("version snapshots")
        ordering = ["product_id", "number", "-from_update", "id"]
        indexes = [models.Index(fields=["product", "number"], name="snapshots_of_a_version")]
        constraints = [
            models.UniqueConstraint(
                fields=["product", "number"],
                condition=Q(from_update=True),
                name="an_update_leaves_one_snapshot",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.number}"


class ProcessedRequest(models.Model):
    """A Stripe request id whose product.updated was applied; further events of the same request are ignored."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    request = models.CharField(max_length=255)
    created_at = models.DateTimeField()  # When Stripe created the event, by its clock.

    class Meta:
        verbose_name = _("processed request")
        verbose_name_plural = _("processed requests")
        constraints = [
            models.UniqueConstraint(fields=["product", "request"], name="a_request_is_processed_once"),
        ]

    def __str__(self) -> str:
        return self.request


class EventCursor(models.Model):
    """How far Stripe's list of product events has been read. A single row."""

    singleton = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    read_to = models.DateTimeField(
        help_text=_("Newest event of the last complete listing, by Stripe's clock.")
    )
    listed_at = models.DateTimeField(help_text=_("When that listing began."))

    class Meta:
        verbose_name = _("event cursor")
        verbose_name_plural = _("event cursor")
        constraints = [models.CheckConstraint(condition=Q(singleton=1), name="there_is_one_event_cursor")]

    def __str__(self) -> str:
        return self.read_to.isoformat()


class DeliveryStatus(models.Model):
    """Whether Stripe's deliveries arrive (inventory.deliveries). A single row; an accepted delivery empties the rest."""

    singleton = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    accepted_at = models.DateTimeField(null=True, blank=True, help_text=_("Last accepted, to the minute."))
    refused_since = models.DateTimeField(null=True, blank=True, help_text=_("First refused since then."))
    refused_at = models.DateTimeField(null=True, blank=True, help_text=_("Last refused, to the minute."))
    refusal = models.CharField(max_length=500, blank=True, help_text=_("Reason of the last refusal."))
    missed_since = models.DateTimeField(
        null=True, blank=True, help_text=_("First time that Stripe's lists named what was not delivered.")
    )
    missed_at = models.DateTimeField(null=True, blank=True, help_text=_("Last time that they did."))

    class Meta:
        verbose_name = _("delivery status")
        verbose_name_plural = _("delivery status")
        constraints = [models.CheckConstraint(condition=Q(singleton=1), name="there_is_one_delivery_status")]

    def __str__(self) -> str:
        return self.refusal


class Installation(models.Model):
    """A single row with a random id, part of every version tag; another database on the account has another id."""

    singleton = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    id_text = models.CharField(max_length=32, unique=True)

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installation")
        constraints = [models.CheckConstraint(condition=Q(singleton=1), name="a_shop_has_one_identity")]

    def __str__(self) -> str:
        return self.id_text

    @classmethod
    def current(cls) -> str:
        row = _INSTALLATION.first()
        if row is None:
            row, _created = cls.objects.get_or_create(singleton=1, defaults={"id_text": secrets.token_hex(6)})
        return row.id_text


_INSTALLATION = KeptQuery(lambda: Installation.objects.filter(singleton=1))


class CatalogImport(models.Model):
    """A file sent to Stripe's catalog for agents, and what became of it. One import at a time is under way."""

    class Feed(models.TextChoices):
        PRODUCT = "product", _("products")
        INVENTORY = "inventory", _("stock")

    feed = models.CharField(_("feed"), max_length=10, choices=Feed.choices)
    mode = models.CharField(_("mode"), max_length=10)
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, blank=True)
    # Stripe's words, and "unknown" if the import was given up before Stripe had a verdict.
    status = models.CharField(_("status"), max_length=30, blank=True)
    rows = models.PositiveIntegerField(_("rows"))
    errors = models.PositiveIntegerField(_("rows with errors"), default=0)
    product_digest = models.CharField(max_length=64, help_text=_("Of the catalog without its stock."))
    stock_digest = models.CharField(max_length=64)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    slot = models.PositiveSmallIntegerField(default=1, editable=False)  # For the constraint.

    class Meta:
        verbose_name = _("catalog import")
        verbose_name_plural = _("catalog imports")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["slot"], condition=Q(finished_at=None), name="one_catalog_import_is_under_way"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feed} {self.stripe_id}"


# --- Issues, mail and the worker --------------------------------------------------------------


class Issue(models.Model):
    """An issue that needs a person. At most one is open per kind and subject."""

    class Kind(models.TextChoices):
        OVERSOLD = "oversold", _("oversold")
        COUNT_TOO_LARGE = "count_too_large", _("count too large")
        UNREADABLE_COUNT = "unreadable_count", _("unreadable count")
        FOREIGN_VERSION = "foreign_version", _("another shop updates this product")
        RESTORED_DATABASE = "restored_database", _("restored database")
        EVENT_GAP = "event_gap", _("missing event history")
        SALE_BEFORE_SYNC = "sale_before_sync", _("sale during first refresh")
        AMBIGUOUS_EDIT = "ambiguous_edit", _("ambiguous edit")
        EDIT_TO_REVIEW = "edit_to_review", _("edit to review")
        UPDATE_REFUSED = "update_refused", _("stock update rejected")
        PUBLISHING_STOPPED = "publishing_stopped", _("publishing stopped")
        EVENT_FAILED = "event_failed", _("event not handled")
        STRIPE_KEY = "stripe_key", _("Stripe key")
        NO_DELIVERIES = "no_deliveries", _("no webhook deliveries")
        REFRESH_FAILED = "refresh_failed", _("refresh failed")
        PUBLISH_FAILED = "publish_failed", _("stock update failed")
        CHECKOUT_REFUSED = "checkout_refused", _("checkout rejected")
        NEEDS_SIZE = "needs_size", _("sale without a size")
        UNKNOWN_SALE = "unknown_sale", _("sale of unknown goods")
        ORDER_FAILED = "order_failed", _("order not updated")
        REFUND_TO_REVIEW = "refund_to_review", _("refund: back to stock?")
        REFUND_FAILED = "refund_failed", _("refund failed")
        DISPUTE = "dispute", _("dispute")
        AGENT_CATALOG = "agent_catalog", _("catalog for agents")
        SESSION_NOT_FOUND = "session_not_found", _("session not found")
        SETUP = "setup", _("setup")
        HOLDS = "holds", _("held, not bought")
        CUSTOMER_MAIL = "customer_mail", _("mail to a customer")
        CUSTOMER_REQUEST = "customer_request", _("request of a customer")

    kind = models.CharField(_("kind"), max_length=40, choices=Kind.choices)
    subject = models.CharField(_("subject"), max_length=255)
    text = models.TextField(_("what happened"))
    opened_at = models.DateTimeField(_("opened"), auto_now_add=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    notified_at = models.DateTimeField(_("mailed"), null=True, blank=True)

    class Meta:
        verbose_name = _("issue")
        verbose_name_plural = _("issues")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(closed_at=None), name="an_issue_is_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"


class MailLock(models.Model):
    """A single row whose lease keeps two workers from mailing the same news, and the last failure of mailing."""

    singleton = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_holder = models.CharField(max_length=32, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True, help_text=_("Empty once a mail was sent."))
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _("mail lock")
        verbose_name_plural = _("mail lock")
        constraints = [models.CheckConstraint(condition=Q(singleton=1), name="there_is_one_mail_lock")]

    def __str__(self) -> str:
        return self.lease_holder


class Heartbeat(models.Model):
    """Last sign of life of a worker process."""

    name = models.CharField(primary_key=True, max_length=100)
    beat_at = models.DateTimeField()
    timeout = models.PositiveIntegerField(
        default=60, help_text=_("Seconds without a beat before the worker counts as stopped.")
    )

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name
