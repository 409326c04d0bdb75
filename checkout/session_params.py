"""What do we ask Stripe for? The parameters of one order's Checkout Session, complete and storable as JSON.

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

METADATA_KEYS, METADATA_CHARACTERS = 50, 500


def session_params(order: Order, lines: Sequence[OrderLine], *, expires_at: datetime) -> dict[str, Any]:
    """Everything about the session of `order`. Return addresses begin with SITE_URL, whatever the request said.

    Which methods of payment are offered is chosen in Stripe's Dashboard, so none is named here.
    """
    return {
        "mode": "payment",
        "client_reference_id": str(order.id),
        "line_items": [_line_item(line) for line in lines],
        "metadata": session_metadata(order, lines),
        "payment_intent_data": {"metadata": {"order": str(order.id)}},
        "expires_at": int(expires_at.timestamp()),
        "success_url": f"{settings.SITE_URL}{reverse('thank_you')}?session_id={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{settings.SITE_URL}{reverse('checkout_canceled')}",
        **_delivery(),
        **_extras(),
    }


def session_metadata(order: Order, lines: Sequence[OrderLine]) -> dict[str, str]:
    """The order's id, a text for people, and the sizes the way older readers of this account look for them."""
    metadata = {"order": str(order.id), "items": _short("; ".join(_text(line) for line in lines))}
    if len(lines) == 1 and lines[0].size:
        metadata["size"] = lines[0].size
    indexed = _indexed(lines)
    # Half a list would look like a whole one, so it is all of it or none; the lines carry their sizes anyway.
    if len(metadata) + len(indexed) <= METADATA_KEYS and all(map(_fits, indexed.values())):
        metadata |= indexed
    return metadata


def _indexed(lines: Sequence[OrderLine]) -> dict[str, str]:
    entries = {}
    for index, line in enumerate(lines):
        entries[f"item_{index}_size"] = line.size
        entries[f"item_{index}_product_id"] = line.product_id or ""
        entries[f"item_{index}_quantity"] = str(line.quantity)
    return {key: value for key, value in entries.items() if value}  # To Stripe an empty value means: no key.


def _line_item(line: OrderLine) -> dict[str, Any]:
    """By price id: the amount is Stripe's own. Quantities cannot be changed on the page, where no stock is known."""
    metadata = {"size": line.size, "color": line.color, "product": line.product_id or ""}
    return {
        "price": line.price_id,
        "quantity": line.quantity,
        "metadata": {key: _short(value) for key, value in metadata.items() if value},
    }


def _delivery() -> dict[str, Any]:
    params: dict[str, Any] = {}
    if settings.SHIPPING_COUNTRIES:
        params["shipping_address_collection"] = {"allowed_countries": list(settings.SHIPPING_COUNTRIES)}
    if settings.SHIPPING_RATES:
        params["shipping_options"] = [{"shipping_rate": rate} for rate in settings.SHIPPING_RATES]
    return params


def _extras() -> dict[str, Any]:
    params: dict[str, Any] = {}
    if settings.STRIPE_AUTOMATIC_TAX:
        params["automatic_tax"] = {"enabled": True}
    if settings.ALLOW_PROMOTION_CODES:
        params["allow_promotion_codes"] = True
    if settings.COLLECT_PHONE_NUMBER:
        params["phone_number_collection"] = {"enabled": True}
    return params


def _text(line: OrderLine) -> str:
    """2 × BALM T-Shirt M Black"""
    return " ".join(part for part in (f"{line.quantity} ×", line.name, line.size, line.color) if part)


def _fits(value: str) -> bool:
    return len(value) <= METADATA_CHARACTERS


def _short(text: str) -> str:
    return text if _fits(text) else text[: METADATA_CHARACTERS - 1] + "…"
