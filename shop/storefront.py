"""Storefront settings and navigation of every page, loaded in one query."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import JSONObject

from shop.images import partition_images
from shop.models import Product, Storefront
from shop.theme import stylesheet

LADDER = ("XXS", "XS", "S", "M", "L", "XL", "XXL", "2XL", "3XL", "4XL", "5XL", "6XL")

STOREFRONT_COLUMNS = [str(field.column) for field in Storefront._meta.concrete_fields]


@dataclass(frozen=True)
class Range:
    """Sizes and colors of the visible products of a category, for the filters."""

    sizes: list[str] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class House:
    """`categories` maps slugs to names; `ranges` maps slugs to sizes and colors, with "" for all products.

    `key` is the row it was built from, for cache keys.
    """

    key: tuple[Any, ...]
    storefront: Storefront
    categories: dict[str, str] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)

    @property
    def sizes(self) -> list[str]:
        return self.range_of("").sizes

    def range_of(self, slug: str) -> Range:
        return self.ranges.get(slug, Range())

    @property
    def name(self) -> str:
        return self.storefront.name or str(settings.SHOP_NAME)

    @property
    def logo(self) -> str:
        shown, _problems = partition_images([self.storefront.logo], settings.IMAGE_ORIGINS)
        return shown[0] if self.storefront.logo and shown else ""

    @property
    def look(self) -> str:
        return stylesheet(self.storefront.accent, self.storefront.paper)

    @property
    def look_version(self) -> str:
        # Part of the stylesheet's URL, so that browsers can cache it indefinitely.
        return f"{self.storefront.accent}{self.storefront.paper}".replace("#", "-")

    @property
    def texts(self) -> dict[str, str]:
        return {which: title for which, (title, _text) in self.storefront.texts.items()}


def open_house() -> House:
    """Load the storefront in one query. It also works before a Storefront row is saved."""
    statement, parameters = _statement(connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return _house(tuple(cursor.fetchone()))


@lru_cache(maxsize=2)
def _statement(vendor: str) -> tuple[str, tuple[Any, ...]]:
    """SQL for the Storefront's columns and a JSON array of what the visible products come in."""
    facts, parameters = _facts().query.sql_with_params()
    together = "jsonb_agg(f.fact)" if vendor == "postgresql" else "json_group_array(json(f.fact))"
    columns = ", ".join(f"s.{name}" for name in STOREFRONT_COLUMNS)
    # Only column and table names are interpolated, never user input.
    statement = f"""
        SELECT {columns}, (SELECT {together} FROM ({facts}) AS f)
        FROM (SELECT 1 AS shop) AS here LEFT JOIN {Storefront._meta.db_table} AS s ON s.one = here.shop
    """  # noqa: S608
    return statement, parameters


def _facts() -> QuerySet[Product, Any]:
    row = JSONObject(category="category", slug="category_slug", sizes="sizes", colours="colours")
    return Product.objects.on_show().order_by().values(fact=row).distinct()


@lru_cache(maxsize=16)
def _house(row: tuple[Any, ...]) -> House:
    *texts, facts = row
    products = _list(facts or "[]")
    slugs = {fact["slug"] for fact in products}
    return House(
        key=row,
        storefront=Storefront()
        if texts[0] is None
        else Storefront.from_db("default", STOREFRONT_COLUMNS, texts),
        categories=dict(sorted((fact["slug"], fact["category"]) for fact in products if fact["slug"])),
        ranges={slug: _range(fact for fact in products if fact["slug"] == slug) for slug in slugs}
        | {"": _range(products)},
    )


def _range(facts: Iterable[Any]) -> Range:
    facts = list(facts)
    sizes = {size for fact in facts for size in _list(fact["sizes"])}
    colours = {colour.casefold(): colour for fact in facts for colour in _list(fact["colours"])}
    return Range(sorted(sizes, key=_rung), sorted(colours.values(), key=str.casefold))


def _list(value: Any) -> list[Any]:
    # PostgreSQL nests JSON values as JSON, SQLite as text.
    return list(json.loads(value) if isinstance(value, str) else value)


def _rung(size: str) -> tuple[int, int, str]:
    # Sizes outside LADDER sort last, by leading number: children's 2Y before 10Y.
    known = size.upper()
    if known in LADDER:
        return LADDER.index(known), 0, ""
    number = re.match(r"[0-9]{1,9}", size)
    return len(LADDER), int(number[0]) if number else 0, size
