"""Mails to customers, and the owner's wording of them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from checkout.mail.kinds import KINDS
from checkout.models.orders import Order


class CustomerMailQuerySet(models.QuerySet["CustomerMail"]):
    def waiting(self) -> CustomerMailQuerySet:
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
            # For the admin's list of those that failed, or wait.
            models.Index(fields=["state", "-id"], name="mails_in_a_state"),
            models.Index(Lower("to"), name="mails_to_an_address"),
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
