"""What does the shop know of the catalogue? The local mirror of Stripe's products and prices.

Stripe owns every field here but those of SizeGuide: rows are written by shop.mirror.store and by nobody else.
"""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _


class ProductQuerySet(models.QuerySet["Product"]):
    def on_show(self) -> ProductQuerySet:
        """What customers may see: neither archived nor deleted at Stripe."""
        return self.filter(active=True, deleted=False)

    def with_offers(self) -> ProductQuerySet:
        """With what a page needs to name prices and stock, in two more queries whatever the number of products."""
        return self.prefetch_related("prices", "stock_items")


class Product(models.Model):
    """One product of the Stripe account, as it was read last. The primary key is Stripe's id."""

    id = models.CharField(primary_key=True, max_length=255)
    name = models.CharField(_("name"), max_length=5000)
    description = models.TextField(_("description"), blank=True)
    active = models.BooleanField(_("active"), help_text=_("Not archived at Stripe."))
    deleted = models.BooleanField(_("deleted"), default=False)
    category = models.CharField(_("category"), max_length=500, blank=True)
    sizes = models.JSONField(
        _("sizes"), default=list, help_text=_("In the order of the metadata; empty: one item.")
    )
    colours = models.JSONField(_("colours"), default=list)
    details = models.TextField(_("details"), blank=True)
    images = models.JSONField(_("images"), default=list, help_text=_("Addresses that may be shown."))
    metadata = models.JSONField(_("metadata"), default=dict, help_text=_("As Stripe has it: text to text."))
    default_price_id = models.CharField(_("default price"), max_length=255, blank=True)
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
            models.Index(fields=["category", "-created_at"], name="product_by_category"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("product", args=[self.id, self.slug])

    @property
    def slug(self) -> str:
        """For people; addresses are found by the id."""
        return slugify(self.name)[:80] or "product"

    def price_for(self, size: str) -> Price | None:
        """What `size` costs: the usable price that carries it in its metadata, else the default price."""
        usable = [price for price in self.prices.all() if price.usable]
        for price in usable:
            if size and price.size == size:
                return price
        return next((price for price in usable if price.id == self.default_price_id), None)


class Price(models.Model):
    """One price of a product at Stripe."""

    id = models.CharField(primary_key=True, max_length=255)
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="prices")
    active = models.BooleanField(_("active"))
    currency = models.CharField(_("currency"), max_length=3)
    unit_amount = models.BigIntegerField(_("amount"), null=True, help_text=_("In the currency's minor unit."))
    size = models.CharField(_("size"), max_length=500, blank=True, help_text=_("Its metadata “size”."))
    problem = models.CharField(_("problem"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id

    @property
    def usable(self) -> bool:
        """May something be sold at this price?"""
        return self.active and not self.problem and self.unit_amount is not None
