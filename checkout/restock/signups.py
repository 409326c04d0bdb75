"""Sign-ups for sizes that are sold out: asked for, confirmed by mail, ended, and forgotten.

    unconfirmed -> waiting -> mailing -> mailed | refused
    unconfirmed | waiting -> unsubscribed | gone | expired

Every change of an address's sign-ups locks its RestockSubscriber first, so that none is added to a row that is being deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.encoding import punycode
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from checkout.mail import outbox
from checkout.mail.kinds import BACK_IN_STOCK, RESTOCK_CONFIRMATION
from checkout.models import CustomerMail, RestockSignup, RestockSubscriber
from checkout.restock import links
from inventory.db import insert_new
from inventory.models import StockItem

State = RestockSignup.State
KINDS = (RESTOCK_CONFIRMATION, BACK_IN_STOCK)
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=10), timedelta(days=1)  # between two confirmation mails
MAX_SIGNUPS = 50  # of one address
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MISSING_FOR = timedelta(days=7)  # A size that is taken off for a few days is waited for.
BATCH = 500


class TooManySignups(Exception):
    """This network has asked too often within an hour."""


def normalized(address: str) -> str:
    """The address with its domain in ASCII. Raises ValidationError for one that cannot stand in a mail's header."""
    validate_email(address)
    local, _at, domain = address.rpartition("@")
    try:
        result = f"{local}@{punycode(domain)}"
    except UnicodeError:
        result = ""
    if not result.isascii() or not 0 < len(result) <= 254:
        raise ValidationError(_("Enter a valid email address."))
    return result


# --- Asking, confirming, stopping -------------------------------------------------------------


def ask(address: str, item: StockItem, *, network: str, now: datetime) -> None:
    """Sign a normalized address up, and mail it a link to confirm. Raises TooManySignups.

    The caller learns nothing about the address. Asking again mails again only after a wait that doubles each time.
    """
    asked = RestockSignup.objects.filter(client_network=network, asked_at__gt=now - HOUR)
    if network and asked.count() >= settings.RESTOCK_SIGNUPS_PER_ADDRESS_AND_HOUR:
        raise TooManySignups
    with transaction.atomic():
        subscriber = _get_or_create(address, now)
        signup = RestockSignup(subscriber=subscriber, item=item, asked_at=now, client_network=network)
        if subscriber.signups.open().count() < MAX_SIGNUPS:
            insert_new([signup], unique=("subscriber_id", "item_id"))
        if subscriber.signups.filter(state=State.UNCONFIRMED, item=item).exists():
            _mail_confirmation(subscriber, item, now)


def _get_or_create(address: str, now: datetime) -> RestockSubscriber:
    # The row, locked. One that was deleted between the two statements is inserted again.
    key = address.lower()
    while True:
        row = RestockSubscriber(
            email=address, email_key=key, language=get_language() or settings.LANGUAGE_CODE, created_at=now
        )
        insert_new([row], unique=("email_key",))
        subscriber = RestockSubscriber.objects.select_for_update().filter(email_key=key).first()
        if subscriber:
            return subscriber


def _mail_confirmation(subscriber: RestockSubscriber, item: StockItem, now: datetime) -> None:
    if subscriber.next_confirmation_at and now < subscriber.next_confirmation_at <= now + LONGEST_WAIT:
        return
    wait = min(FIRST_WAIT * 2 ** min(subscriber.confirmations, 10), LONGEST_WAIT)
    subscriber.next_confirmation_at, subscriber.confirmations = now + wait, subscriber.confirmations + 1
    subscriber.save(update_fields=["next_confirmation_at", "confirmations"])
    outbox.queue(
        RESTOCK_CONFIRMATION,
        reference=f"{subscriber.pk}:{now.timestamp():.6f}",
        to=subscriber.email,
        language=subscriber.language,
        context={
            "item": item_name(item, subscriber.language),
            "confirm_url": links.link(links.CONFIRM, subscriber.pk),
            "stop_url": links.link(links.STOP, subscriber.pk),
            "days": settings.RESTOCK_CONFIRM_DAYS,
        },
        headers=unsubscribe_headers(subscriber.pk),
    )


def unsubscribe_headers(subscriber_id: UUID) -> dict[str, str]:
    # For the mail program's own button: https://www.rfc-editor.org/rfc/rfc8058
    return {
        "List-Unsubscribe": f"<{links.link(links.STOP, subscriber_id)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def confirm(subscriber_id: UUID, *, now: datetime) -> None:
    """Confirm all sign-ups of an address: its owner has opened the link of a mail."""
    with transaction.atomic():
        subscriber = _locked(subscriber_id)
        if subscriber is None:
            return
        subscriber.signups.filter(state=State.UNCONFIRMED).update(state=State.WAITING, confirmed_at=now)
        subscriber.confirmations, subscriber.next_confirmation_at = 0, None
        subscriber.save(update_fields=["confirmations", "next_confirmation_at"])


def stop(subscriber_id: UUID, *, now: datetime, signup_id: int | None = None) -> None:
    """End one sign-up of an address, or all. A mail that waits to be sent is not sent."""
    with transaction.atomic():
        subscriber = _locked(subscriber_id)
        if subscriber is None:
            return
        ended = subscriber.signups.open()
        if signup_id is not None:
            ended = ended.filter(pk=signup_id)
        for signup in ended.filter(state=State.MAILING):
            outbox.cancel(BACK_IN_STOCK, reference=mail_reference(signup))
        ended.filter(state=State.UNCONFIRMED).delete()
        ended.update(state=State.UNSUBSCRIBED, ended_at=now)
        forget_if_done(subscriber)


def mail_reference(signup: RestockSignup) -> str:
    return f"{signup.subscriber_id}:{signup.pk}"


def _locked(subscriber_id: UUID) -> RestockSubscriber | None:
    return RestockSubscriber.objects.select_for_update().filter(pk=subscriber_id).first()


# --- Forgetting -------------------------------------------------------------------------------


def forget_if_done(subscriber: RestockSubscriber) -> None:
    """Delete a locked subscriber and its mails, unless something is left to be mailed."""
    if subscriber.signups.open().exists():
        return
    mails = CustomerMail.objects.filter(kind__in=KINDS, reference__startswith=f"{subscriber.pk}:")
    mails.delete()
    subscriber.delete()


def forget(subscriber_ids: Iterable[UUID | None]) -> None:
    for subscriber_id in sorted({each for each in subscriber_ids if each}):
        with transaction.atomic():
            if subscriber := _locked(subscriber_id):
                forget_if_done(subscriber)


def subscribers() -> QuerySet[RestockSubscriber]:
    return RestockSubscriber.objects.all()


def known_networks() -> QuerySet[RestockSignup]:
    return RestockSignup.objects.exclude(client_network="")


def end_old(now: datetime) -> int:
    """Worker task: end sign-ups that were not confirmed, wait too long, or wait for what is no longer sold."""
    signups = RestockSignup.objects.all()
    known_networks().filter(asked_at__lt=now - DAY).update(client_network="")
    unconfirmed_before = now - timedelta(days=settings.RESTOCK_CONFIRM_DAYS)
    signups.filter(state=State.UNCONFIRMED, asked_at__lt=unconfirmed_before).delete()
    waiting = signups.filter(state=State.WAITING)
    asked_before = now - timedelta(days=settings.RESTOCK_WAIT_DAYS)
    ended = waiting.filter(asked_at__lt=asked_before).update(state=State.EXPIRED, ended_at=now)
    # Note since when a size is not offered, and that it is offered again.
    missing = Q(item__is_listed=False) | Q(item__product__active=False)
    open_signups = signups.filter(state__in=[State.WAITING, State.UNCONFIRMED])
    for pks in _batches(open_signups.filter(missing, missing_since=None)):
        signups.filter(pk__in=pks).update(missing_since=now)
    for pks in _batches(open_signups.exclude(missing).exclude(missing_since=None)):
        signups.filter(pk__in=pks).update(missing_since=None)
    # Deleted at Stripe is final; what is hidden or not listed may be back tomorrow.
    gone = Q(item__product__deleted=True) | Q(missing_since__lt=now - MISSING_FOR)
    for pks in _batches(open_signups.filter(gone)):
        ended += signups.filter(pk__in=pks).update(state=State.GONE, ended_at=now)
    done = RestockSubscriber.objects.exclude(
        Exists(RestockSignup.objects.open().filter(subscriber=OuterRef("pk")))
    )
    forget(done.filter(created_at__lt=now - HOUR).values_list("pk", flat=True)[:BATCH])
    return ended


def _batches(signups: Any) -> Iterable[list[int]]:
    pks = list(signups.order_by("pk").values_list("pk", flat=True))
    return (pks[start : start + BATCH] for start in range(0, len(pks), BATCH))


def item_name(item: StockItem, language: str) -> str:
    with override(language):
        return f"{item.product.shown_name} {item.size}".strip()


# --- What is stored about an address ----------------------------------------------------------


def export(address: str) -> list[dict[str, Any]]:
    """The sign-ups of an address that are stored with it: size, state and times."""
    signups = RestockSignup.objects.filter(subscriber__email_key=_key(address)).select_related(
        "item__product"
    )
    return [
        {
            "email": address,
            "product": signup.item.product.name,
            "size": signup.item.size,
            "state": signup.state,
            "asked_at": signup.asked_at.isoformat(),
            "confirmed_at": signup.confirmed_at.isoformat() if signup.confirmed_at else None,
        }
        for signup in signups
    ]


def erase(address: str, *, now: datetime) -> int:
    """End all sign-ups of an address and delete it. Returns how many there were."""
    subscriber = RestockSubscriber.objects.filter(email_key=_key(address)).first()
    if subscriber is None:
        return 0
    number = subscriber.signups.open().count()
    stop(subscriber.pk, now=now)
    return number


def _key(address: str) -> str:
    try:
        return normalized(address).lower()
    except ValidationError:
        return address.lower()
