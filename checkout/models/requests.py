"""What customers ask for: cancellations, returns, and the link to an order."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from checkout.models.orders import Order, OrderLine
from checkout.models.refunds import Refund


class CustomerRequest(models.Model):
    """What a customer asks for on the order's page: to cancel it, or to return goods. The owner decides."""

    class Kind(models.TextChoices):
        CANCEL = "cancel", _("cancellation")
        RETURN = "return", _("return")

    class State(models.TextChoices):
        REQUESTED = "requested", _("waits for your decision")
        ACCEPTED = "accepted", _("accepted")
        RETURNING = "returning", _("return in progress")
        RETURNED = "returned", _("returned")
        CLOSED = "closed", _("closed without a refund")
        DECLINED = "declined", _("declined")
        WITHDRAWN = "withdrawn", _("withdrawn by the customer")

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="requests")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.REQUESTED)
    message = models.CharField(_("message of the customer"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("requested"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.CharField(_("by"), max_length=150, blank=True)
    answer = models.CharField(_("answer to the customer"), max_length=500, blank=True)
    # Of an accepted cancellation: the customer is told once Stripe has accepted it. Or of a return that has arrived.
    refund = models.OneToOneField(
        Refund, null=True, blank=True, on_delete=models.PROTECT, related_name="customer_request"
    )
    is_settled = models.BooleanField(default=True, editable=False)
    # Of a return: when the goods were refunded, or the owner no longer waited for them.
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=150, blank=True)
    closing_answer = models.CharField(_("last answer to the customer"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("customer request")
        verbose_name_plural = _("customer requests")
        ordering = ["created_at", "id"]
        indexes = [
            # For the admin's first page, and for the order's page.
            models.Index(fields=["created_at"], condition=Q(state="requested"), name="requests_to_decide"),
            # For the worker, to settle cancellations whose refund was not confirmed at once.
            models.Index(fields=["id"], condition=Q(is_settled=False), name="requests_to_settle"),
            # For the admin's first page: what is on its way back, the oldest first.
            models.Index(fields=["decided_at"], condition=Q(state="returning"), name="returns_in_progress"),
        ]
        constraints = [
            # A double click makes one request: the second INSERT fails.
            models.UniqueConstraint(
                fields=["order"], condition=Q(state="requested"), name="an_order_has_one_open_request"
            ),
            models.CheckConstraint(
                condition=Q(kind="return") | ~Q(state__in=["returning", "returned", "closed"]),
                name="only_a_return_comes_back",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.order_id}"

    @property
    def is_open_return(self) -> bool:
        """Its goods may still come. One that was accepted before there was a state for it is no task, but can be completed."""
        is_accepted = self.state in (self.State.RETURNING, self.State.ACCEPTED)
        return self.kind == self.Kind.RETURN and is_accepted


class CustomerRequestLine(models.Model):
    """Units of an order's line that the customer wants to return, and why."""

    class Reason(models.TextChoices):
        """The reasons of Shopify's returns, without those that are the shop's."""

        SIZE_TOO_SMALL = "too_small", _("too small")
        SIZE_TOO_LARGE = "too_large", _("too large")
        UNWANTED = "unwanted", _("changed my mind")
        NOT_AS_DESCRIBED = "not_as_described", _("not as described")
        WRONG_ITEM = "wrong_item", _("wrong item received")
        DEFECTIVE = "defective", _("damaged or defective")
        OTHER = "other", _("another reason")

    request = models.ForeignKey(CustomerRequest, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(_("quantity"))
    reason = models.CharField(_("reason"), max_length=20, choices=Reason.choices)

    class Meta:
        verbose_name = _("line of a request")
        verbose_name_plural = _("lines of a request")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["request", "line"], name="a_request_has_a_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="a_requested_line_has_units"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line}"


class OrderLookup(models.Model):
    """A customer asked for the link to an order. The worker answers by mail, and empties `email` and `number`."""

    email = models.EmailField(blank=True)
    number = models.CharField(max_length=8, blank=True)
    # For limits, for a day.
    email_digest = models.CharField(max_length=64)
    network = models.CharField(max_length=50, blank=True)
    created_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("look-up of an order")
        verbose_name_plural = _("look-ups of orders")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["created_at"], name="lookups_by_time"),
            models.Index(fields=["id"], condition=Q(answered_at=None), name="lookups_to_answer"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
