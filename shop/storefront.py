"""Storefront settings and navigation of every page, loaded in one query."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import JSONObject

from shop.images import partition_images
from shop.models import Product, ShippingRate, Storefront
from shop.theme import stylesheet

SIZE_ORDER = ("XXS", "XS", "S", "M", "L", "XL", "XXL", "2XL", "3XL", "4XL", "5XL", "6XL")

STOREFRONT_COLUMNS = [str(field.column) for field in Storefront._meta.concrete_fields]


@dataclass(frozen=True)
class Facets:
    """Sizes and colors of the visible products of a category, for the filters."""

    sizes: list[str] = field(default_factory=list)
    colors: list[str] = field(default_factory=list)

    def spelling_of(self, size: str) -> str:
        """How the filters write a size: `m` and `M` are one."""
        return next((known for known in self.sizes if known.casefold() == size.casefold()), size)


@dataclass(frozen=True)
class ShippingOption:
    """A shipping rate of the shop. `amount` is in the minor unit, and so are `options`, by other currencies."""

    id: str
    name: str
    amount: int
    currency: str
    options: Mapping[str, int] = field(default_factory=dict)
    delivery_days: Sequence[int | None] = ()  # Least and most, of which one may be unknown.

    def in_currency(self, currency: str) -> ShippingOption | None:
        if currency == self.currency:
            return self
        amount = self.options.get(currency)
        return None if amount is None else replace(self, amount=amount, currency=currency)


@dataclass(frozen=True)
class StorefrontContext:
    """`categories` maps slugs to names; `ranges` maps slugs to sizes and colors, with "" for all products.

    `key` is the row it was built from, for cache keys.
    """

    key: tuple[Any, ...]
    settings: Storefront
    categories: dict[str, str] = field(default_factory=dict)
    facets: dict[str, Facets] = field(default_factory=dict)
    stored_rates: list[ShippingOption] = field(default_factory=list)
    priced_in: frozenset[str] = frozenset()  # Other currencies in which every price on sale has an amount.

    @property
    def currencies(self) -> list[str]:
        """What customers may pay in, the shop's own currency first."""
        others = [
            code for code in settings.SHOP_CURRENCIES if code in self.priced_in and self._ships_in(code)
        ]
        return [settings.SHOP_CURRENCY, *others]

    def _ships_in(self, currency: str) -> bool:
        # Stripe refuses a session with a shipping rate that has no amount in its currency.
        priced = {rate.id for rate in self.stored_rates if rate.in_currency(currency)}
        return priced.issuperset(settings.SHIPPING_RATES)

    @property
    def shipping_rates(self) -> list[ShippingOption] | None:
        """What shipping costs, in SHOP_CURRENCY. None if that is not known or nothing is shipped."""
        if not settings.SHIPPING_COUNTRIES:
            return None
        if not settings.SHIPPING_RATES:
            return [ShippingOption("", "", 0, settings.SHOP_CURRENCY)]  # As at checkout: shipping is free.
        chosen = [rate for rate in self.stored_rates if rate.id in settings.SHIPPING_RATES]
        usable = [found for rate in chosen if (found := rate.in_currency(settings.SHOP_CURRENCY))]
        return usable if len(usable) == len(set(settings.SHIPPING_RATES)) else None

    @property
    def sizes(self) -> list[str]:
        return self.facets_of("").sizes

    def facets_of(self, slug: str) -> Facets:
        return self.facets.get(slug, Facets())

    @property
    def name(self) -> str:
        return self.settings.name or str(settings.SHOP_NAME)

    @property
    def logo(self) -> str:
        shown, _problems = partition_images([self.settings.logo], settings.ALLOWED_IMAGE_ORIGINS)
        return shown[0] if self.settings.logo and shown else ""

    @property
    def theme_css(self) -> str:
        return stylesheet(self.settings.accent, self.settings.background)

    @property
    def theme_version(self) -> str:
        # Part of the stylesheet's URL, so that browsers can cache it indefinitely.
        return f"{self.settings.accent}{self.settings.background}".replace("#", "-")

    @property
    def legal_pages(self) -> dict[str, str]:
        return {which: title for which, (title, _text) in self.settings.legal_pages.items()}


def load_storefront() -> StorefrontContext:
    """Load the storefront in one query. It also works before a Storefront row is saved."""
    statement, parameters = _statement(connection.vendor, tuple(settings.SHOP_CURRENCIES))
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return _context(tuple(cursor.fetchone()), tuple(settings.SHOP_CURRENCIES))


@lru_cache(maxsize=2)
def _statement(vendor: str, currencies: tuple[str, ...]) -> tuple[str, tuple[Any, ...]]:
    # SQL for the Storefront's columns, and JSON arrays of what the visible products come in and of shipping rates.
    row = JSONObject(
        category="category",
        slug="category_slug",
        sizes="sizes",
        colors="colors",
        **(
            {"priced": JSONObject(**{code: _is_priced_in(code) for code in currencies})} if currencies else {}
        ),
    )
    visible = Product.objects.visible().order_by().values(fact=row).distinct()
    facts, parameters = visible.query.sql_with_params()
    names = ("id", "name", "amount", "currency", "options", "delivery_days")
    rate = JSONObject(**{name: name for name in names})
    rates, rate_parameters = ShippingRate.objects.order_by().values(fact=rate).query.sql_with_params()
    aggregate = "jsonb_agg(f.fact)" if vendor == "postgresql" else "json_group_array(json(f.fact))"
    columns = ", ".join(f"s.{name}" for name in STOREFRONT_COLUMNS)
    # Only column and table names are interpolated, never user input.
    statement = f"""
        SELECT {columns}, (SELECT {aggregate} FROM ({facts}) AS f), (SELECT {aggregate} FROM ({rates}) AS f)
        FROM (SELECT 1 AS shop) AS here LEFT JOIN {Storefront._meta.db_table} AS s ON s.singleton = here.shop
    """  # noqa: S608
    return statement, (*parameters, *rate_parameters)


def _is_priced_in(currency: str) -> ExpressionWrapper[Q]:
    # What has no price cannot be bought in any currency.
    is_priced = Q(lowest_amount=None) | Q(amounts__has_key=currency)
    return ExpressionWrapper(is_priced, output_field=BooleanField())


@lru_cache(maxsize=16)
def _context(row: tuple[Any, ...], currencies: tuple[str, ...]) -> StorefrontContext:
    *texts, facts, rates = row
    products = _list(facts or "[]")
    slugs = {fact["slug"] for fact in products}
    # `m` and `M` are one entry of the filters; capitals sort first, so they remain.
    sizes = {size for fact in products for size in _list(fact["sizes"])}
    spellings = {size.casefold(): size for size in sorted(sizes, reverse=True)}
    return StorefrontContext(
        key=row,
        settings=Storefront()
        if texts[0] is None
        else Storefront.from_db("default", STOREFRONT_COLUMNS, texts),
        categories=dict(sorted((fact["slug"], fact["category"]) for fact in products if fact["slug"])),
        facets={
            slug: _facets_of((fact for fact in products if fact["slug"] == slug), spellings) for slug in slugs
        }
        | {"": _facets_of(products, spellings)},
        stored_rates=[
            ShippingOption(**{**rate, **{name: _loaded(rate[name]) for name in ("options", "delivery_days")}})
            for rate in _list(rates or "[]")
        ],
        priced_in=frozenset(
            code
            for code in currencies
            if products and all(_loaded(fact["priced"])[code] for fact in products)
        ),
    )


def _facets_of(facts: Iterable[Any], spellings: Mapping[str, str]) -> Facets:
    facts = list(facts)
    sizes = {spellings[size.casefold()] for fact in facts for size in _list(fact["sizes"])}
    colors = {color.casefold(): color for fact in facts for color in _list(fact["colors"])}
    return Facets(sorted(sizes, key=size_sort_key), sorted(colors.values(), key=str.casefold))


def _list(value: Any) -> list[Any]:
    return list(_loaded(value))


def _loaded(value: Any) -> Any:
    # PostgreSQL nests JSON values as JSON, SQLite as text.
    return json.loads(value) if isinstance(value, str) else value


def size_sort_key(size: str) -> tuple[int, int, str]:
    # Sizes outside SIZE_ORDER sort last, by leading number: children's 2Y before 10Y.
    known = size.upper()
    if known in SIZE_ORDER:
        return SIZE_ORDER.index(known), 0, ""
    number = re.match(r"[0-9]{1,9}", size)
    return len(SIZE_ORDER), int(number[0]) if number else 0, size
