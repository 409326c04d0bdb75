"""The catalog as rows, one per size. Pages, structured data and feeds show the availability of the same function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import quote

from django.conf import settings
from django.utils.html import strip_tags

from shop.availability import ProductAvailability, StockStatus
from shop.feeds.attributes import FeedAttributes, parse_attributes
from shop.feeds.ids import group_id
from shop.models import Product
from shop.money import decimal_text
from shop.storefront import StorefrontContext

MAX_LENGTH_TITLE = 150
MAX_LENGTH_DESCRIPTION = 5000
MAX_IMAGES = 10
# Formats that Google and Stripe read. Images often have no ending, and then may be anything.
UNREADABLE_IMAGES = (".svg", ".svgz", ".avif", ".ico", ".pdf")


@dataclass(frozen=True)
class CatalogProduct:
    """What all sizes of a product share. `color` is empty if there are several, because they share a count."""

    id: str
    group: str
    name: str
    description: str
    url: str
    images: tuple[str, ...]
    category: str
    google_category: str
    brand: str
    color: str
    gender: str
    age_group: str
    condition: str
    return_days: int | None  # 0: returns are not accepted. None: unknown.
    return_label: str  # Of a return policy in Merchant Center.


@dataclass(frozen=True)
class CatalogRow:
    """One size of a product. `quantity` is what may be sold now, None where stock is not counted or unknown."""

    product: CatalogProduct = field(repr=False)
    id: str
    size: str
    title: str
    url: str
    amount: int | None  # In minor units; None without a usable price.
    currency: str
    stock: StockStatus
    quantity: int | None
    gtin: str
    mpn: str

    @property
    def price_text(self) -> str:
        return "" if self.amount is None else decimal_text(self.amount, self.currency)

    @property
    def buyable(self) -> bool:
        return self.stock in {StockStatus.AVAILABLE, StockStatus.FEW}


def catalog_rows(availability: ProductAvailability, storefront: StorefrontContext) -> Iterator[CatalogRow]:
    """The rows of a product, in the order of its sizes and in SHOP_CURRENCY. A product that is only a link has none."""
    availability = availability.in_currency(settings.SHOP_CURRENCY)
    if availability.link_only:
        return
    product = availability.product
    attributes = parse_attributes(product.metadata, product.sizes)
    shared = catalog_product(product, attributes, storefront)
    for variant in availability.variants:
        title = shared.name
        if variant.size:
            title = f"{title[: MAX_LENGTH_TITLE - len(variant.size) - 1]} {variant.size}"
        yield CatalogRow(
            product=shared,
            id=variant.catalog_id,
            size=variant.size,
            title=title,
            url=f"{shared.url}?size={quote(variant.size, safe='')}" if variant.size else shared.url,
            amount=variant.price.unit_amount if variant.price else None,
            currency=settings.SHOP_CURRENCY,
            stock=variant.stock,
            quantity=variant.left,
            gtin=attributes.gtins.get(variant.size, ""),
            mpn=attributes.mpns.get(variant.size, ""),
        )


def catalog_product(
    product: Product, attributes: FeedAttributes, storefront: StorefrontContext
) -> CatalogProduct:
    defaults = storefront.settings
    paths = {image: image.partition("?")[0].partition("#")[0].lower() for image in product.images}
    images = [image for image in product.images if not paths[image].endswith(UNREADABLE_IMAGES)]
    return CatalogProduct(
        id=product.id,
        group=group_id(product.id),
        name=plain_text(product.shown_name, MAX_LENGTH_TITLE),
        description=plain_text(
            product.shown_description or product.details or product.shown_name, MAX_LENGTH_DESCRIPTION
        ),
        url=settings.SITE_URL + product.get_absolute_url(),
        images=tuple(images[: MAX_IMAGES + 1]),
        category=product.category,
        google_category=attributes.google_category or defaults.google_category,
        brand=attributes.brand or defaults.brand or storefront.name[:70],
        color=product.colors[0] if len(product.colors) == 1 else "",
        gender=attributes.gender or defaults.gender,
        age_group=attributes.age_group or defaults.age_group,
        condition=attributes.condition or "new",
        return_days=defaults.return_days if attributes.return_days is None else attributes.return_days,
        return_label=attributes.return_label,
    )


def plain_text(text: str, longest: int) -> str:
    """`text` without markup and control characters, cut at a word if it is too long."""
    if "<" in text or "&" in text:
        text = unescape(strip_tags(text.replace("<br", "\n<br").replace("</p>", "\n</p>")))
    lines = []
    for line in text.splitlines():
        if not line.isprintable():
            line = "".join(letter if letter.isprintable() else " " for letter in line)
        lines.append(" ".join(line.split()))
    text = "\n".join(filter(None, lines))
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    return (cut.rpartition(" ")[0] or cut) + "…"
