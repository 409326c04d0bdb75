"""Addresses of objects in Stripe's Dashboard, and the mode of the key."""

from __future__ import annotations

from urllib.parse import quote

from django.conf import settings


def dashboard_url(page: str, object_id: str) -> str:
    """`page`: products, payments, events or customers."""
    return f"{settings.STRIPE_DASHBOARD}/{page}/{quote(object_id, safe='')}"


def key_mode() -> str:
    """“live” or “test”, from the secret key; empty without one."""
    if not settings.STRIPE_SECRET_KEY:
        return ""
    return "live" if "_live_" in settings.STRIPE_SECRET_KEY else "test"
