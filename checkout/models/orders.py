"""Orders and their lines."""

from __future__ import annotations

import uuid
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Lower
from django.db.models.lookups import IsNull
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from checkout.addresses import address_lines
from checkout.carriers import tracking_url
from inventory.models import StockItem
from shop.models import Product

PAID_AND_NOT_SENT = Q(state="paid", sent_at=None)


class OrderQuerySet(models.QuerySet["Order"]):
    """Paid orders by what is left to do with their goods. Units that were refunded by line need not be sent."""

    def of_cart(self, token: str) -> OrderQuerySet:
        # SQLite uses the index of filled fields only if the query says that the field is filled.
        return self.filter(cart_token=token).exclude(cart_token="")

    def of_payment(self, payment_intent_id: str) -> OrderQuerySet:
        return self.filter(payment_intent_id=payment_intent_id).exclude(payment_intent_id="")

    def needing_size(self) -> OrderQuerySet:
        """Paid, not sent, and a line waits for its size: it can be neither counted nor packed."""
        return self.filter(PAID_AND_NOT_SENT, Exists(_lines_to_send().filter(needs_size=True)))

    def to_pack(self) -> OrderQuerySet:
        # As scalars, which are looked up order by order. For EXISTS, PostgreSQL's estimate of the unsent orders, hundreds of
        # times too high, made it read the lines of all orders.
        to_send, without_size = (
            Subquery(lines.values("pk")[:1])
            for lines in (_lines_to_send(), _lines_to_send().filter(needs_size=True))
        )
        unpacked = self.filter(PAID_AND_NOT_SENT, packed_at=None)
        return unpacked.filter(IsNull(to_send, False), IsNull(without_size, True))

    def packed(self) -> OrderQuerySet:
        return self.filter(PAID_AND_NOT_SENT, packed_at__isnull=False)

    def sent(self) -> OrderQuerySet:
        return self.filter(sent_at__isnull=False)

    def finished(self) -> OrderQuerySet:
        """Nothing is left to do: no payment, parcel, refund, request or return is open."""
        open_states = [Order.State.OPEN, Order.State.AWAITING_PAYMENT]
        to_send = self.filter(PAID_AND_NOT_SENT, Exists(_lines_to_send()))
        unfinished = self.filter(state__in=open_states) | to_send
        finished = self.exclude(pk__in=unfinished.order_by().values("pk"))
        waiting_for_owner = Exists(_rows_of("CustomerRequest", state__in=["requested", "returning"]))
        waiting_for_stripe = Exists(_rows_of("Refund", state="requested"))
        return finished.exclude(waiting_for_owner).exclude(waiting_for_stripe)

    def with_open_request(self) -> OrderQuerySet:
        return self.filter(pk__in=_orders_of_requests(state="requested"))

    def with_return_in_progress(self) -> OrderQuerySet:
        return self.filter(pk__in=_orders_of_requests(state="returning"))


class Order(models.Model):
    """One checkout: saved before its session is requested, and updated when Stripe reports the session's outcome.

    Amounts are integers in the currency's minor unit, as computed by Stripe, and empty until then.
    """

    class State(models.TextChoices):
        OPEN = "open", _("open")
        AWAITING_PAYMENT = "awaiting", _("awaiting payment")
        PAID = "paid", _("paid")
        CANCELED = "canceled", _("canceled")
        REFUNDED = "refunded", _("refunded")

    class Fulfillment(models.TextChoices):
        """What is left to do with the goods of a paid order."""

        NEEDS_SIZE = "needs_size", _("needs a size")
        TO_PACK = "to_pack", _("to pack")
        PACKED = "packed", _("packed")
        SENT = "sent", _("sent")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    session_id = models.CharField(_("Checkout Session"), max_length=255, null=True, blank=True, unique=True)
    session_url = models.TextField(_("URL of the payment page"), blank=True)
    session_params = models.JSONField(
        _("session request"),
        default=dict,
        help_text=_("Parameters of the session request, stored so that the same request can be repeated."),
    )
    is_external = models.BooleanField(_("external"), default=False, help_text=_("Sold outside of this shop."))
    expires_at = models.DateTimeField(_("session expires"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)
    payment_intent_id = models.CharField(_("payment"), max_length=255, blank=True)

    email = models.EmailField(_("e-mail"), blank=True)
    name = models.CharField(_("name"), max_length=500, blank=True)
    phone = models.CharField(_("phone"), max_length=100, blank=True)
    address = models.JSONField(_("delivery address"), default=dict, blank=True)

    cart_token = models.CharField(
        _("cart"),
        max_length=40,
        blank=True,
        editable=False,
        help_text=_("Token of the cart that the order was made from. Empty for external orders."),
    )
    fingerprint = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_("Digest of the contents of the cart.")
    )
    client_network = models.CharField(
        max_length=50,
        blank=True,
        editable=False,
        help_text=_("Address that started the checkout, for a day."),
    )
    # Backoff of the requests that recover the session while Stripe does not answer.
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    customer_returned_at = models.DateTimeField(_("customer returned"), null=True, blank=True)
    polled_at = models.DateTimeField(_("last polled"), null=True, blank=True)

    # Empty for orders from elsewhere.
    language = models.CharField(_("language"), max_length=10, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    subtotal = models.BigIntegerField(_("subtotal"), null=True, blank=True)
    shipping = models.BigIntegerField(_("shipping"), null=True, blank=True)
    tax = models.BigIntegerField(_("tax"), null=True, blank=True)
    discount = models.BigIntegerField(_("discount"), null=True, blank=True)
    total = models.BigIntegerField(_("total"), null=True, blank=True)
    # What the customer saw and paid, where Stripe converted the total: docs.stripe.com/payments/currencies/localize-prices
    presentment_amount = models.BigIntegerField(_("paid as"), null=True, blank=True)
    presentment_currency = models.CharField(_("paid in"), max_length=3, blank=True)
    refunded = models.BigIntegerField(_("refunded"), default=0)
    # The part of it that was refunded at Stripe and not here. Each time it grows, the owner is asked about the goods.
    refunded_elsewhere = models.BigIntegerField(default=0, editable=False)

    packed_at = models.DateTimeField(_("packed"), null=True, blank=True)
    packed_by = models.CharField(_("packed by"), max_length=150, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    sent_by = models.CharField(_("sent by"), max_length=150, blank=True)
    carrier = models.CharField(_("carrier"), max_length=30, blank=True)
    tracking_number = models.CharField(_("tracking number"), max_length=100, blank=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-created_at"]
        permissions = [
            ("view_reports", _("Can view sales and reports")),
            ("pack_order", _("Can pack and send orders")),
            ("refund_order", _("Can refund orders")),
        ]
        indexes = [
            # For the admin's list, and the pages opened in the last hour.
            models.Index(fields=["created_at"], name="orders_by_time"),
            # For the filters of that list, which leave few orders, and its search for an address.
            # Not one of all states: SQLite would take it for the orders to pack, among all that are paid.
            models.Index(fields=["created_at"], condition=Q(state="open"), name="open_orders"),
            models.Index(
                fields=["created_at"], condition=Q(state="awaiting"), name="orders_awaiting_payment"
            ),
            models.Index(
                fields=["created_at"], condition=Q(state="refunded"), name="orders_refunded_in_full"
            ),
            models.Index(fields=["created_at"], condition=Q(is_external=True), name="external_orders"),
            models.Index(fields=["created_at"], condition=Q(refunded__gt=0), name="refunded_orders"),
            models.Index(Lower("email"), name="orders_of_an_email"),
            # For sales by day, and the oldest orders to pack.
            models.Index(fields=["paid_at"], condition=Q(paid_at__isnull=False), name="orders_by_payment"),
            # For the worker, to find orders without a session.
            models.Index(
                fields=["created_at"],
                condition=Q(state="open", session_id=None),
                name="orders_without_a_session",
            ),
            # For the worker, to find sessions that should have expired.
            models.Index(
                fields=["expires_at"], condition=Q(state__in=["open", "awaiting"]), name="orders_on_their_way"
            ),
            # For every cart page and every checkout, to find the orders of a cart.
            models.Index(
                fields=["cart_token", "-created_at"], condition=~Q(cart_token=""), name="orders_of_a_cart"
            ),
            # For every checkout, to count those of an address.
            models.Index(
                fields=["client_network", "-created_at"],
                condition=~Q(client_network=""),
                name="orders_of_an_address",
            ),
            # For refunds, which name the payment.
            models.Index(
                fields=["payment_intent_id"], condition=~Q(payment_intent_id=""), name="order_of_a_payment"
            ),
            # For the lists of what is to be packed and sent, however many orders there were.
            models.Index(
                fields=["paid_at"], condition=Q(state="paid", sent_at=None), name="orders_not_sent_yet"
            ),
        ]
        constraints = [
            # A double click makes one order: the second INSERT fails.
            models.UniqueConstraint(
                fields=["cart_token"],
                condition=Q(state="open") & ~Q(cart_token=""),
                name="a_cart_has_one_open_order",
            ),
            models.CheckConstraint(
                condition=Q(sent_at=None) | Q(packed_at__isnull=False), name="a_sent_order_was_packed"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        # Short enough to read out on the phone.
        return str(self.id)[:8].upper()

    @property
    def address_lines(self) -> list[str]:
        return address_lines(self.address, get_language() or "en")

    @property
    def reference(self) -> str:
        return f"order:{self.id}"

    @property
    def is_free(self) -> bool:
        """It cost nothing, such as after a discount of everything: Stripe has no payment to refund."""
        return self.total == 0

    @property
    def fulfillment(self) -> Order.Fulfillment | None:
        """What is left to do with the goods. None before the payment, and after a full refund unless it was sent."""
        if self.sent_at:
            return self.Fulfillment.SENT
        lines = [line for line in self.lines.all() if line.quantity_to_send and line.product_id]
        if self.state != self.State.PAID or not lines:
            return None
        if any(line.needs_size for line in lines):
            return self.Fulfillment.NEEDS_SIZE
        return self.Fulfillment.PACKED if self.packed_at else self.Fulfillment.TO_PACK

    def has_subtotal(self, subtotal: int | None, currency: str) -> bool:
        """Whether Stripe's subtotal is that of the lines. If not, the customer changed something on Stripe's page."""
        lines = list(self.lines.all())
        currencies = {currency or self.currency, *(line.currency or self.currency for line in lines)}
        return subtotal is None or (
            len(currencies) == 1 and subtotal == sum(line.amount or 0 for line in lines)
        )

    @property
    def tracking_url(self) -> str:
        return tracking_url(self.carrier, self.tracking_number)

    @property
    def tax_added(self) -> int:
        """The part of the tax that is on top of the prices; the rest of it is included in them."""
        without = (self.subtotal or 0) - (self.discount or 0) + (self.shipping or 0)
        added = (self.total or 0) - without
        return min(max(added, 0), self.tax or 0)

    @property
    def tax_included(self) -> int:
        return (self.tax or 0) - self.tax_added

    @property
    def next_url(self) -> str:
        """Where the customer continues.

        The payment page of an open order, or the page that waits until Stripe has created it. The thank-you page of a
        paid one, which the customer may have paid for in another tab. Otherwise the cart.
        """
        if self.state in CUSTOMER_DONE_STATES:
            return f"{reverse('thank_you')}?session_id={self.session_id}"
        if self.state == self.State.OPEN:
            return self.session_url or reverse("checkout_start")
        return reverse("cart")


# The customer has paid, or started a payment that their bank completes later.
CUSTOMER_DONE_STATES = (Order.State.PAID, Order.State.AWAITING_PAYMENT)


class OrderLineQuerySet(models.QuerySet["OrderLine"]):
    def unassigned(self) -> OrderLineQuerySet:
        """Lines that the owner may count as a stock item: a size, or everything, is unknown."""
        return self.filter(Q(needs_size=True) | Q(product=None), item=None)


class OrderLine(models.Model):
    """One size in one color, at the price at which it was offered, in the minor unit of the line's currency.

    Stripe may charge an order in another currency than the shop's.
    """

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    product = models.ForeignKey(Product, null=True, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(
        StockItem,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty if the size is unknown or not sold here. Then no stock is counted."),
    )
    name = models.CharField(_("name"), max_length=5000)
    size = models.CharField(_("size"), max_length=500, blank=True)
    color = models.CharField(_("color"), max_length=500, blank=True)
    quantity = models.PositiveIntegerField(_("quantity"))
    quantity_refunded = models.PositiveIntegerField(
        _("refunded units"), default=0, help_text=_("Units refunded on the order's page.")
    )
    unit_amount = models.BigIntegerField(_("unit price"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    price_id = models.CharField(_("price"), max_length=255, blank=True)
    needs_size = models.BooleanField(
        _("needs a size"),
        default=False,
        help_text=_("Sold outside of this shop without a size. Not counted until you choose the size."),
    )

    added_at_stripe = models.BooleanField(
        _("added at Stripe"),
        default=False,
        help_text=_("Added by the customer on Stripe's page, so its units were not held."),
    )
    external_reference = models.CharField(
        _("agent's reference"),
        max_length=255,
        blank=True,
        help_text=_("What the catalog of an agent calls the article, if an agent sold it."),
    )

    objects = OrderLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["order_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="an_order_has_one_line_in_a_place"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="a_line_has_a_quantity"),
            models.CheckConstraint(
                condition=Q(quantity_refunded__lte=F("quantity")), name="a_line_refunds_what_it_sold_at_most"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name} {self.size}".strip()

    @property
    def quantity_to_send(self) -> int:
        return self.quantity - self.quantity_refunded

    @property
    def shown_name(self) -> str:
        """The name in the active language, or as it was sold if the product was renamed since."""
        product = self.product
        return product.shown_name if product and product.name == self.name else self.name

    @property
    def name_language(self) -> str:
        """The language of the shown name, if it is known and not that of the page; else empty."""
        product = self.product
        return product.name_language if product and product.name == self.name else ""

    @property
    def amount_currency(self) -> str:
        return self.currency or self.order.currency

    @property
    def was_held(self) -> bool:
        # In this database: an order that was lost and read again from Stripe has no cart.
        return bool(self.order.cart_token) and not (self.order.is_external or self.added_at_stripe)

    @property
    def amount(self) -> int | None:
        # Before discounts, in the minor unit.
        return None if self.unit_amount is None else self.unit_amount * self.quantity

    @property
    def reference(self) -> str:
        return f"order:{self.order_id}:{self.position}"


def _lines_to_send() -> models.QuerySet[OrderLine]:
    # Charges, such as one for the delivery, have no product, nor have goods before the owner says what they are.
    goods = OrderLine.objects.exclude(product=None)
    return goods.filter(order=OuterRef("pk"), quantity__gt=F("quantity_refunded"))


def _rows_of(model: str, **facts: Any) -> models.QuerySet[Any]:
    # The modules of these models import this one, so the models are found by name.
    rows: models.QuerySet[Any] = apps.get_model("checkout", model)._default_manager.all()
    return rows.filter(order=OuterRef("pk"), **facts)


def _orders_of_requests(**facts: str) -> models.QuerySet[Any]:
    # Not EXISTS, for which SQLite looks for the requests of every order.
    requests: models.QuerySet[Any] = apps.get_model("checkout", "CustomerRequest")._default_manager.all()
    return requests.filter(**facts).values("order")
