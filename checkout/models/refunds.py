"""Refunds that were requested here."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from checkout.models.orders import Order, OrderLine


class Refund(models.Model):
    """A refund that was requested here: saved before Stripe is asked, so that the same request can be repeated.

    A refund that was made at Stripe has no row; it only changes the order's `refunded`.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("not confirmed by Stripe yet")
        ACCEPTED = "accepted", _("refunded")
        REFUSED = "refused", _("refused by Stripe")
        FAILED = "failed", _("failed: the money came back")

    class Reason(models.TextChoices):
        """Stripe's reasons: https://docs.stripe.com/api/refunds/create"""

        NONE = "", _("no reason")
        REQUESTED = "requested_by_customer", _("requested by the customer")
        DUPLICATE = "duplicate", _("paid twice")
        FRAUDULENT = "fraudulent", _("fraud")

    CANCELLATION = "request:"  # begins the token of a refund that an accepted cancellation has made

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    token = models.CharField(
        max_length=64, unique=True, help_text=_("From the form: a second click finds the first one's refund.")
    )
    amount = models.BigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=30, choices=Reason.choices, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.REQUESTED)
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, blank=True)
    error = models.CharField(_("last error"), max_length=500, blank=True)
    requested_by = models.CharField(_("by"), max_length=150)
    created_at = models.DateTimeField(_("requested"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    # A failed refund waits for the owner: refund again, or keep the sale.
    replaces = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["created_at", "id"]
        indexes = [
            # For the worker, to repeat requests whose answer was lost.
            models.Index(
                fields=["next_attempt_at"], condition=Q(state="requested"), name="refunds_not_confirmed"
            ),
        ]
        constraints = [
            # Of an order that cost nothing. Stripe has no payment for it, so the worker must never ask for its refund.
            models.CheckConstraint(
                condition=Q(amount__gt=0) | Q(amount=0, state="accepted", stripe_id=""),
                name="a_refund_without_an_amount_is_finished",
            ),
            models.UniqueConstraint(
                fields=["stripe_id"], condition=~Q(stripe_id=""), name="a_refund_at_stripe_is_recorded_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.order_id}"

    @property
    def idempotency_key(self) -> str:
        return f"refund:{self.id}"

    @property
    def is_of_cancellation(self) -> bool:
        return self.token.startswith(self.CANCELLATION)

    @property
    def is_without_money(self) -> bool:
        return self.amount == 0

    @property
    def is_undecided(self) -> bool:
        return self.state == self.State.FAILED and self.decided_at is None


class RefundLine(models.Model):
    """Units of an order's line that a refund covers, and whether they go back to stock."""

    refund = models.ForeignKey(Refund, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="refund_lines")
    quantity = models.PositiveIntegerField(_("quantity"))
    restock = models.BooleanField(_("back to stock"), default=False)

    class Meta:
        verbose_name = _("refunded line")
        verbose_name_plural = _("refunded lines")
        constraints = [
            models.UniqueConstraint(fields=["refund", "line"], name="a_refund_has_a_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="a_refunded_line_has_units"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line}"
