"""How many are there, who holds them, and what was told to Stripe? The rows of the stock protocol.

Counts change only through the modules of inventory, most of them through inventory.ledger; docs/stock-protocol.md says
why. `on_hand` + `pending` - `held` is what may still be sold.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.db import models
from django.db.models import Case as CaseExpression
from django.db.models import F, Q, Value, When
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from shop.models import Product


class ShopIdentity(models.Model):
    """One random row: whose marks are these? A second database on the same Stripe account has another."""

    one = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    id_text = models.CharField(max_length=32, unique=True)

    class Meta:
        verbose_name = _("shop identity")
        verbose_name_plural = _("shop identity")
        constraints = [models.CheckConstraint(condition=Q(one=1), name="a_shop_has_one_identity")]

    def __str__(self) -> str:
        return self.id_text

    @classmethod
    def current(cls) -> str:
        row, _made = cls.objects.get_or_create(one=1, defaults={"id_text": secrets.token_hex(6)})
        return row.id_text


class StockItem(models.Model):
    """What is counted: one size of one product, or the product itself. `key` is the exact metadata key at Stripe."""

    class State(models.TextChoices):
        COUNTED = "counted", _("counted")
        UNLIMITED = "unlimited", _("sold without counting")
        UNKNOWN = "unknown", _("unknown")

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="stock_items")
    key = models.CharField(_("key"), max_length=520, help_text=_("The metadata key at Stripe, exactly."))
    size = models.CharField(_("size"), max_length=500, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    listed = models.BooleanField(
        _("listed"), default=True, help_text=_("Among the product's sizes at Stripe.")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.UNKNOWN)
    problem = models.CharField(_("problem"), max_length=500, blank=True)
    on_hand = models.IntegerField(
        _("on hand"),
        null=True,
        help_text=_("What the ledger says Stripe shows; empty until a count was first read."),
    )
    held = models.PositiveIntegerField(_("held"), default=0, help_text=_("Units in open checkouts."))
    pending = models.IntegerField(
        _("pending"), default=0, help_text=_("Movements not yet at Stripe, summed.")
    )
    available = models.GeneratedField(
        expression=CaseExpression(
            When(state="counted", then=Greatest(Value(0), F("on_hand") + F("pending") - F("held"))),
            default=None,
        ),
        output_field=models.IntegerField(null=True),
        db_persist=True,
    )
    # While somebody's edits made the count unreadable (inventory.counts.Garble). Events come in any order, so
    # both may pass through negative numbers on their way back to 0.
    garbled = models.SmallIntegerField(
        default=0, help_text=_("Edits that garbled it less edits that mended it.")
    )
    garbled_by = models.IntegerField(default=0, help_text=_("What those edits changed, in units."))
    garbled_over = models.BooleanField(default=False, help_text=_("One of them was written over."))
    garbled_since = models.DateTimeField(
        null=True, blank=True, help_text=_("Empty unless “garbled” is not 0.")
    )
    # How little the owner was last told of (inventory.alerts.Level); empty: never looked at for that.
    told_level = models.PositiveSmallIntegerField(null=True, blank=True)
    # The reading at which the ledger of this item began: an edit that this reading already shows is not counted.
    began_at = models.DateTimeField(null=True, blank=True, help_text=_("The product's “updated” in it."))
    began_with = models.IntegerField(
        null=True, blank=True, help_text=_("The count in it; empty: unreadable.")
    )

    class Meta:
        verbose_name = _("stock item")
        verbose_name_plural = _("stock items")
        ordering = ["product_id", "position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["product", "key"], name="a_key_is_counted_in_one_place"),
            models.CheckConstraint(condition=Q(held__gte=0), name="held_is_never_negative"),
            models.CheckConstraint(
                condition=~Q(state="counted") | Q(on_hand__isnull=False), name="what_is_counted_has_a_count"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product.name} {self.size}".strip()

    @property
    def for_sale(self) -> bool:
        """Is there anything to sell, as far as this row knows?"""
        return self.listed and (self.state == self.State.UNLIMITED or bool(self.available))


class ProductStockQuerySet(models.QuerySet["ProductStock"]):
    def locked(self, product_id: str) -> ProductStock:
        """The row, kept from everybody else until the transaction ends. It is locked before any StockItem."""
        return self.select_for_update().get(pk=product_id)

    def want_look(self, **also: Any) -> int:
        """The worker reads them from Stripe soon; `also`: what else changes in the same statement."""
        return self.update(looks_wanted=F("looks_wanted") + 1, **also)


class ProductStock(models.Model):
    """The writer's desk of one product: who writes it now, what was written last, what must be looked at."""

    class Parked(models.TextChoices):
        """Why nothing of this product is written to Stripe until somebody does something about it."""

        NOT = "", _("no")
        DELETED = "deleted", _("deleted at Stripe")
        FOREIGN = "foreign", _("another shop writes its counts")
        REFUSED = "refused", _("Stripe refused a write")
        UNEXPLAINED = "unexplained", _("its counts differ, and the key may not list Stripe's events")

    product = models.OneToOneField(Product, on_delete=models.PROTECT, primary_key=True, related_name="stock")
    n = models.PositiveIntegerField(_("number of the last write"), default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_holder = models.CharField(max_length=32, blank=True)
    # Counters, not flags: a wish that arrives during a look is not lost when that look ends.
    looks_wanted = models.PositiveBigIntegerField(default=1)
    looks_done = models.PositiveBigIntegerField(default=0)
    not_looked_before = models.DateTimeField(null=True, blank=True)
    look_failures = models.PositiveSmallIntegerField(default=0)
    looked_at = models.DateTimeField(
        _("looked at"), null=True, blank=True, help_text=_("When the last look, or the last write, began.")
    )
    mark_wanted = models.BooleanField(default=True)
    differs = models.BooleanField(
        default=False,
        help_text=_("A look found what no event has explained; those at Stripe are asked for first."),
    )
    not_before = models.DateTimeField(_("not written before"), null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    parked = models.CharField(
        _("parked"), max_length=20, choices=Parked.choices, default=Parked.NOT, blank=True
    )
    parked_by = models.CharField(
        _("parked by"),
        max_length=500,
        blank=True,
        help_text=_("The other shop's mark, or what Stripe answered."),
    )
    taken_over = models.CharField(_("mark that was taken over"), max_length=500, blank=True)
    fence = models.DateTimeField(_("sales up to here are not counted by themselves"), null=True, blank=True)
    adopted = models.BooleanField(default=False, help_text=_("The fence is from a restored database."))
    gap = models.BooleanField(
        default=False, help_text=_("Events were missed that Stripe has forgotten: the next look is believed.")
    )
    lost_n = models.PositiveIntegerField(
        default=0,
        help_text=_("The newest write of ours that an event told of and this database has no row of."),
    )

    objects = ProductStockQuerySet.as_manager()

    class Meta:
        verbose_name = _("product stock")
        verbose_name_plural = _("product stocks")
        indexes = [
            # The worker asks each second: which products want a look?
            models.Index(
                fields=["product"],
                condition=Q(looks_wanted__gt=F("looks_done")),
                name="looks_that_are_wanted",
            ),
        ]

    def __str__(self) -> str:
        return self.product_id

    def park(self, why: str, by: str = "") -> None:
        self.parked, self.parked_by = why, by[:500]

    @property
    def why_parked(self) -> str:
        """For the owner; "" where it is not parked."""
        words = [str(self.get_parked_display()), self.parked_by] if self.parked else []
        return ": ".join(filter(None, words))


class StockWrite(models.Model):
    """One update of one product at Stripe: what was sent, and what mark n stands for."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        APPLIED = "applied", _("applied")
        ABANDONED = "abandoned", _("abandoned")

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="stock_writes")
    n = models.PositiveIntegerField(_("number"))
    key = models.CharField(_("idempotency key"), max_length=255, unique=True)
    totals = models.JSONField(_("totals"), help_text=_("Metadata key to count, the mark not among them."))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("first sent"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    seen = models.BooleanField(_("its event was seen"), default=False)

    class Meta:
        verbose_name = _("write")
        verbose_name_plural = _("writes")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["product", "n"], name="a_mark_stands_for_one_write"),
            models.UniqueConstraint(
                fields=["product"], condition=Q(state="open"), name="a_product_has_one_open_write"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.n}"


class MarkState(models.Model):
    """One set of counts that stood under mark n: first what write n left, then what edits under it made of it.

    A form that brings mark n back was filled in before one of these.
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    n = models.PositiveIntegerField(_("number"))
    counts = models.JSONField(_("counts"), help_text=_("Metadata key to count; unreadable ones are absent."))
    by_write = models.BooleanField(default=False, help_text=_("What the write left, before any edit."))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("state of a mark")
        verbose_name_plural = _("states of marks")
        ordering = ["product_id", "n", "-by_write", "id"]
        indexes = [models.Index(fields=["product", "n"], name="states_of_a_mark")]
        constraints = [
            models.UniqueConstraint(
                fields=["product", "n"], condition=Q(by_write=True), name="a_write_leaves_one_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.n}"


class CountedRequest(models.Model):
    """A request to Stripe whose product.updated was counted; its other events say nothing new."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    request = models.CharField(max_length=255)
    counted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("counted request")
        verbose_name_plural = _("counted requests")
        constraints = [
            models.UniqueConstraint(fields=["product", "request"], name="a_request_is_counted_once"),
        ]

    def __str__(self) -> str:
        return self.request


class EventCursor(models.Model):
    """How far was Stripe's own list of product events read? One row."""

    one = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    read_to = models.DateTimeField(
        help_text=_("The newest event seen in a complete reading, by Stripe's clock.")
    )
    listed_at = models.DateTimeField(help_text=_("When that reading began."))

    class Meta:
        verbose_name = _("event cursor")
        verbose_name_plural = _("event cursor")
        constraints = [models.CheckConstraint(condition=Q(one=1), name="there_is_one_event_cursor")]

    def __str__(self) -> str:
        return self.read_to.isoformat()


class AppendOnly(models.QuerySet["Movement"]):
    def update(self, **changes: Any) -> int:
        if not changes.keys() <= {"write", "write_id", "published_at"}:
            raise TypeError("A movement is never changed; make another one that corrects it.")
        return super().update(**changes)

    def delete(self) -> Any:
        raise TypeError("A movement is never deleted; make another one that corrects it.")


class Movement(models.Model):
    """One line of the ledger: never changed, never deleted; a mistake is corrected by another line.

    `write` and `published_at` say how Stripe heard of it; they are the only columns that are ever updated.
    """

    class Kind(models.TextChoices):
        OPENED = "opened", _("first count seen")
        SALE = "sale", _("sale")
        RETURNED = "returned", _("returned")
        RECEIVED = "received", _("received")
        COUNTED = "counted", _("counted")
        ADJUSTED = "adjusted", _("adjusted")
        EDITED = "edited", _("edited at Stripe")
        OVERSOLD = "oversold", _("oversold")
        ADOPTED = "adopted", _("adopted after a restore")

    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    delta = models.IntegerField(_("difference"), help_text=_("0: sold without counting."))
    reference = models.CharField(_("reference"), max_length=255)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    actor = models.CharField(_("who"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)
    write = models.ForeignKey(
        StockWrite, null=True, blank=True, on_delete=models.PROTECT, related_name="movements"
    )
    published_at = models.DateTimeField(_("at Stripe since"), null=True, blank=True)

    objects = AppendOnly.as_manager()

    class Meta:
        verbose_name = _("movement")
        verbose_name_plural = _("movements")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "reference", "item"], name="a_movement_is_counted_once"),
        ]
        indexes = [
            # What the publisher gathers.
            models.Index(fields=["item"], condition=Q(published_at=None), name="movements_not_yet_at_stripe"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delta:+d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("A movement is never changed; make another one that corrects it.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("A movement is never deleted; make another one that corrects it.")


class Hold(models.Model):
    """Units that somebody's open checkout keeps. It ends only on proof from Stripe."""

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


class StripeEvent(models.Model):
    """The inbox: what Stripe told us, stored before it was answered. The primary key is Stripe's event id."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        HANDLED = "handled", _("handled")
        FAILED = "failed", _("failed")

    id = models.CharField(primary_key=True, max_length=255)
    type = models.CharField(_("type"), max_length=255)
    created_at = models.DateTimeField(_("created at Stripe"))
    livemode = models.BooleanField()
    object_id = models.CharField(_("about"), max_length=255, blank=True, help_text=_("The id of its object."))
    payload = models.JSONField(_("payload"))
    received_at = models.DateTimeField(_("received"), auto_now_add=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    needs_stripe = models.BooleanField(
        default=False,
        help_text=_("Its handler must read from Stripe, so it is handled apart from those that need not."),
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try_at = models.DateTimeField(_("next try"))
    lease_until = models.DateTimeField(null=True, blank=True)
    error = models.TextField(_("last error"), blank=True)
    handled_at = models.DateTimeField(_("handled"), null=True, blank=True)

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        ordering = ["-received_at"]
        indexes = [
            # The worker's round: what is due?
            models.Index(fields=["next_try_at"], condition=Q(state="waiting"), name="events_that_wait"),
            # What happened to this product?
            models.Index(fields=["object_id"], name="events_about_an_object"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class Case(models.Model):
    """Something that needs a person: opened once, closed by the owner."""

    kind = models.CharField(_("kind"), max_length=40)
    subject = models.CharField(_("subject"), max_length=255)
    text = models.TextField(_("what happened"))
    opened_at = models.DateTimeField(_("opened"), auto_now_add=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    told_at = models.DateTimeField(_("in a mail"), null=True, blank=True)

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(closed_at=None), name="a_case_is_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"


class Postbox(models.Model):
    """Who writes to the owner now? One row, with a lease: two workers never send the same mail."""

    one = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_holder = models.CharField(max_length=32, blank=True)

    class Meta:
        verbose_name = _("postbox")
        verbose_name_plural = _("postbox")
        constraints = [models.CheckConstraint(condition=Q(one=1), name="there_is_one_postbox")]

    def __str__(self) -> str:
        return self.lease_holder


class Heartbeat(models.Model):
    """When did a worker last say that it is alive?"""

    name = models.CharField(primary_key=True, max_length=100)
    beat_at = models.DateTimeField()
    patience = models.PositiveIntegerField(default=60, help_text=_("Seconds of silence that are no alarm."))

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name
