"""Context processor for the shop's pages."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from config.stripe_client import is_configured
from shop.storefront import StorefrontContext, load_storefront


def storefront(request: HttpRequest) -> dict[str, Any]:
    """Add the storefront (`storefront`), loaded on first use, and settings that every page needs."""
    return {
        "storefront": get_storefront(request),
        "shop_name": SimpleLazyObject(lambda: get_storefront(request).name),
        "site_url": settings.SITE_URL,
        "currency": settings.SHOP_CURRENCY,
        "can_sell": is_configured(),
    }


def get_storefront(request: HttpRequest) -> StorefrontContext:
    # Stored on the request, so that views and templates share one query.
    if not hasattr(request, "_storefront"):
        request._storefront = SimpleLazyObject(load_storefront)  # type: ignore[attr-defined]
    return request._storefront  # type: ignore[attr-defined,no-any-return]
