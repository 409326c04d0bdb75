"""How does a product that was read become local rows? `store` never calls Stripe and never fails on a broken product."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from shop import metadata
from shop.gateway import StripePrice, StripeProduct
from shop.images import sort_images
from shop.models import Product
from shop.prices import Price, problems_of, range_of

LONGEST_NAME = 5000
LONGEST_SLUG = 100  # As long as a category may be.
Outcome = Literal["created", "updated", "unchanged"]


def store(product: StripeProduct) -> Outcome:
    """Make the row say what was read. An older reading never overwrites a newer one; nothing new costs no write."""
    if product.deleted:
        return _mark_deleted(product.id, product.read_at)
    fields = fields_of(product)
    with transaction.atomic():
        row, made = Product.objects.get_or_create(
            pk=product.id, defaults={**fields, "read_at": product.read_at}
        )
        if made:
            return "created"
        if not changes(row, fields):
            return "unchanged"
        updated = Product.objects.filter(pk=row.pk, read_at__lte=product.read_at).update(
            **fields, read_at=product.read_at
        )
    return "updated" if updated else "unchanged"


def outcome_of(product: StripeProduct) -> Outcome:
    """What `store` would answer, without storing: for a dry run."""
    row = Product.objects.filter(pk=product.id).first()
    if row is None:
        return "unchanged" if product.deleted else "created"
    if row.read_at > product.read_at:
        return "unchanged"
    if product.deleted:
        return "unchanged" if row.deleted else "updated"
    return "updated" if changes(row, fields_of(product)) else "unchanged"


def _mark_deleted(product_id: str, read_at: datetime) -> Outcome:
    gone = Product.objects.filter(pk=product_id, deleted=False, read_at__lte=read_at)
    return "updated" if gone.update(deleted=True, active=False, read_at=read_at) else "unchanged"


def changes(row: Product, fields: dict[str, Any]) -> list[str]:
    """The names of the fields in which `row` differs."""
    return [name for name, value in fields.items() if getattr(row, name) != value]


def fields_of(product: StripeProduct) -> dict[str, Any]:
    """Every column that Stripe decides, but `read_at`."""
    facts = metadata.parse(product.metadata)
    images, image_problems = sort_images(product.images, settings.IMAGE_ORIGINS)
    prices = [_price(price) for price in sorted(product.prices, key=lambda price: price.id)]
    span = range_of(facts.sizes, prices, product.default_price_id)
    price_problems = problems_of(facts.sizes, prices, product.default_price_id)
    if facts.link and not prices:
        price_problems = []  # Something to look at or listen to, never meant to be sold.
    return {
        "name": product.name[:LONGEST_NAME],
        "description": product.description,
        "active": product.active,
        "deleted": False,
        "category": facts.category,
        "category_slug": slug_of(facts.category),
        "sizes": list(facts.sizes),
        "colours": list(facts.colours),
        "details": facts.details,
        "featured": facts.featured,
        "link": facts.link,
        "images": images,
        "metadata": metadata.without_counts(product.metadata),
        "prices": [price.as_row() for price in prices],
        "default_price_id": product.default_price_id,
        "lowest_amount": span[0] if span else None,
        "highest_amount": span[1] if span else None,
        "words": _words(product, facts),
        "colour_words": "".join(f"|{colour.casefold()}|" for colour in facts.colours),
        "problems": [*_name_problems(product), *facts.problems, *image_problems, *price_problems],
        "created_at": product.created_at,
    }


def slug_of(category: str) -> str:
    """How a category is named in an address: “Art” and “art” are one. One letter may become eighteen."""
    slug = slugify(category, allow_unicode=True) or ("other" if category else "")
    return slug[:LONGEST_SLUG]


def _price(price: StripePrice) -> Price:
    return Price(
        id=price.id,
        currency=price.currency,
        unit_amount=price.unit_amount,
        active=price.active,
        size=price.size,
        problem=_price_problem(price),
    )


def _price_problem(price: StripePrice) -> str:
    if not price.active:
        return "it is archived."
    if price.recurring:
        return "it recurs; the shop sells once."
    if price.tiered:
        return "it is tiered; the shop needs one amount."
    if price.custom:
        return "its amount is chosen by the customer."
    if price.unit_amount is None:
        return "it has no amount in whole minor units."
    if price.currency != settings.SHOP_CURRENCY:
        return f"it is in {price.currency.upper()}, the shop sells in {settings.SHOP_CURRENCY.upper()}."
    return ""


def _name_problems(product: StripeProduct) -> list[str]:
    return [] if product.name.strip() else ["It has no name."]


def _words(product: StripeProduct, facts: metadata.Facts) -> str:
    """What a search looks through; folded here because SQLite folds only ASCII."""
    parts = [product.name, facts.category, *facts.colours, product.description, facts.details]
    return "\n".join(parts).casefold()
