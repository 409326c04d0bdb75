"""Context processor for the shop's pages."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language

from config.stripe_client import is_configured
from shop.currencies import chosen_currency
from shop.money import currency_label
from shop.storefront import StorefrontContext, load_storefront


def storefront(request: HttpRequest) -> dict[str, Any]:
    """Add the storefront (`storefront`), loaded on first use, and settings that every page needs."""
    return {
        "storefront": get_storefront(request),
        "shop_name": SimpleLazyObject(lambda: get_storefront(request).name),
        "currency": SimpleLazyObject(lambda: get_currency(request)),
        "currencies": SimpleLazyObject(lambda: offered_currencies(request)),
        "address": request.get_full_path(),
        **shown_settings(),
    }


def shown_settings() -> dict[str, Any]:
    """What every page shows and no database knows. The page cache has it in its keys."""
    return {
        "site_url": settings.SITE_URL,
        "can_sell": is_configured(),
        "languages": offered_languages(),
        "offers_restock": settings.RESTOCK_SIGNUPS,
    }


def offered_languages() -> tuple[tuple[str, str], ...]:
    names = dict(settings.LANGUAGES)
    codes = settings.SHOP_LANGUAGES
    return tuple((code, str(names[code])) for code in codes) if len(codes) > 1 else ()


def offered_currencies(request: HttpRequest) -> tuple[tuple[str, str], ...]:
    """Code and label of each currency that customers may pay in, empty if there is only one."""
    if not settings.SHOP_CURRENCIES:
        return ()
    codes = get_storefront(request).currencies
    language = get_language() or "en"
    return tuple((code, currency_label(code, language)) for code in codes) if len(codes) > 1 else ()


def get_currency(request: HttpRequest) -> str:
    """The currency in which this visitor sees prices and pays."""
    if not hasattr(request, "_currency"):
        request._currency = chosen_currency(request, get_storefront(request))  # type: ignore[attr-defined]
    return str(request._currency)  # type: ignore[attr-defined]


def get_storefront(request: HttpRequest) -> StorefrontContext:
    # Stored on the request, so that views and templates share one query.
    if not hasattr(request, "_storefront"):
        request._storefront = SimpleLazyObject(load_storefront)  # type: ignore[attr-defined]
    return request._storefront  # type: ignore[attr-defined,no-any-return]
