"""Mail those who wait for a size when it is for sale again, in waves no larger than the units that are there.

The first wave is as large as the units for sale, in the order of asking. Who was mailed has RESTOCK_WAVE_MINUTES to buy: for
that time a unit is set aside in the arithmetic, not in the stock. If units are still there afterwards, or more arrive, the
next ones are mailed. Before a mail is sent, is_current looks once more whether the size is for sale.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import cast
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet

from checkout.cart.rules import is_for_sale
from checkout.mail import outbox
from checkout.mail.kinds import BACK_IN_STOCK, is_on
from checkout.mail.outbox import QueuedMail
from checkout.models import CustomerMail, RestockSignup, RestockSubscriber, RestockWave
from checkout.restock import links, signups
from inventory.db import insert_new
from inventory.models import StockItem

logger = logging.getLogger(__name__)

State = RestockSignup.State
MAX_WAVE = 200  # mails queued in one transaction; what is left follows in the next round


def waiting_signups() -> QuerySet[RestockSignup]:
    return RestockSignup.objects.filter(state=State.WAITING)


def mails_of_waves() -> QuerySet[CustomerMail]:
    return CustomerMail.objects.filter(kind=BACK_IN_STOCK)


def send_waves(now: datetime) -> int:
    """Worker task: queue the mails that are due, and forget the addresses of those that were sent."""
    if not is_on(BACK_IN_STOCK):
        return 0
    done = finish_mailed(now)
    waiting = waiting_signups().filter(item=OuterRef("pk"))
    for item in StockItem.objects.filter(Exists(waiting)).select_related("product").order_by("pk"):
        if is_for_sale(item):
            done += queue_wave(item, now)
        else:
            RestockWave.objects.filter(item=item, ended_at=None).update(ended_at=now)
    return done


def queue_wave(item: StockItem, now: datetime) -> int:
    """Queue the next wave of a size that is for sale. Returns the number of mails; 0 if none are due.

    Two workers may get here at once: both read the same last number, and the unique constraint admits one.
    """
    with transaction.atomic():
        # Read first: a wave that is queued from here on makes this one's number taken.
        last = RestockWave.objects.filter(item=item).aggregate(number=Max("number"))["number"] or 0
        # The units that the waves of the last minutes were mailed for may be in a checkout by now.
        lately = RestockWave.objects.filter(
            item=item, ended_at=None, created_at__gt=now - timedelta(minutes=settings.RESTOCK_WAVE_MINUTES)
        )
        mailing = RestockSignup.objects.filter(wave__in=lately, state__in=[State.MAILING, State.MAILED])
        mailed = mailing.count()
        item = StockItem.objects.select_related("product").get(pk=item.pk)
        if not is_for_sale(item):
            return 0
        room = MAX_WAVE if item.available is None else min(MAX_WAVE, item.available - mailed)
        if room <= 0:
            return 0
        wave = RestockWave(item=item, number=last + 1, available=item.available, created_at=now)
        if not insert_new([wave], unique=("item_id", "number")):
            return 0
        waiting = waiting_signups().filter(item=item).order_by("pk")
        chosen = list(waiting.select_for_update(of=("self",)).select_related("subscriber")[:room])
        if not chosen:
            wave.delete()
            return 0
        RestockSignup.objects.filter(pk__in=[signup.pk for signup in chosen]).update(
            state=State.MAILING, wave=wave
        )
        outbox.queue_all([_mail(signup, item) for signup in chosen])
    logger.info("%s is back: %d mails are queued, %s units are for sale", item, len(chosen), item.available)
    return len(chosen)


def _mail(signup: RestockSignup, item: StockItem) -> QueuedMail:
    subscriber = cast(RestockSubscriber, signup.subscriber)  # A sign-up that waits has an address.
    return QueuedMail(
        BACK_IN_STOCK,
        reference=signups.mail_reference(signup),
        to=subscriber.email,
        language=subscriber.language,
        context={
            "item": signups.item_name(item, subscriber.language),
            "signup": signup.pk,
            "buy_url": product_url(item),
            "stop_url": links.link(links.STOP, subscriber.pk),
        },
        headers=signups.unsubscribe_headers(subscriber.pk),
    )


def product_url(item: StockItem) -> str:
    query = f"?{urlencode({'size': item.size})}" if item.size else ""
    return f"{settings.SITE_URL}{item.product.get_absolute_url()}{query}"


def is_current(mail: CustomerMail) -> bool:
    """Whether the size of a mail that is about to be sent is for sale at this moment."""
    signup = RestockSignup.objects.filter(pk=mail.context.get("signup"), state=State.MAILING)
    found = signup.select_related("item__product").first()
    return found is not None and is_for_sale(found.item)


def finish_mailed(now: datetime) -> int:
    """Finish the sign-ups whose mail was sent or refused; those whose mail was canceled wait again, in their place."""
    mails = mails_of_waves().exclude(pk__in=CustomerMail.objects.waiting())
    outcomes = {
        CustomerMail.State.SENT: State.MAILED,
        CustomerMail.State.CANCELED: State.WAITING,
        CustomerMail.State.REFUSED: State.REFUSED,
        CustomerMail.State.FAILED: State.REFUSED,
    }
    finished = list(mails.order_by("pk").values_list("pk", "state", "context__signup")[: signups.BATCH])
    for pk, mail_state, signup_id in finished:
        with transaction.atomic():
            if not CustomerMail.objects.filter(pk=pk, state=mail_state).delete()[0]:
                continue
            state = outcomes[CustomerMail.State(mail_state)]
            mailing = RestockSignup.objects.filter(pk=signup_id, state=State.MAILING)
            if state == State.WAITING:
                mailing.update(state=state, wave=None)
            else:
                mailing.update(state=state, ended_at=now)
    ids = [signup_id for _pk, _state, signup_id in finished]
    signups.forget(RestockSignup.objects.filter(pk__in=ids).values_list("subscriber", flat=True))
    return len(finished)
