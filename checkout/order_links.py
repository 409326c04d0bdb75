"""Signed links to the page of an order.

The link alone opens the page, so it cannot be guessed: it carries a signature of the order's id and of the time at
which it was made. Mails are kept for years and passed on, so a link ends after ORDER_LINK_DAYS; a new one is mailed to the
address of the order at any time. Links signed with one of SECRET_KEY_FALLBACKS stay valid.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.urls import reverse

from checkout.models import Order

# "." needs no escape in an address, and mail programs do not break a link at it.
SALT, SEP = "checkout.order", "."
MAX_LENGTH = 200


def order_url(order: Order) -> str:
    """The address of the order's page, for mails: never built from the Host header of a request."""
    return f"{settings.SITE_URL}{order_path(order)}"


def order_path(order: Order) -> str:
    return reverse("order_page", args=[order_token(order)])


def order_token(order: Order) -> str:
    return TimestampSigner(salt=SALT, sep=SEP).sign(urlsafe_b64encode(order.pk.bytes).rstrip(b"=").decode())


def order_of_token(token: str) -> Order | None:
    """The order of a link. None if the link is forged, truncated or too old; nothing tells which."""
    if len(token) > MAX_LENGTH:
        return None
    try:
        value = TimestampSigner(salt=SALT, sep=SEP).unsign(
            token, max_age=timedelta(days=settings.ORDER_LINK_DAYS)
        )
        order_id = UUID(bytes=urlsafe_b64decode(f"{value}=="))
    except (BadSignature, binascii.Error, ValueError):
        return None
    return Order.objects.filter(pk=order_id).prefetch_related("lines__product").first()
