"""Save products fetched from Stripe. Invalid data is recorded as problems, never raised."""

from __future__ import annotations

from typing import Any, Literal

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from config.kept_queries import KeptQuery
from shop import metadata
from shop.feeds.attributes import parse_attributes
from shop.gateway import StripePrice, StripeProduct
from shop.images import partition_images
from shop.models import Product
from shop.prices import Price, problems_of, ranges_of

MAX_LENGTH_NAME = 5000
MAX_LENGTH_SLUG = 100  # As long as a category may be.
_PRODUCT = KeptQuery(lambda product_id: Product.objects.filter(pk=product_id))
Outcome = Literal["created", "updated", "unchanged"]


def upsert_product(product: StripeProduct) -> Outcome:
    """Create or update the row. Older data never overwrites newer data; unchanged rows are not written."""
    if product.deleted:
        current = Product.objects.filter(pk=product.id, deleted=False, fetched_at__lte=product.fetched_at)
        updated = current.update(deleted=True, active=False, fetched_at=product.fetched_at)
        return "updated" if updated else "unchanged"
    fields = product_fields(product)
    with transaction.atomic():
        row = _PRODUCT.first(product.id)
        if row is None:
            row, created = Product.objects.get_or_create(
                pk=product.id, defaults={**fields, "fetched_at": product.fetched_at}
            )
            if created:
                return "created"
        if not changed_fields(row, fields):
            return "unchanged"
        updated = Product.objects.filter(pk=row.pk, fetched_at__lte=product.fetched_at).update(
            **fields, fetched_at=product.fetched_at
        )
    return "updated" if updated else "unchanged"


def dry_run_outcome(product: StripeProduct) -> Outcome:
    """What `upsert_product` would return, without saving anything (for a dry run)."""
    row = Product.objects.filter(pk=product.id).first()
    if row is None:
        return "unchanged" if product.deleted else "created"
    if row.fetched_at > product.fetched_at:
        return "unchanged"
    if product.deleted:
        return "unchanged" if row.deleted else "updated"
    return "updated" if changed_fields(row, product_fields(product)) else "unchanged"


def changed_fields(row: Product, fields: dict[str, Any]) -> list[str]:
    return [name for name, value in fields.items() if getattr(row, name) != value]


def product_fields(product: StripeProduct) -> dict[str, Any]:
    facts = metadata.parse(
        product.metadata, settings.SHOP_LANGUAGES if len(settings.SHOP_LANGUAGES) > 1 else ()
    )
    images, image_problems = partition_images(product.images, settings.ALLOWED_IMAGE_ORIGINS)
    prices = [_price(price) for price in sorted(product.prices, key=lambda price: price.id)]
    currencies = (settings.SHOP_CURRENCY, *settings.SHOP_CURRENCIES)
    ranges = ranges_of(currencies, facts.sizes, prices, product.default_price_id)
    lowest, highest = ranges.pop(settings.SHOP_CURRENCY, (None, None))
    searched = [product.name, facts.category, *facts.colors, product.description, facts.details]
    searched += [text for texts in facts.translations.values() for text in texts.values()]
    name_problems = [] if product.name.strip() else ["It has no name."]
    # Stripe makes such products for single sales: for inline prices of other programs, and perhaps for agents.
    is_for_sale = bool(product.metadata or prices)
    return {
        "name": product.name[:MAX_LENGTH_NAME],
        "description": product.description,
        "active": product.active and is_for_sale,
        "deleted": False,
        "category": facts.category,
        "category_slug": category_slug(facts.category),
        "sizes": list(facts.sizes),
        "colors": list(facts.colors),
        "details": facts.details,
        "featured": facts.featured,
        "link": facts.link,
        "translations": facts.translations,
        "images": images,
        "metadata": metadata.without_counts(product.metadata),
        "prices": [price.as_row() for price in prices],
        "default_price_id": product.default_price_id,
        "lowest_amount": lowest,
        "highest_amount": highest,
        "amounts": {currency: list(ends) for currency, ends in ranges.items()},
        # Case folded here, because SQLite folds ASCII only.
        "search_text": "\n".join(searched).casefold(),
        "color_index": "".join(f"|{color.casefold()}|" for color in facts.colors),
        "problems": [
            *name_problems,
            *facts.problems,
            *parse_attributes(product.metadata, facts.sizes).problems,
            *image_problems,
            *_problems_of_prices(product, facts, prices),
        ],
        "created_at": product.created_at,
    }


def _price(price: StripePrice) -> Price:
    problem = ""
    if not price.active:
        problem = "it is archived."
    elif price.recurring:
        problem = "it is recurring; the shop takes one-time payments only."
    elif price.tiered:
        problem = "it is tiered; the shop needs a single amount."
    elif price.custom:
        problem = "its amount is chosen by the customer."
    elif price.unit_amount is None:
        problem = "it has no amount in whole minor units."
    elif price.currency != settings.SHOP_CURRENCY:
        own = settings.SHOP_CURRENCY.upper()
        problem = f"it is in {price.currency.upper()}, but the shop sells in {own}."
    return Price(
        price.id,
        price.currency,
        price.unit_amount,
        price.active,
        price.size,
        problem,
        price.tax_included,
        price.options,
    )


def _problems_of_prices(
    product: StripeProduct, facts: metadata.ProductMetadata, prices: list[Price]
) -> list[str]:
    misspelled = [
        f"The key “{price.misspelled_key}” of the price {price.id} is ignored; it must be “size”."
        for price in product.prices
        if price.misspelled_key and price.active
    ]
    if facts.link and not prices:
        return misspelled  # A link to something sold or played elsewhere needs no price.
    return [
        *problems_of(facts.sizes, prices, product.default_price_id, settings.SHOP_CURRENCIES),
        *misspelled,
    ]


def category_slug(category: str) -> str:
    """URL slug of a category; “Art” and “art” share one. It is cut, because a character may become eighteen."""
    slug = slugify(category, allow_unicode=True) or ("other" if category else "")
    return slug[:MAX_LENGTH_SLUG]
