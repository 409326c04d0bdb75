"""Queue mails to customers in the transaction of what they report, and the steps of a queued mail.

    queued -> sending -> sent | refused | failed         queued -> canceled

A mail is leased before it is sent. If the process dies meanwhile, the lease expires and the mail is sent once more: it may
arrive twice, but not three times, since after a second interruption the owner is asked.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop

from checkout.mail.kinds import KINDS, is_on
from checkout.models import CustomerMail, CustomerMailQuerySet, Order
from config.languages import first_language
from inventory import issues
from inventory.db import insert_new
from inventory.leases import is_due
from inventory.models import Issue

logger = logging.getLogger(__name__)

State = CustomerMail.State
LEASE = timedelta(minutes=5)  # Longer than a mail server can take for all steps of one mail.
DELAYS = timedelta(minutes=1), timedelta(hours=1)  # between two attempts, first and longest
MAX_ATTEMPTS = 120  # about five days, after which mail servers give up as well
MAX_INTERRUPTIONS = 1
MAX_COUNTED = 30_000
MAX_ADDRESS = 254

REFUSED = gettext_noop(
    "The mail “%(mail)s” was not sent: the customer's address is refused for good (%(error)s). "
    "Reach the customer in another way, or correct the address on the mail's page and send it again."
)
FAILED = gettext_noop("The mail “%(mail)s” was not sent: %(error)s. Open the mail to send it again.")
INTERRUPTED = gettext_noop("the connection ended twice while it was being sent, so it may have arrived")


@dataclass(frozen=True)
class QueuedMail:
    """A mail to queue. `context`: JSON values for the template. `order`: the order it is about."""

    kind: str
    reference: str
    to: str
    order: Order | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    language: str = ""


# --- Queueing ---------------------------------------------------------------------------------


def queue(
    kind: str,
    *,
    reference: str,
    to: str,
    order: Order | None = None,
    context: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    language: str = "",
) -> bool:
    """Queue a mail, unless one of this kind and reference exists. False if nothing was queued.

    Call it in the transaction of the happening. `headers`: such as List-Unsubscribe. Nothing is queued without an address,
    or while the kind is switched off.
    """
    return bool(queue_all([QueuedMail(kind, reference, to, order, context or {}, headers or {}, language)]))


def queue_all(mails: Sequence[QueuedMail]) -> int:
    """Queue several mails by one statement. Returns how many were queued."""
    now = timezone.now()
    rows = [
        CustomerMail(
            kind=KINDS[mail.kind].name,
            reference=mail.reference,
            order=mail.order,
            to=mail.to,
            language=mail.language or getattr(mail.order, "language", "") or first_language(),
            context=dict(mail.context),
            headers=dict(mail.headers),
            next_attempt_at=now,
        )
        for mail in mails
        if is_on(mail.kind) and 0 < len(mail.to) <= MAX_ADDRESS
    ]
    if not rows:
        return 0
    with transaction.atomic(savepoint=False):
        added = insert_new(
            sorted(rows, key=lambda row: (row.kind, row.reference)), unique=("kind", "reference")
        )
        queued = len(added)
        for row in rows:
            if row not in added:
                # What was taken back before it was sent may happen again: a parcel is sent after all.
                known = CustomerMail.objects.filter(kind=row.kind, reference=row.reference)
                queued += known.filter(state=State.CANCELED).update(
                    state=State.QUEUED,
                    to=row.to,
                    context=row.context,
                    headers=row.headers,
                    next_attempt_at=now,
                )
        return queued


def cancel(kind: str, *, reference: str) -> bool:
    """Cancel a mail that is not being sent yet, because what it reports was taken back. False if it is too late."""
    queued = CustomerMail.objects.filter(kind=kind, reference=reference, state=State.QUEUED)
    return bool(queued.update(state=State.CANCELED))


def send_again(mail: CustomerMail, *, now: datetime, to: str = "") -> bool:
    """Queue a mail once more for the owner, perhaps to a corrected address. False while it waits or is being sent."""
    over = CustomerMail.objects.filter(pk=mail.pk).exclude(state__in=[State.QUEUED, State.SENDING])
    return bool(
        over.update(
            state=State.QUEUED,
            to=to or mail.to,
            next_attempt_at=now,
            attempts=0,
            interruptions=0,
            repeats=F("repeats") + 1,
            last_error="",
        )
    )


# --- Sending ----------------------------------------------------------------------------------


def waiting_mails() -> CustomerMailQuerySet:
    return CustomerMail.objects.waiting()


def has_due(now: datetime) -> bool:
    return _due(now).exists()


def claim(now: datetime, number: int) -> list[CustomerMail]:
    """Lease up to `number` mails that are due, those that wait longest first."""
    holder = secrets.token_hex(8)
    with transaction.atomic():
        locked = _due(now).select_for_update(skip_locked=True, no_key=True, of=("self",))
        chosen = locked.order_by("next_attempt_at", "pk")[:number]
        mails = list(chosen.prefetch_related("order__lines__product"))
        interrupted = [mail for mail in mails if mail.state == State.SENDING]
        switched_off = [mail for mail in mails if mail.state == State.QUEUED and not is_on(mail.kind)]
        _change(switched_off, state=State.CANCELED)
        mails = [mail for mail in mails if mail not in switched_off]
        _change(interrupted, interruptions=F("interruptions") + 1)
        given_up = [mail for mail in interrupted if mail.interruptions >= MAX_INTERRUPTIONS]
        for mail in given_up:
            _fail(mail, State.FAILED, issues.translate(INTERRUPTED))
        claimed = [mail for mail in mails if mail not in given_up]
        _change(
            claimed,
            state=State.SENDING,
            lease_holder=holder,
            next_attempt_at=now + LEASE,
            attempts=F("attempts") + 1,
        )
    for mail in claimed:
        mail.state, mail.lease_holder, mail.attempts = State.SENDING, holder, mail.attempts + 1
        mail.interruptions += mail in interrupted
    return claimed


def _due(now: datetime) -> CustomerMailQuerySet:
    return waiting_mails().filter(is_due("next_attempt_at", now, longest=2 * DELAYS[1]))


def _change(mails: Sequence[CustomerMail], **changes: Any) -> None:
    if mails:
        CustomerMail.objects.filter(pk__in=[mail.pk for mail in mails]).update(**changes)


def record_sent(mail: CustomerMail, *, subject: str, body: str, now: datetime) -> None:
    """Record that the mail server has accepted the mail, even if the lease has been taken over since."""
    CustomerMail.objects.filter(pk=mail.pk, state=State.SENDING).update(
        state=State.SENT, sent_at=now, subject=subject, body=body, last_error="", next_attempt_at=None
    )


def record_refused(mail: CustomerMail, error: str) -> None:
    with transaction.atomic():
        _fail(mail, State.REFUSED, error)


def record_failed(mail: CustomerMail, error: str) -> None:
    with transaction.atomic():
        _fail(mail, State.FAILED, error)


def postpone(mail: CustomerMail, error: str, *, now: datetime, may_have_arrived: bool = False) -> None:
    """Try again later. `may_have_arrived`: the connection ended before the server's answer to the whole mail."""
    if may_have_arrived and mail.interruptions >= MAX_INTERRUPTIONS:
        record_failed(mail, issues.translate(INTERRUPTED))
    elif mail.attempts >= MAX_ATTEMPTS:
        record_failed(mail, error)
    else:
        delay = min(DELAYS[0] * 2 ** min(mail.attempts - 1, 10), DELAYS[1])
        _leased(mail).update(
            state=State.QUEUED,
            next_attempt_at=now + delay,
            last_error=error[:500],
            interruptions=mail.interruptions + may_have_arrived,
        )


def _leased(mail: CustomerMail) -> CustomerMailQuerySet:
    return CustomerMail.objects.filter(pk=mail.pk, state=State.SENDING, lease_holder=mail.lease_holder)


def record_canceled(mail: CustomerMail) -> None:
    # What the mail would report is not true any more.
    _leased(mail).update(state=State.CANCELED, next_attempt_at=None)


def _fail(mail: CustomerMail, state: str, error: str) -> None:
    sending = CustomerMail.objects.filter(pk=mail.pk, state=State.SENDING)
    if not sending.update(state=state, last_error=error[:500], next_attempt_at=None):
        return
    if state == State.REFUSED and mail.kind in KINDS and not KINDS[mail.kind].about_order:
        return
    # The log has every issue, so neither address nor name is in it.
    sentence = REFUSED if state == State.REFUSED else FAILED
    subject = mail.order.number if mail.order else f"mail {mail.pk}"
    issues.open_issue(
        Issue.Kind.CUSTOMER_MAIL, subject, sentence, mail=mail.label, error=error.replace(mail.to, "…")[:300]
    )
