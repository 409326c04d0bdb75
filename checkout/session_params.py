"""Parameters of an order's Checkout Session, complete and storable as JSON.

Parameters: https://docs.stripe.com/api/checkout/sessions/create
Metadata: at most 50 keys, 40 characters a key, 500 a value (https://docs.stripe.com/api/metadata).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from checkout.models import Order, OrderLine
from config.languages import first_language

METADATA_KEYS, METADATA_CHARACTERS = 50, 500


def session_params(
    order: Order, lines: Sequence[OrderLine], *, expires_at: datetime, excluded: Sequence[str] = ()
) -> dict[str, Any]:
    """Parameters of the session of `order`.

    Payment methods are not listed: the owner chooses them in Stripe's Dashboard. `excluded` ones are not offered.
    """
    items = []
    for line in lines:
        metadata = {"size": line.size, "color": line.color, "product": line.product_id or ""}
        items.append(
            {
                # So that the amount is Stripe's own. The quantity is not adjustable: the payment page does not know the
                # stock.
                "price": line.price_id,
                "quantity": line.quantity,
                "metadata": {key: _shorten(value) for key, value in metadata.items() if value},
            }
        )
    params: dict[str, Any] = {
        "mode": "payment",
        # Otherwise Stripe may choose another of the prices' currencies by the customer's place.
        "currency": order.currency,
        "client_reference_id": str(order.id),
        "line_items": items,
        "metadata": session_metadata(order, lines),
        "payment_intent_data": {"metadata": {"order": str(order.id)}},
        "expires_at": int(expires_at.timestamp()),
        # SITE_URL and never the host of the request, which a visitor can choose.
        "success_url": f"{settings.SITE_URL}{reverse('thank_you')}?session_id={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{settings.SITE_URL}{reverse('checkout_canceled')}",
    }
    if settings.SHOP_LANGUAGES != ["en"]:
        params["locale"] = order.language or first_language()  # Otherwise Stripe's page follows the browser.
    if excluded:
        params["excluded_payment_method_types"] = list(excluded)
    if settings.SHIPPING_COUNTRIES:
        params["shipping_address_collection"] = {"allowed_countries": list(settings.SHIPPING_COUNTRIES)}
    if settings.SHIPPING_RATES:
        params["shipping_options"] = [{"shipping_rate": rate} for rate in settings.SHIPPING_RATES]
    if settings.STRIPE_AUTOMATIC_TAX:
        params["automatic_tax"] = {"enabled": True}
    if settings.ALLOW_PROMOTION_CODES:
        params["allow_promotion_codes"] = True
    if settings.COLLECT_PHONE_NUMBER:
        params["phone_number_collection"] = {"enabled": True}
    return params


def session_metadata(order: Order, lines: Sequence[OrderLine]) -> dict[str, str]:
    """The order's id, a text for people, and the sizes under the keys that older readers of the account use."""
    # Such as "2 × BALM T-Shirt M Black".
    texts = [
        " ".join(filter(None, [f"{line.quantity} ×", line.name, line.size, line.color])) for line in lines
    ]
    metadata = {"order": str(order.id), "items": _shorten("; ".join(texts))}
    if len(lines) == 1 and lines[0].size:
        metadata["size"] = lines[0].size
    indexed = {}
    for index, line in enumerate(lines):
        indexed[f"item_{index}_size"] = line.size
        indexed[f"item_{index}_product_id"] = line.product_id or ""
        indexed[f"item_{index}_quantity"] = str(line.quantity)
    # To Stripe an empty value means no key.
    indexed = {key: value for key, value in indexed.items() if value}
    # All of the list or none, because half a list would look complete. The lines carry their sizes in any case.
    fits = all(len(value) <= METADATA_CHARACTERS for value in indexed.values())
    if fits and len(metadata) + len(indexed) <= METADATA_KEYS:
        metadata |= indexed
    return metadata


def _shorten(text: str) -> str:
    return text if len(text) <= METADATA_CHARACTERS else text[: METADATA_CHARACTERS - 1] + "…"
