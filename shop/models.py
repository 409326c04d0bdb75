"""The local copy of the catalog, and the storefront's settings.

Stripe owns every field of Product, and only shop.mirror.upsert_product writes its rows.
Storefront and SizeGuide belong to the owner and are edited in the admin.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import JSONObject
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from config.languages import first_language
from shop import size_guide
from shop.images import partition_images
from shop.prices import Price, price_for
from shop.theme import INK, contrast

__all__ = ["Product", "ShippingRate", "SizeGuide", "Storefront"]


class ProductQuerySet(models.QuerySet["Product"]):
    def visible(self) -> ProductQuerySet:
        return self.filter(active=True, deleted=False)

    def with_stock(self) -> ProductQuerySet:
        return self.prefetch_related("stock_items")

    def with_size_guide(self) -> ProductQuerySet:
        guides = SizeGuide.objects.filter(
            models.Q(category="") | models.Q(category__iexact=models.OuterRef("category"))
        ).order_by("-category")
        row = JSONObject(name="name", unit="unit", columns="columns", lines="lines", note="note")
        return self.annotate(size_guide_row=models.Subquery(guides.values(row=row)[:1]))


@lru_cache(maxsize=1024)
def _slug_of(name: str) -> str:
    return slugify(name)[:80] or "product"


class Product(models.Model):
    """Local copy of a Stripe product. The primary key is Stripe's id."""

    id = models.CharField(primary_key=True, max_length=255)
    name = models.CharField(_("name"), max_length=5000)
    description = models.TextField(_("description"), blank=True)
    active = models.BooleanField(_("active"), help_text=_("Not archived at Stripe."))
    deleted = models.BooleanField(_("deleted"), default=False)
    category = models.CharField(_("category"), max_length=500, blank=True)
    category_slug = models.CharField(max_length=500, blank=True)
    sizes = models.JSONField(
        _("sizes"),
        default=list,
        help_text=_("In the order of the metadata. Empty if the product has no sizes."),
    )
    colors = models.JSONField(_("colors"), default=list)
    details = models.TextField(_("details"), blank=True)
    featured = models.BooleanField(_("featured"), default=False, help_text=_("Metadata “featured: yes”."))
    link = models.TextField(_("link"), blank=True, help_text=_("Metadata “link” or “streamUrl”."))
    translations = models.JSONField(
        default=dict, help_text=_("Name and description in other languages: metadata “name_de”.")
    )
    images = models.JSONField(_("images"), default=list, help_text=_("URLs that may be shown."))
    # Counts are emptied and the version tag is dropped: see shop.metadata.without_counts.
    metadata = models.JSONField(
        _("metadata"), default=dict, help_text=_("As stored at Stripe, without counts.")
    )
    prices = models.JSONField(_("prices"), default=list, help_text=_("Rows of shop.prices.Price."))
    default_price_id = models.CharField(_("default price"), max_length=255, blank=True)
    lowest_amount = models.BigIntegerField(_("lowest price"), null=True, help_text=_("In the minor unit."))
    highest_amount = models.BigIntegerField(_("highest price"), null=True, help_text=_("In the minor unit."))
    amounts = models.JSONField(
        default=dict,
        help_text=_("Lowest and highest price in other currencies; without those in which a size has none."),
    )
    search_text = models.TextField(blank=True, help_text=_("Searched text, case folded."))
    color_index = models.TextField(blank=True)
    problems = models.JSONField(
        _("problems"), default=list, help_text=_("Problems with the data at Stripe, as sentences.")
    )
    created_at = models.DateTimeField(_("created at Stripe"))
    fetched_at = models.DateTimeField(_("fetched"), help_text=_("When the fetch of this data began."))

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["-created_at", "id"]
        indexes = [
            # For category pages, newest products first.
            models.Index(fields=["category_slug", "-created_at"], name="product_by_category"),
        ]

    def __str__(self) -> str:
        return self.name or self.id

    def get_absolute_url(self) -> str:
        return reverse("product_detail", args=[self.id, self.slug])

    @property
    def slug(self) -> str:
        # Only for readable URLs: products are looked up by id.
        return _slug_of(self.name)

    @property
    def shown_name(self) -> str:
        """The name in the active language, or else the product's own."""
        return self._translation("name") or self.name

    @property
    def shown_description(self) -> str:
        return self._translation("description") or self.description

    @property
    def name_language(self) -> str:
        """The language of the shown name, if it is not that of the page; else empty."""
        return "" if self._translation("name") else self.own_language

    @property
    def description_language(self) -> str:
        return "" if self._translation("description") else self.own_language

    @property
    def own_language(self) -> str:
        """The language of the product's own texts, if it is not that of the page; else empty."""
        return "" if get_language() not in settings.SHOP_LANGUAGES[1:] else first_language()

    def _translation(self, what: str) -> str:
        if get_language() not in settings.SHOP_LANGUAGES[1:]:
            return ""
        texts: dict[str, str] = self.translations.get(get_language(), {})
        return texts.get(what, "")

    @property
    def link_host(self) -> str:
        return urlsplit(self.link).hostname or ""

    @cached_property
    def parsed_prices(self) -> list[Price]:
        return [Price.from_row(row) for row in self.prices]

    def price_for(self, size: str, currency: str = "") -> Price | None:
        """The price of a size; in another currency than SHOP_CURRENCY, None if it has no amount in that."""
        price = price_for(size, self.parsed_prices, self.default_price_id)
        return price.in_currency(currency) if price and currency else price

    def range_in(self, currency: str) -> tuple[int | None, int | None]:
        if currency == settings.SHOP_CURRENCY:
            return self.lowest_amount, self.highest_amount
        lowest, highest = self.amounts.get(currency) or (None, None)
        return lowest, highest

    @property
    def size_guide(self) -> size_guide.Guide | None:
        """The size guide. Requires with_size_guide(); None without it."""
        row: dict[str, str] | None = getattr(self, "size_guide_row", None)
        return size_guide.read(row) if row and self.sizes else None


class SizeGuide(models.Model):
    """A table of measurements per category, or one for all products."""

    class Unit(models.TextChoices):
        INCHES = "in", _("inches")
        CENTIMETERS = "cm", _("centimeters")

    name = models.CharField(_("name"), max_length=100, help_text=_("Shown above the table."))
    category = models.CharField(
        _("category"),
        max_length=100,
        blank=True,
        unique=True,
        help_text=_("Leave empty to apply to all products without a guide of their own."),
    )
    unit = models.CharField(_("measured in"), max_length=2, choices=Unit.choices, default=Unit.INCHES)
    columns = models.CharField(
        _("columns"), max_length=300, default="Body length, Chest width, Sleeve length"
    )
    lines = models.TextField(
        _("sizes"),
        help_text=_("One line per size: “S 27 1/2, 21 1/2, 34”. Fractions and decimals are accepted."),
    )
    note = models.TextField(_("how to measure"), blank=True)

    class Meta:
        verbose_name = _("size guide")
        verbose_name_plural = _("size guides")
        ordering = ["category"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        problems = size_guide.problems_of(self.columns, self.lines)
        if problems:
            raise ValidationError({"lines": problems})


LEAST_CONTRAST = 10  # High enough that the softer text colors are readable too.
color = RegexValidator(r"^#[0-9a-fA-F]{6}\Z", _("Enter a color like #1f4b3f."))


class Storefront(models.Model):
    """The shop's name, theme and texts, in a single row. Empty fields fall back to settings and stylesheet."""

    class Gender(models.TextChoices):
        FEMALE = "female", _("female")
        MALE = "male", _("male")
        UNISEX = "unisex", _("unisex")

    class AgeGroup(models.TextChoices):
        NEWBORN = "newborn", _("newborn, up to 3 months")
        INFANT = "infant", _("infant, 3 to 12 months")
        TODDLER = "toddler", _("toddler, 1 to 5 years")
        KIDS = "kids", _("kids, 5 to 13 years")
        ADULT = "adult", _("adult")

    singleton = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(_("name"), max_length=100, blank=True, help_text=_("Defaults to SHOP_NAME."))
    tagline = models.CharField(_("tagline"), max_length=200, blank=True)
    announcement = models.CharField(
        _("announcement"), max_length=200, blank=True, help_text=_("Shown at the top of every page.")
    )
    logo = models.TextField(
        _("logo"), blank=True, help_text=_("URL of an image; the same rules apply as for product images.")
    )
    accent = models.CharField(
        _("accent"), max_length=7, blank=True, validators=[color], help_text=_("Color of links and buttons.")
    )
    background = models.CharField(
        _("background"),
        max_length=7,
        blank=True,
        validators=[color],
        help_text=_("Page background in light mode."),
    )
    show_counts = models.BooleanField(
        _("show counts"), default=True, help_text=_("Show “Only 3 left” instead of “Only a few left”.")
    )
    about = models.TextField(_("about"), blank=True, help_text=_("Shown in the footer."))
    # Defaults of feeds and structured data, which a product's metadata overrides (shop.feeds.attributes).
    brand = models.CharField(
        _("brand"), max_length=70, blank=True, help_text=_("Defaults to the shop’s name.")
    )
    gender = models.CharField(_("gender"), max_length=10, blank=True, choices=Gender.choices)
    age_group = models.CharField(_("age group"), max_length=10, blank=True, choices=AgeGroup.choices)
    google_category = models.CharField(
        _("Google product category"),
        max_length=250,
        blank=True,
        help_text=_("Such as “Apparel & Accessories > Clothing > Shirts & Tops”."),
    )
    return_days = models.PositiveSmallIntegerField(
        _("days for returns"),
        null=True,
        blank=True,
        help_text=_("Told to search engines. 0: returns are not accepted. Empty: nothing is told."),
    )
    free_returns = models.BooleanField(
        _("free returns"), default=False, help_text=_("Whether you pay the postage of returns.")
    )
    legal_notice = models.TextField(_("legal notice"), blank=True)
    privacy = models.TextField(_("privacy"), blank=True)
    terms = models.TextField(_("terms and returns"), blank=True)

    class Meta:
        verbose_name = _("storefront")
        verbose_name_plural = _("storefront")
        constraints = [
            models.CheckConstraint(condition=models.Q(singleton=1), name="a_shop_has_one_storefront")
        ]

    def __str__(self) -> str:
        return self.name or str(_("Storefront"))

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.singleton = 1
        super().save(*args, **kwargs)

    def clean(self) -> None:
        wrong: dict[str, Any] = {}
        if self.background and contrast(self.background, INK) < LEAST_CONTRAST:
            wrong["background"] = _("Text would be hard to read on this background. Choose a lighter color.")
        if self.logo and (problems := partition_images([self.logo], settings.ALLOWED_IMAGE_ORIGINS)[1]):
            wrong["logo"] = problems
        if wrong:
            raise ValidationError(wrong)

    @property
    def legal_pages(self) -> dict[str, tuple[str, str]]:
        """Legal texts that are not empty: URL slug to (title, text)."""
        written = {
            "legal-notice": (_("Legal notice"), self.legal_notice),
            "privacy": (_("Privacy"), self.privacy),
            "terms": (_("Terms and returns"), self.terms),
        }
        return {which: (str(title), text) for which, (title, text) in written.items() if text.strip()}


class ShippingRate(models.Model):
    """Local copy of a shipping rate at Stripe, for feeds. Only shop.shipping writes its rows."""

    id = models.CharField(primary_key=True, max_length=255)
    name = models.CharField(_("name"), max_length=100)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField(_("amount"), help_text=_("In the minor unit."))
    options = models.JSONField(default=dict, help_text=_("Amounts in other currencies."))
    delivery_days = models.JSONField(default=list, help_text=_("Least and most; empty if Stripe has none."))
    fetched_at = models.DateTimeField(_("fetched"))

    class Meta:
        verbose_name = _("shipping rate")
        verbose_name_plural = _("shipping rates")
        ordering = ["amount", "id"]

    def __str__(self) -> str:
        return self.name
