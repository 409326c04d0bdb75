"""Pack and send paid orders: who did it when, the carrier and the tracking number.

Each step is one conditional UPDATE, so a double click, or two people at two phones, take effect once. Stock does not
change here: it was counted when the order was paid.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from checkout.models import Order
from checkout.orders import mails


class NotSendable(Exception):
    """The order cannot be packed or sent. The message says why."""


def mark_packed(order_ids: Iterable[UUID], *, actor: str, now: datetime) -> list[Order]:
    """Mark those of the orders that are ready to be packed. Returns the ones that this call has changed."""
    orders = list(Order.objects.to_pack().filter(pk__in=list(order_ids)))
    unpacked = Order.objects.to_pack()
    return [order for order in orders if unpacked.filter(pk=order.pk).update(packed_at=now, packed_by=actor)]


def mark_unpacked(order_ids: Iterable[UUID]) -> list[Order]:
    """Take the mark back from orders that are packed and not sent. Returns the ones that this call has changed."""
    orders = list(Order.objects.packed().filter(pk__in=list(order_ids)))
    packed = Order.objects.packed()
    return [order for order in orders if packed.filter(pk=order.pk).update(packed_at=None, packed_by="")]


def mark_sent(
    order_id: UUID, *, carrier: str = "", tracking_number: str = "", actor: str, now: datetime
) -> bool:
    """Mark a paid order as sent; one that was not marked as packed is packed by this.

    False if it is sent already: then only a new carrier or tracking number is saved. Raises NotSendable.
    """
    parcel = {"carrier": carrier, "tracking_number": tracking_number}
    order = Order.objects.prefetch_related("lines").get(pk=order_id)
    if order.sent_at is None and (reason := why_not_sendable(order)):
        raise NotSendable(reason)
    with transaction.atomic():
        # Conditions on the row alone: PostgreSQL checks them again after it has waited for another writer.
        unsent = Order.objects.filter(pk=order_id, state=Order.State.PAID, sent_at=None)
        unsent.filter(packed_at=None).update(packed_at=now, packed_by=actor)
        newly_sent = bool(unsent.update(sent_at=now, sent_by=actor, **parcel))
        sent = Order.objects.filter(pk=order_id, sent_at__isnull=False)
        if newly_sent or (sent.update(**parcel) and tracking_number):
            mails.tell_sent(sent.get())
    if not newly_sent and not sent.exists():
        raise NotSendable(why_not_sendable(Order.objects.prefetch_related("lines").get(pk=order_id)))
    return newly_sent


def why_not_sendable(order: Order) -> str:
    """Why the order can be neither packed nor sent; "" if it can."""
    if order.state == Order.State.REFUNDED:
        return _("It was refunded.")
    if order.state != Order.State.PAID:
        return _("It is not paid.")
    if order.fulfillment is None:
        return _("All of its lines were refunded.")
    if order.fulfillment == Order.Fulfillment.NEEDS_SIZE:
        return _("A line needs a size. Choose it first, so that the sale is counted.")
    return ""


def mark_not_sent(order_id: UUID) -> bool:
    """Take the mark back from an order that is not on its way after all; it stays packed."""
    with transaction.atomic():
        sent = Order.objects.filter(pk=order_id, sent_at__isnull=False)
        order = sent.select_for_update(no_key=True).first()
        if order is None:
            return False
        sent.update(sent_at=None, sent_by="", carrier="", tracking_number="")
        mails.take_back_sent(order)
    return True
