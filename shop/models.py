"""What does the shop know of the catalogue, and how does the owner want it to look?

Stripe owns every field of Product: rows are written by shop.mirror.store and by nobody else. Storefront and
SizeGuide are the owner's, edited in the admin.
"""

from __future__ import annotations

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
from django.utils.translation import gettext_lazy as _

from shop import size_guide
from shop.colours import INK, contrast
from shop.images import sort_images
from shop.prices import Price, price_for

__all__ = ["Product", "SizeGuide", "Storefront"]


class ProductQuerySet(models.QuerySet["Product"]):
    def on_show(self) -> ProductQuerySet:
        """What customers may see: neither archived nor deleted at Stripe."""
        return self.filter(active=True, deleted=False)

    def with_offers(self) -> ProductQuerySet:
        """With what a page needs to name prices and stock, in one more query whatever the number of products."""
        return self.prefetch_related("stock_items")

    def with_size_guide(self) -> ProductQuerySet:
        """With the guide of its category, else the one for all, in the same query."""
        guides = SizeGuide.objects.filter(
            models.Q(category="") | models.Q(category__iexact=models.OuterRef("category"))
        ).order_by("-category")
        row = JSONObject(name="name", unit="unit", columns="columns", lines="lines", note="note")
        return self.annotate(size_guide_row=models.Subquery(guides.values(row=row)[:1]))


class Product(models.Model):
    """One product of the Stripe account, as it was read last. The primary key is Stripe's id."""

    id = models.CharField(primary_key=True, max_length=255)
    name = models.CharField(_("name"), max_length=5000)
    description = models.TextField(_("description"), blank=True)
    active = models.BooleanField(_("active"), help_text=_("Not archived at Stripe."))
    deleted = models.BooleanField(_("deleted"), default=False)
    category = models.CharField(_("category"), max_length=500, blank=True)
    category_slug = models.CharField(max_length=500, blank=True)
    sizes = models.JSONField(
        _("sizes"), default=list, help_text=_("In the order of the metadata; empty: one item.")
    )
    colours = models.JSONField(_("colours"), default=list)
    details = models.TextField(_("details"), blank=True)
    featured = models.BooleanField(_("featured"), default=False, help_text=_("Metadata “featured: yes”."))
    link = models.TextField(_("link"), blank=True, help_text=_("Metadata “link” or “streamUrl”."))
    images = models.JSONField(_("images"), default=list, help_text=_("Addresses that may be shown."))
    # Counts are empty in it, and there is no mark: shop.metadata.without_counts says why.
    metadata = models.JSONField(_("metadata"), default=dict, help_text=_("As Stripe has it: text to text."))
    prices = models.JSONField(_("prices"), default=list, help_text=_("The rows of shop.prices.Price."))
    default_price_id = models.CharField(_("default price"), max_length=255, blank=True)
    lowest_amount = models.BigIntegerField(_("from"), null=True, help_text=_("In the minor unit."))
    highest_amount = models.BigIntegerField(_("up to"), null=True, help_text=_("In the minor unit."))
    words = models.TextField(blank=True, help_text=_("What a search looks through, case folded."))
    colour_words = models.TextField(blank=True)
    problems = models.JSONField(
        _("problems"), default=list, help_text=_("What is wrong with it, in sentences.")
    )
    created_at = models.DateTimeField(_("created at Stripe"))
    read_at = models.DateTimeField(_("read"), help_text=_("When the reading began that this row shows."))

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["-created_at", "id"]
        indexes = [
            # The product list and its categories.
            models.Index(fields=["category_slug", "-created_at"], name="product_by_category"),
        ]

    def __str__(self) -> str:
        return self.name or self.id

    def get_absolute_url(self) -> str:
        return reverse("product", args=[self.id, self.slug])

    @property
    def slug(self) -> str:
        """For people; addresses are found by the id."""
        return slugify(self.name)[:80] or "product"

    @property
    def link_host(self) -> str:
        """Where its link leads, for people."""
        return urlsplit(self.link).hostname or ""

    @cached_property
    def offers(self) -> list[Price]:
        """Its prices, usable or not."""
        return [Price.from_row(row) for row in self.prices]

    def price_for(self, size: str) -> Price | None:
        """What `size` costs: the usable price that carries it in its metadata, else the default price."""
        return price_for(size, self.offers, self.default_price_id)

    @property
    def size_guide(self) -> size_guide.Guide | None:
        """The guide for its sizes; only after with_size_guide()."""
        row: dict[str, str] | None = getattr(self, "size_guide_row", None)
        return size_guide.read(row) if row and self.sizes else None


class SizeGuide(models.Model):
    """How large is each size? One table per category, or one for all; typed as lines, as people keep them."""

    class Unit(models.TextChoices):
        INCHES = "in", _("inches")
        CENTIMETRES = "cm", _("centimetres")

    name = models.CharField(_("name"), max_length=100, help_text=_("Shown above the table."))
    category = models.CharField(
        _("category"),
        max_length=100,
        blank=True,
        unique=True,
        help_text=_("The products of this category; empty: every product without a guide of its own."),
    )
    unit = models.CharField(_("measured in"), max_length=2, choices=Unit.choices, default=Unit.INCHES)
    columns = models.CharField(
        _("columns"), max_length=300, default="Body length, Chest width, Sleeve length"
    )
    lines = models.TextField(
        _("sizes"), help_text=_("A line per size: “S 27 1/2, 21 1/2, 34”. Fractions and decimals are read.")
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


LEAST_CONTRAST = 10  # So that the softer inks can be read on it too.
colour = RegexValidator(r"^#[0-9a-fA-F]{6}\Z", _("A colour is written like #1f4b3f."))


class Storefront(models.Model):
    """The shop's name, look and texts. One row; what is empty falls back to the settings and the stylesheet."""

    one = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(_("name"), max_length=100, blank=True, help_text=_("Empty: SHOP_NAME."))
    tagline = models.CharField(_("tagline"), max_length=200, blank=True)
    announcement = models.CharField(
        _("announcement"), max_length=200, blank=True, help_text=_("A line above every page.")
    )
    logo = models.TextField(
        _("logo"), blank=True, help_text=_("Address of an image, under the same rules as product images.")
    )
    accent = models.CharField(
        _("accent"), max_length=7, blank=True, validators=[colour], help_text=_("Links and buttons.")
    )
    paper = models.CharField(
        _("paper"),
        max_length=7,
        blank=True,
        validators=[colour],
        help_text=_("The background in light mode."),
    )
    show_counts = models.BooleanField(
        _("show counts"), default=True, help_text=_("“Only 3 left” instead of “Only a few left”.")
    )
    about = models.TextField(_("about"), blank=True, help_text=_("In the footer."))
    imprint = models.TextField(_("imprint"), blank=True)
    privacy = models.TextField(_("privacy"), blank=True)
    terms = models.TextField(_("terms and returns"), blank=True)

    class Meta:
        verbose_name = _("storefront")
        verbose_name_plural = _("storefront")
        constraints = [models.CheckConstraint(condition=models.Q(one=1), name="a_shop_has_one_storefront")]

    def __str__(self) -> str:
        return self.name or str(_("Storefront"))

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.one = 1
        super().save(*args, **kwargs)

    def clean(self) -> None:
        wrong: dict[str, Any] = {}
        if self.paper and contrast(self.paper, INK) < LEAST_CONTRAST:
            wrong["paper"] = _("Text would be hard to read on it; choose a lighter one.")
        if self.logo and (problems := sort_images([self.logo], settings.IMAGE_ORIGINS)[1]):
            wrong["logo"] = problems
        if wrong:
            raise ValidationError(wrong)

    @property
    def texts(self) -> dict[str, tuple[str, str]]:
        """The legal texts that were written: address to (title, text)."""
        written = {
            "imprint": (_("Imprint"), self.imprint),
            "privacy": (_("Privacy"), self.privacy),
            "terms": (_("Terms and returns"), self.terms),
        }
        return {which: (str(title), text) for which, (title, text) in written.items() if text.strip()}
