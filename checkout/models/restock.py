"""Who waits for a size that is sold out, and who was mailed."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inventory.models import StockItem


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
