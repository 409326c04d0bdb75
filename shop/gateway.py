"""How do products and prices come from Stripe? Its objects become ours here, and nowhere else in shop.

Their texts become such as every database keeps, so that nothing behind this door has to think of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from config.stripe_client import NotFound, our_errors, stripe_client
from config.texts import storable

if TYPE_CHECKING:
    import stripe

PAGE = 100  # The most that Stripe gives at once.
RETRIES = 2  # Reads may always be asked again.


@dataclass(frozen=True)
class StripePrice:
    """A price as Stripe has it. `unit_amount`: minor units, None where Stripe has no single whole amount."""

    id: str
    active: bool
    currency: str
    unit_amount: int | None
    recurring: bool
    tiered: bool
    custom: bool
    size: str


@dataclass(frozen=True)
class StripeProduct:
    """A product as Stripe has it. `read_at`: when the reading began; `prices`: the active ones and the default."""

    id: str
    name: str
    description: str
    active: bool
    deleted: bool
    metadata: dict[str, str]
    images: tuple[str, ...]
    default_price_id: str
    prices: tuple[StripePrice, ...]
    created_at: datetime
    read_at: datetime
    updated_at: datetime | None = None  # By Stripe's clock: inventory tells by it what a reading has in it.


def fetch_product(product_id: str) -> StripeProduct:
    """Read one product and its prices. `deleted` where Stripe says so or knows no such product.

    Raises config.stripe_client.StripeTrouble when Stripe cannot be asked.
    """
    read_at = timezone.now()
    try:
        with our_errors():
            client = stripe_client(retries=RETRIES)
            product = client.v1.products.retrieve(product_id)
            if _get(product, "deleted"):
                return _gone(product_id, read_at)
            listed = client.v1.prices.list({"product": product_id, "limit": PAGE})
            prices = [_price(price) for price in listed.auto_paging_iter()]
    except NotFound:
        return _gone(product_id, read_at)
    return _product(product, tuple(prices), read_at)


def each_product() -> Iterator[StripeProduct]:
    """Every product of the account, archived ones too, a page at a time; prices are read first, in pages of their own.

    Raises config.stripe_client.StripeTrouble, possibly after some products.
    """
    read_at = timezone.now()
    with our_errors():
        client = stripe_client(retries=RETRIES)
        prices: dict[str, list[StripePrice]] = defaultdict(list)
        for price in client.v1.prices.list({"limit": PAGE}).auto_paging_iter():
            prices[_id(price.product)].append(_price(price))
        for product in client.v1.products.list({"limit": PAGE}).auto_paging_iter():
            yield _product(product, tuple(prices.pop(product.id, ())), read_at)


def _product(product: stripe.Product, prices: tuple[StripePrice, ...], read_at: datetime) -> StripeProduct:
    default = _id(_get(product, "default_price"))
    return StripeProduct(
        id=product.id,
        name=storable(product.name),
        description=storable(_get(product, "description") or ""),
        active=bool(product.active),
        deleted=False,
        metadata=_texts(_get(product, "metadata")),
        images=tuple(storable(list(_get(product, "images") or ()))),
        default_price_id=default,
        prices=tuple(price for price in prices if price.active or price.id == default),
        created_at=datetime.fromtimestamp(product.created, UTC),
        read_at=read_at,
        updated_at=_moment(_get(product, "updated")),
    )


def _moment(seconds: Any) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _price(price: stripe.Price) -> StripePrice:
    return StripePrice(
        id=price.id,
        active=bool(price.active),
        currency=price.currency,
        unit_amount=_get(price, "unit_amount"),
        recurring=_get(price, "recurring") is not None,
        tiered=_get(price, "billing_scheme") == "tiered",
        custom=_get(price, "custom_unit_amount") is not None,
        size=_texts(_get(price, "metadata")).get("size", "").strip(),
    )


def _gone(product_id: str, read_at: datetime) -> StripeProduct:
    return StripeProduct(
        id=product_id,
        name="",
        description="",
        active=False,
        deleted=True,
        metadata={},
        images=(),
        default_price_id="",
        prices=(),
        created_at=read_at,
        read_at=read_at,
    )


def _get(thing: Any, name: str) -> Any:
    """A field that may be absent: Stripe's objects are no dicts and have no .get()."""
    return getattr(thing, name, None)


def _id(reference: Any) -> str:
    """Stripe gives an id, an expanded object or nothing."""
    if reference is None or isinstance(reference, str):
        return reference or ""
    return str(reference.id)


def _texts(metadata: Any) -> dict[str, str]:
    if metadata is None:
        return {}
    return {storable(str(key)): storable(str(value)) for key, value in metadata.to_dict().items()}
