"""Orders and their lines."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from checkout.carriers import tracking_url
from checkout.countries import country_name
from checkout.mail.kinds import KINDS
from inventory.models import StockItem
from shop.models import Product


class OrderQuerySet(models.QuerySet["Order"]):
    """Paid orders by what is left to do with their goods. Units that were refunded by line need not be sent."""

    def needing_size(self) -> OrderQuerySet:
        """Paid, not sent, and a line waits for its size: it can be neither counted nor packed."""
        return self.filter(Exists(_lines_to_send().filter(needs_size=True)), _paid_and_not_sent())

    def to_pack(self) -> OrderQuerySet:
        """Paid and ready to be packed."""
        unpacked = self.filter(_paid_and_not_sent(), packed_at=None)
        return unpacked.filter(Exists(_lines_to_send())).exclude(
            Exists(_lines_to_send().filter(needs_size=True))
        )

    def packed(self) -> OrderQuerySet:
        """Packed and not sent yet."""
        return self.filter(_paid_and_not_sent(), packed_at__isnull=False)

    def sent(self) -> OrderQuerySet:
        return self.filter(sent_at__isnull=False)

    def finished(self) -> OrderQuerySet:
        """Nothing is left to do: no payment, parcel, refund or request is open."""
        open_states = [Order.State.OPEN, Order.State.AWAITING_PAYMENT]
        to_send = self.filter(_paid_and_not_sent(), Exists(_lines_to_send()))
        being_refunded = Refund.objects.filter(order=OuterRef("pk"), state=Refund.State.REQUESTED)
        unfinished = self.filter(state__in=open_states) | to_send
        finished = self.exclude(pk__in=unfinished.order_by().values("pk"))
        return finished.exclude(Exists(_requests(state="requested"))).exclude(Exists(being_refunded))

    def with_open_request(self) -> OrderQuerySet:
        """The customer waits for an answer."""
        return self.filter(Exists(_requests(state="requested")))

    def with_accepted_return(self) -> OrderQuerySet:
        """Goods are on their way back, or were refunded already."""
        return self.filter(Exists(_requests(kind="return", state="accepted")))


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
        part = self.address.get
        city = " ".join(filter(None, [part("postal_code"), part("city"), part("state")]))
        country = country_name(part("country") or "", get_language() or "en")
        lines = [part("name"), part("line1"), part("line2"), city, country]
        return [line for line in lines if line]

    @property
    def reference(self) -> str:
        return f"order:{self.id}"

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


class SalesSummary(models.Model):
    """Sales of the days before `day`, added up by the worker so that the admin's first page need not."""

    singleton = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    day = models.DateField(help_text=_("In the shop's time zone. Days before it are complete."))
    sales = models.JSONField(help_text=_("Rows of day, currency, orders, units and amount."))
    written_at = models.DateTimeField()

    class Meta:
        verbose_name = _("sales summary")
        verbose_name_plural = _("sales summaries")
        constraints = [models.CheckConstraint(condition=Q(singleton=1), name="there_is_one_sales_summary")]

    def __str__(self) -> str:
        return str(self.day)


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
            models.CheckConstraint(condition=Q(amount__gt=0), name="a_refund_has_an_amount"),
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


class CustomerMailQuerySet(models.QuerySet["CustomerMail"]):
    def waiting(self) -> CustomerMailQuerySet:
        """Not sent yet, and still to be sent."""
        return self.filter(state__in=MAIL_WAITING)


class CustomerMail(models.Model):
    """A mail to a customer: queued in the transaction of what it reports, sent by the worker (checkout.mail.outbox)."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        REFUSED = "refused", _("address refused")
        CANCELED = "canceled", _("canceled")

    kind = models.CharField(_("kind"), max_length=40, help_text=_("A name of checkout.mail.kinds.KINDS."))
    reference = models.CharField(
        _("reference"), max_length=255, help_text=_("What it reports. Each happening is mailed once.")
    )
    order = models.ForeignKey(
        Order, null=True, blank=True, on_delete=models.CASCADE, related_name="mails", verbose_name=_("order")
    )
    to = models.EmailField(_("to"), max_length=254, blank=True)
    language = models.CharField(_("language"), max_length=10)
    context = models.JSONField(
        _("facts"), default=dict, help_text=_("What the template shows beside the order.")
    )
    headers = models.JSONField(default=dict, editable=False, help_text=_("Such as List-Unsubscribe."))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # How often a process died while it was sending.
    interruptions = models.PositiveSmallIntegerField(default=0, editable=False)
    # How often the owner has sent it again; part of the Message-ID.
    repeats = models.PositiveSmallIntegerField(default=0, editable=False)
    # While it is being sent, the end of the lease.
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    lease_holder = models.CharField(max_length=32, blank=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("queued"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    # As they were sent last.
    subject = models.CharField(_("subject"), max_length=250, blank=True)
    body = models.TextField(_("text"), blank=True)

    objects = CustomerMailQuerySet.as_manager()

    class Meta:
        verbose_name = _("mail to a customer")
        verbose_name_plural = _("mails to customers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "reference"], name="a_happening_is_mailed_once"),
        ]
        indexes = [
            # For the worker, to find what is due.
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(state__in=["queued", "sending"]),
                name="mails_on_their_way",
            ),
        ]

    def __str__(self) -> str:
        return f"{capfirst(self.label)} ({self.pk})"

    @property
    def label(self) -> str:
        return str(KINDS[self.kind].label) if self.kind in KINDS else self.kind


MAIL_WAITING = (CustomerMail.State.QUEUED, CustomerMail.State.SENDING)


class MailText(models.Model):
    """The owner's own wording of a mail. An empty field has the standard text (checkout.mail.kinds)."""

    kind = models.CharField(_("mail"), max_length=40)
    language = models.CharField(_("language"), max_length=10)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    heading = models.CharField(_("heading"), max_length=200, blank=True)
    text = models.TextField(_("text"), max_length=5000, blank=True)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("text of a mail")
        verbose_name_plural = _("texts of mails")
        ordering = ["kind", "language"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "language"], name="a_mail_has_one_text_in_a_language"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.language})"


class CustomerRequest(models.Model):
    """What a customer asks for on the order's page: to cancel it, or to return goods. The owner decides."""

    class Kind(models.TextChoices):
        CANCEL = "cancel", _("cancellation")
        RETURN = "return", _("return")

    class State(models.TextChoices):
        REQUESTED = "requested", _("waits for your decision")
        ACCEPTED = "accepted", _("accepted")
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
    # Of an accepted cancellation. The customer is told once Stripe has accepted it.
    refund = models.OneToOneField(
        Refund, null=True, blank=True, on_delete=models.PROTECT, related_name="customer_request"
    )
    is_settled = models.BooleanField(default=True, editable=False)

    class Meta:
        verbose_name = _("customer request")
        verbose_name_plural = _("customer requests")
        ordering = ["created_at", "id"]
        indexes = [
            # For the admin's first page, and for the order's page.
            models.Index(fields=["created_at"], condition=Q(state="requested"), name="requests_to_decide"),
            # For the worker, to settle cancellations whose refund was not confirmed at once.
            models.Index(fields=["id"], condition=Q(is_settled=False), name="requests_to_settle"),
        ]
        constraints = [
            # A double click makes one request: the second INSERT fails.
            models.UniqueConstraint(
                fields=["order"], condition=Q(state="requested"), name="an_order_has_one_open_request"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.order_id}"


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


def _requests(**facts: str) -> models.QuerySet[CustomerRequest]:
    return CustomerRequest.objects.filter(order=OuterRef("pk"), **facts)


class RestockSubscriber(models.Model):
    """An address that asked to be mailed when a size is back.

    The row, and with it the address, is deleted once nothing is left to be mailed (checkout.restock.signups).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail"), max_length=254)
    email_key = models.CharField(max_length=254, unique=True, editable=False, help_text=_("In lower case."))
    language = models.CharField(_("language"), max_length=10)
    created_at = models.DateTimeField(_("since"))
    # The wait between two confirmation mails doubles with each that was not answered.
    confirmations = models.PositiveSmallIntegerField(default=0, editable=False)
    next_confirmation_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("back in stock: address")
        verbose_name_plural = _("back in stock: addresses")
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.email


class RestockWave(models.Model):
    """Mails about one size that were queued together, no more than units could be sold."""

    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(_("number"))
    available = models.PositiveIntegerField(
        _("available"), null=True, help_text=_("Units for sale at that time. Empty if they are not counted.")
    )
    created_at = models.DateTimeField(_("when"))
    # Set when the size is sold out: the next units are for the next wave, however soon.
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("back in stock: mails")
        verbose_name_plural = _("back in stock: mails")
        ordering = ["-id"]
        constraints = [
            # Two workers that plan the same wave queue it once: the second INSERT does nothing.
            models.UniqueConstraint(fields=["item", "number"], name="a_wave_is_queued_once"),
        ]

    def __str__(self) -> str:
        return f"{self.item_id} {self.number}"


class RestockSignupQuerySet(models.QuerySet["RestockSignup"]):
    def open(self) -> RestockSignupQuerySet:
        """Not mailed yet, and still to be mailed."""
        return self.filter(state__in=OPEN_SIGNUPS)


class RestockSignup(models.Model):
    """One address that waits for one size. The order of the ids is the order of asking."""

    class State(models.TextChoices):
        UNCONFIRMED = "unconfirmed", _("not confirmed")
        WAITING = "waiting", _("waiting")
        MAILING = "mailing", _("being mailed")
        MAILED = "mailed", _("mailed")
        REFUSED = "refused", _("address refused")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        GONE = "gone", _("no longer sold")
        EXPIRED = "expired", _("waited too long")

    subscriber = models.ForeignKey(
        RestockSubscriber,
        null=True,
        on_delete=models.SET_NULL,
        related_name="signups",
        help_text=_("Empty once it is over: then nothing tells who it was."),
    )
    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.UNCONFIRMED)
    asked_at = models.DateTimeField(_("asked"))
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    missing_since = models.DateTimeField(null=True, blank=True, help_text=_("Since when it is not offered."))
    wave = models.ForeignKey(
        RestockWave, null=True, blank=True, on_delete=models.PROTECT, related_name="signups"
    )
    client_network = models.CharField(
        max_length=50, blank=True, help_text=_("Address that asked, for a day.")
    )

    objects = RestockSignupQuerySet.as_manager()

    class Meta:
        verbose_name = _("back in stock: sign-up")
        verbose_name_plural = _("back in stock: sign-ups")
        ordering = ["id"]
        indexes = [
            # For the worker, to find the sizes that are waited for, and who is next.
            models.Index(fields=["item", "id"], condition=Q(state="waiting"), name="signups_that_wait"),
            # For the worker, to find those whose mail was sent since.
            models.Index(fields=["id"], condition=Q(state="mailing"), name="signups_being_mailed"),
            # For every sign-up, to count those of an address.
            models.Index(
                fields=["client_network", "-asked_at"],
                condition=~Q(client_network=""),
                name="signups_of_a_network",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber", "item"],
                condition=Q(state__in=["unconfirmed", "waiting", "mailing"]),
                name="an_address_waits_for_a_size_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id} {self.state}"


OPEN_SIGNUPS = (RestockSignup.State.UNCONFIRMED, RestockSignup.State.WAITING, RestockSignup.State.MAILING)


def _paid_and_not_sent() -> Q:
    return Q(state=Order.State.PAID, sent_at=None)


def _lines_to_send() -> models.QuerySet[OrderLine]:
    # Charges, such as one for the delivery, have no product, nor have goods before the owner says what they are.
    goods = OrderLine.objects.exclude(product=None)
    return goods.filter(order=OuterRef("pk"), quantity__gt=F("quantity_refunded"))
