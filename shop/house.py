"""What does every page know of the shop? Its name and texts, and what there is to choose from, in one query."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import JSONField, Subquery
from django.db.models.functions import JSONObject

from shop.colours import stylesheet
from shop.images import sort_images
from shop.models import Product, Storefront

LADDER = ("XXS", "XS", "S", "M", "L", "XL", "XXL", "2XL", "3XL", "4XL", "5XL", "6XL")


@dataclass(frozen=True)
class House:
    """`categories`: slug to name; `sizes` and `colours`: what the products on show come in."""

    storefront: Storefront
    categories: dict[str, str] = field(default_factory=dict)
    sizes: list[str] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.storefront.name or str(settings.SHOP_NAME)

    @property
    def logo(self) -> str:
        """Its address, where it may be shown."""
        shown, _problems = sort_images([self.storefront.logo], settings.IMAGE_ORIGINS)
        return shown[0] if self.storefront.logo and shown else ""

    @property
    def look(self) -> str:
        """The stylesheet of the owner's colours; empty without any."""
        return stylesheet(self.storefront.accent, self.storefront.paper)

    @property
    def look_version(self) -> str:
        """Changes with the colours, so that browsers may keep the stylesheet for good."""
        return f"{self.storefront.accent}{self.storefront.paper}".replace("#", "-")

    @property
    def texts(self) -> dict[str, str]:
        """Address and title of each legal text."""
        return {which: title for which, (title, _text) in self.storefront.texts.items()}


class _RowsAsJson(Subquery):
    """All rows of a subquery with one JSON column `fact`, as one JSON array."""

    output_field = JSONField()

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        template = "(SELECT json_group_array(json(f.fact)) FROM (%(subquery)s) f)"
        return super().as_sql(compiler, connection, template=template)

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        template = "(SELECT coalesce(jsonb_agg(f.fact), '[]') FROM (%(subquery)s) f)"
        return super().as_sql(compiler, connection, template=template)


def open_house() -> House:
    """The shop as it is now. Without a Storefront row (nobody has saved one) it takes a second query."""
    facts = (
        Product.objects.on_show()
        .order_by()
        .values(fact=JSONObject(category="category", slug="category_slug", sizes="sizes", colours="colours"))
        .distinct()
    )
    storefront = Storefront.objects.annotate(facts=_RowsAsJson(facts)).first()
    if storefront is None:
        return _house(Storefront(), [row["fact"] for row in facts])
    return _house(storefront, storefront.facts)


def _house(storefront: Storefront, facts: list[dict[str, Any]]) -> House:
    categories = {fact["slug"]: fact["category"] for fact in facts if fact["slug"]}
    sizes = {size: None for fact in facts for size in _list(fact["sizes"])}
    colours = {colour.casefold(): colour for fact in facts for colour in _list(fact["colours"])}
    return House(
        storefront=storefront,
        categories=dict(sorted(categories.items())),
        sizes=sorted(sizes, key=_rung),
        colours=sorted(colours.values(), key=str.casefold),
    )


def _list(value: Any) -> list[str]:
    """PostgreSQL nests JSON as JSON, SQLite as the text that it keeps."""
    return list(json.loads(value) if isinstance(value, str) else value)


def _rung(size: str) -> tuple[int, str]:
    """Small before large; sizes that are no rung of the usual ladder come after, by name."""
    known = size.upper()
    return (LADDER.index(known), "") if known in LADDER else (len(LADDER), size)
