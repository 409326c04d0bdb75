"""Fetch products and prices from Stripe and translate them into dataclasses, and create those of an import.

Texts are cleaned of characters that some databases cannot store, so that no caller has to handle them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.utils import timezone

from config.coerce import as_datetime, as_mapping, as_text, as_texts, clean_json
from config.stripe_client import NotFound, client_of, stripe_client, translate_errors
from shop.prices import CurrencyOption

if TYPE_CHECKING:
    import stripe

PAGE_SIZE = 100  # Stripe's maximum.
RETRIES = 2  # Reads are always safe to retry.


@dataclass(frozen=True)
class StripePrice:
    """A price at Stripe. `unit_amount` is in minor units, None if there is no single whole amount."""

    id: str
    active: bool
    currency: str
    unit_amount: int | None
    recurring: bool
    tiered: bool
    custom: bool
    size: str
    misspelled_key: str = ""  # A key such as `Size`, which is not read.
    tax_included: bool = False
    options: tuple[CurrencyOption, ...] = ()  # In the shop's other currencies.


@dataclass(frozen=True)
class StripeProduct:
    """A product at Stripe. `fetched_at` is when the fetch began; `prices` are the active ones and the default."""

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
    fetched_at: datetime
    updated_at: datetime | None = None  # By Stripe's clock; inventory compares it with event times.


@dataclass(frozen=True)
class StripeShippingRate:
    """A shipping rate at Stripe. `amount` is in minor units, and so are `options`, by the shop's other currencies."""

    id: str
    name: str
    active: bool
    currency: str
    amount: int
    options: dict[str, int]
    delivery_days: list[int | None]  # Least and most, of which one may be unknown; empty without an estimate.


DAYS = {"hour": 1 / 24, "day": 1, "business_day": 1, "week": 7, "month": 30}


def fetch_shipping_rate(rate_id: str) -> StripeShippingRate:
    """Raises config.stripe_client.NotFound if Stripe does not have it, StripeCallError if the request fails."""
    with translate_errors():
        rate = stripe_client(retries=RETRIES).v1.shipping_rates.retrieve(
            rate_id, {"expand": _expanded("fixed_amount.currency_options")}
        )
    fixed = rate.fixed_amount
    options = _currency_options(fixed, "amount")
    estimate = _field(rate, "delivery_estimate")
    ends = [_field(estimate, name) for name in ("minimum", "maximum")]
    days = [None if end is None else ceil(end.value * DAYS.get(end.unit, 1)) for end in ends]
    return StripeShippingRate(
        id=rate.id,
        name=clean_json(_field(rate, "display_name") or "")[:100],
        # Rates of a fixed amount are the only type that Stripe has.
        active=bool(rate.active) and fixed is not None,
        currency=fixed.currency if fixed else "",
        amount=fixed.amount if fixed else 0,
        options={code: option.amount for code, option in options.items()},
        delivery_days=days if any(ends) else [],
    )


def fetch_product(product_id: str) -> StripeProduct:
    """Fetch one product and its prices. It is `deleted` if Stripe says so or has no such product.

    Raises config.stripe_client.StripeCallError if the request fails.
    """
    fetched_at = timezone.now()
    try:
        with translate_errors():
            client = stripe_client(retries=RETRIES)
            product = client.v1.products.retrieve(product_id)
            if _field(product, "deleted"):
                return _deleted_product(product_id, fetched_at)
            expand = _expanded("data.currency_options")
            listed = client.v1.prices.list({"product": product_id, "limit": PAGE_SIZE, "expand": expand})
            prices = [_price(price) for price in listed.auto_paging_iter()]
    except NotFound:
        return _deleted_product(product_id, fetched_at)
    return _product(product, tuple(prices), fetched_at)


def iter_products() -> Iterator[StripeProduct]:
    """Yield every product of the account, archived ones included.

    All prices are listed first, which takes far fewer requests than listing them product by product.
    Raises config.stripe_client.StripeCallError, possibly after some products.
    """
    fetched_at = timezone.now()
    with translate_errors():
        client = stripe_client(retries=RETRIES)
        prices: dict[str, list[StripePrice]] = defaultdict(list)
        expand = _expanded("data.currency_options")
        for price in client.v1.prices.list({"limit": PAGE_SIZE, "expand": expand}).auto_paging_iter():
            prices[_id(price.product)].append(_price(price))
        for product in client.v1.products.list({"limit": PAGE_SIZE}).auto_paging_iter():
            yield _product(product, tuple(prices.pop(product.id, ())), fetched_at)


def _product(product: stripe.Product, prices: tuple[StripePrice, ...], fetched_at: datetime) -> StripeProduct:
    default = _id(_field(product, "default_price"))
    return StripeProduct(
        id=product.id,
        name=clean_json(product.name),
        description=clean_json(_field(product, "description") or ""),
        active=bool(product.active),
        deleted=False,
        metadata=_texts(_field(product, "metadata")),
        images=tuple(clean_json(list(_field(product, "images") or ()))),
        default_price_id=default,
        prices=tuple(price for price in prices if price.active or price.id == default),
        created_at=datetime.fromtimestamp(product.created, UTC),
        fetched_at=fetched_at,
        updated_at=as_datetime(_field(product, "updated")),
    )


def _price(price: stripe.Price) -> StripePrice:
    metadata = _texts(_field(price, "metadata"))
    misspelled = [key for key in metadata if "size" not in metadata and key.strip().casefold() == "size"]
    return StripePrice(
        id=price.id,
        active=bool(price.active),
        currency=price.currency,
        unit_amount=_field(price, "unit_amount"),
        recurring=_field(price, "recurring") is not None,
        tiered=_field(price, "billing_scheme") == "tiered",
        custom=_field(price, "custom_unit_amount") is not None,
        size=metadata.get("size", "").strip(),
        misspelled_key=misspelled[0] if misspelled else "",
        tax_included=_field(price, "tax_behavior") == "inclusive",
        options=tuple(
            CurrencyOption(code, option.unit_amount, _field(option, "tax_behavior") == "inclusive")
            for code, option in _currency_options(price, "unit_amount").items()
        ),
    )


def _expanded(path: str) -> list[str]:
    # Stripe leaves currency options out unless they are asked for.
    return [path] if settings.SHOP_CURRENCIES else []


def _currency_options(thing: Any, amount: str) -> dict[str, Any]:
    # Those of the shop's other currencies that have one whole amount. Stripe lists the price's own currency as well.
    options = _field(thing, "currency_options") or {}
    # The library makes a dict of a rate's options and an object of a price's.
    found = options if isinstance(options, dict) else options.to_dict(recursive=False)
    return {
        code: found[code]
        for code in sorted(found)
        if code in settings.SHOP_CURRENCIES
        and code != thing.currency
        and _field(found[code], amount) is not None
        and _field(found[code], "custom_unit_amount") is None
    }


def _deleted_product(product_id: str, fetched_at: datetime) -> StripeProduct:
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
        created_at=fetched_at,
        fetched_at=fetched_at,
    )


def _field(thing: Any, name: str) -> Any:
    # Fields may be absent, and Stripe's objects have no .get().
    return getattr(thing, name, None)


def _id(reference: Any) -> str:
    # Stripe returns an id, an expanded object or nothing.
    if reference is None or isinstance(reference, str):
        return reference or ""
    return str(reference.id)


def _texts(metadata: Any) -> dict[str, str]:
    if metadata is None:
        return {}
    return {clean_json(str(key)): clean_json(str(value)) for key, value in metadata.to_dict().items()}


# --- Creating products, for imports ---------------------------------------------------------------


def create_product(params: Mapping[str, Any], *, key: str) -> None:
    """POST /v1/products. `key`: the idempotency key. Raises config.stripe_client.StripeCallError."""
    with translate_errors():
        stripe_client(retries=RETRIES).v1.products.create(
            cast("stripe.params.ProductCreateParams", dict(params)), {"idempotency_key": key}
        )


def create_price(params: Mapping[str, Any], *, key: str) -> None:
    """POST /v1/prices. `key`: the idempotency key. Raises config.stripe_client.StripeCallError."""
    with translate_errors():
        stripe_client(retries=RETRIES).v1.prices.create(
            cast("stripe.params.PriceCreateParams", dict(params)), {"idempotency_key": key}
        )


def update_product(product_id: str, params: Mapping[str, Any], *, key: str) -> None:
    """POST /v1/products/{id}. `key`: the idempotency key. Raises config.stripe_client.StripeCallError."""
    with translate_errors():
        stripe_client(retries=RETRIES).v1.products.update(
            product_id,
            cast("stripe.params.ProductUpdateParams", dict(params)),
            {"idempotency_key": key},
        )


# --- Two accounts, for promote_catalog ------------------------------------------------------------


@dataclass(frozen=True)
class CopiedPrice:
    """A price as the parameters with which another account creates it.

    `terms` are what a buyer agrees to; Stripe never changes most of them. `obstacle`: why it cannot be copied.
    """

    id: str
    product_id: str
    active: bool
    nickname: str
    lookup_key: str
    metadata: dict[str, str]
    terms: dict[str, Any]
    obstacle: str = ""


@dataclass(frozen=True)
class CopiedProduct:
    """A product as the parameters with which another account creates it, without those that are empty."""

    id: str
    active: bool
    default_price_id: str
    metadata: dict[str, str]
    fields: dict[str, Any]
    prices: tuple[CopiedPrice, ...]


# What an update sets to "" where the original has nothing.
COPIED_FIELDS = (
    "name",
    "description",
    "images",
    "marketing_features",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
)
# Ids that exist nowhere: a key with the permission gets 404, one without it 403, and nothing changes.
NO_PRODUCT, NO_PRICE = "prod_no_such_product", "price_no_such_price"


@dataclass(frozen=True)
class CatalogAccount:
    """The catalog of an account and mode, reached with the key that the variable `key_name` holds.

    All methods raise config.stripe_client.StripeCallError.
    """

    key: str
    key_name: str

    @property
    def is_live(self) -> bool:
        return "_live_" in self.key

    def account_id(self) -> str:
        with self._errors():
            return str(self._client().v1.accounts.retrieve_current().id)

    def check_rights(self) -> None:
        """Raise PermissionDenied if the key may not write products and prices. Changes nothing."""
        for update, unknown in ((self.update_product, NO_PRODUCT), (self.update_price, NO_PRICE)):
            with suppress(NotFound):
                update(unknown, {"metadata": {"shop": ""}})

    def products(self) -> list[CopiedProduct]:
        """All products with all prices, archived ones included, the oldest first."""
        with self._errors():
            prices: dict[str, list[CopiedPrice]] = defaultdict(list)
            listed = self._client().v1.prices.list({"limit": PAGE_SIZE, "expand": ["data.currency_options"]})
            for price in listed.auto_paging_iter():
                copied = _copied_price(price.to_dict())
                prices[copied.product_id].insert(0, copied)
            products = self._client().v1.products.list({"limit": PAGE_SIZE}).auto_paging_iter()
            return [_copied_product(each.to_dict(), prices.pop(each.id, [])) for each in products][::-1]

    def create_product(self, params: Mapping[str, Any]) -> str:
        with self._errors():
            return self._client().v1.products.create(cast("Any", dict(params))).id

    def create_price(self, params: Mapping[str, Any]) -> str:
        with self._errors():
            return self._client().v1.prices.create(cast("Any", dict(params))).id

    def update_product(self, product_id: str, params: Mapping[str, Any]) -> None:
        with self._errors():
            self._client().v1.products.update(product_id, cast("Any", dict(params)))

    def update_price(self, price_id: str, params: Mapping[str, Any]) -> None:
        with self._errors():
            self._client().v1.prices.update(price_id, cast("Any", dict(params)))

    def _client(self) -> stripe.StripeClient:
        # The library retries under one idempotency key of its own, so a lost response doubles nothing.
        return client_of(self.key, retries=RETRIES)

    def _errors(self) -> AbstractContextManager[None]:
        return translate_errors(key_name=self.key_name)


def _copied_product(values: Mapping[str, Any], prices: list[CopiedPrice]) -> CopiedProduct:
    fields = {name: clean_json(values[name]) for name in COPIED_FIELDS if values.get(name) not in (None, [])}
    if "tax_code" in fields:
        fields["tax_code"] = _id(fields["tax_code"])
    return CopiedProduct(
        id=values["id"],
        active=bool(values["active"]),
        default_price_id=_id(values.get("default_price")),
        metadata=clean_json(as_texts(values.get("metadata"))),
        fields=fields,
        prices=tuple(prices),
    )


def _copied_price(values: Mapping[str, Any]) -> CopiedPrice:
    options = as_mapping(values.get("currency_options"))
    terms = {"currency": values["currency"], **_amount_terms(values)}
    others = {code: _amount_terms(option) for code, option in options.items() if code != values["currency"]}
    if others:
        terms["currency_options"] = others
    if values.get("transform_quantity"):
        terms["transform_quantity"] = dict(values["transform_quantity"])
    obstacle = ""
    if values.get("recurring"):
        obstacle = "is recurring"
    elif values.get("billing_scheme") == "tiered":
        obstacle = "has tiers"
    elif values.get("custom_unit_amount"):
        obstacle = "lets the customer choose the amount"
    return CopiedPrice(
        id=values["id"],
        product_id=_id(values["product"]),
        active=bool(values["active"]),
        nickname=clean_json(as_text(values.get("nickname"))),
        lookup_key=as_text(values.get("lookup_key")),
        metadata=clean_json(as_texts(values.get("metadata"))),
        terms=terms,
        obstacle=obstacle,
    )


def _amount_terms(values: Mapping[str, Any]) -> dict[str, Any]:
    # A fraction of a cent has no whole `unit_amount`; the library gives it as a Decimal.
    terms: dict[str, Any] = {"unit_amount_decimal": str(values.get("unit_amount_decimal"))}
    if values.get("unit_amount") is not None:
        terms = {"unit_amount": values["unit_amount"]}
    if values.get("tax_behavior") not in (None, "unspecified"):
        terms["tax_behavior"] = values["tax_behavior"]
    return terms
