"""Context processor for the shop's pages."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from config.stripe_client import is_configured
from shop.storefront import House, open_house


def storefront(request: HttpRequest) -> dict[str, Any]:
    """Add the storefront (`house`), loaded on first use, and settings that every page needs."""
    return {
        "house": house_of(request),
        "shop_name": SimpleLazyObject(lambda: house_of(request).name),
        "site_url": settings.SITE_URL,
        "currency": settings.SHOP_CURRENCY,
        "can_sell": is_configured(),
    }


def house_of(request: HttpRequest) -> House:
    # Stored on the request, so that views and templates share one query.
    if not hasattr(request, "_house"):
        request._house = SimpleLazyObject(open_house)  # type: ignore[attr-defined]
    return request._house  # type: ignore[attr-defined,no-any-return]
