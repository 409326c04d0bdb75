"""Signed links of the mails: one confirms the sign-ups of an address, the other ends them.

Neither works in place of the other. A subscriber's row is deleted when nothing is left to be mailed, and its links with it.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

MAX_LENGTH = 200
CONFIRM, STOP = "restock_confirm", "restock_stop"  # names of the pages, and salts of their links


def link(page: str, subscriber_id: UUID) -> str:
    return f"{settings.SITE_URL}{reverse(page, args=[token(page, subscriber_id)])}"


def token(page: str, subscriber_id: UUID) -> str:
    return _signer(page).sign(urlsafe_b64encode(subscriber_id.bytes).rstrip(b"=").decode())


def read(page: str, token: str) -> UUID | None:
    """The subscriber's id; None if the link is forged, truncated or that of another page."""
    if len(token) > MAX_LENGTH:
        return None
    try:
        return UUID(bytes=urlsafe_b64decode(f"{_signer(page).unsign(token)}=="))
    except (BadSignature, binascii.Error, ValueError):
        return None


def _signer(page: str) -> Signer:
    # "." needs no escape in an address, and mail programs do not break a link at it.
    return Signer(salt=f"checkout.{page}", sep=".")
