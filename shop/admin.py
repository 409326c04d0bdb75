"""Admin of the shop: products as stored at Stripe, size guides, and the storefront."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from config.admin import ReadOnlyModelAdmin
from shop.availability import availability_of
from shop.context_processors import get_storefront
from shop.feeds.gaps import gap_sentences
from shop.feeds.rows import catalog_rows
from shop.models import Product, SizeGuide, Storefront
from shop.money import format_money
from shop.prices import Price
from shop.storefront import load_storefront


class HasProblems(admin.SimpleListFilter):
    title = _("problems")
    parameter_name = "problems"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("with problems")), ("no", _("without problems"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        if self.value() == "yes":
            return queryset.exclude(problems=[])
        return queryset.filter(problems=[]) if self.value() == "no" else queryset


@admin.register(Product)
class ProductAdmin(ReadOnlyModelAdmin):
    """Read-only: products are edited in the Stripe Dashboard."""

    list_display = ["name", "category", "price_range", "size_list", "state", "problem_list"]
    list_filter = [HasProblems, "active", "deleted", "featured", "category"]
    search_fields = ["id", "search_text"]
    search_help_text = _("Stripe ID, or words from the name and texts.")
    ordering = ["name"]

    fieldsets = [
        (None, {"fields": ["problem_list", "feed_gaps", "name", "id", "dashboard", "on_the_shop", "state"]}),
        (_("For customers"), {"fields": ["category", "size_list", "color_list", "featured", "link"]}),
        (_("Texts and images"), {"fields": ["description", "details", "picture_list"]}),
        (_("Prices"), {"fields": ["price_list"]}),
        (_("At Stripe"), {"fields": ["metadata_list", "created_at", "fetched_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).prefetch_related("stock_items")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        @admin.display(description=_("not in feeds"))
        def exclusions(product: Product) -> SafeString | str:
            rows = catalog_rows(availability_of(product), get_storefront(request))
            return _lines(gap_sentences(rows, with_advice=False)) if product.active else "-"

        return [*self.list_display, exclusions, "fetched_at"]

    @admin.display(description=_("problems"))
    def problem_list(self, product: Product) -> SafeString | str:
        return _lines(product.problems)

    @admin.display(description=_("missing for feeds"))
    def feed_gaps(self, product: Product) -> SafeString | str:
        return _lines(gap_sentences(catalog_rows(availability_of(product), load_storefront())))

    @admin.display(description=_("state"))
    def state(self, product: Product) -> str:
        if product.deleted:
            return str(_("deleted at Stripe"))
        if not (product.metadata or product.prices):
            return str(_("not shown: no metadata, no price"))
        return str(_("visible")) if product.active else str(_("archived"))

    @admin.display(description=_("price"), ordering="lowest_amount")
    def price_range(self, product: Product) -> str:
        usable = {price.unit_amount: _formatted(price) for price in product.parsed_prices if price.usable}
        ends = [product.lowest_amount, product.highest_amount]
        return " – ".join(dict.fromkeys(usable[amount] for amount in ends if amount in usable)) or "-"

    @admin.display(description=_("sizes"))
    def size_list(self, product: Product) -> str:
        return ", ".join(product.sizes) or "-"

    @admin.display(description=_("colors"))
    def color_list(self, product: Product) -> str:
        return ", ".join(product.colors) or "-"

    @admin.display(description=_("images"))
    def picture_list(self, product: Product) -> SafeString | str:
        return _lines(product.images)

    @admin.display(description=_("prices"))
    def price_list(self, product: Product) -> SafeString | str:
        lines = []
        for price in product.parsed_prices:
            amount = "-" if price.unit_amount is None else _formatted(price)
            what = price.size or (_("default") if price.id == product.default_price_id else _("not used"))
            lines.append(f"{what}: {amount} ({price.id})" + (f": {price.problem}" if price.problem else ""))
        return _lines(lines)

    @admin.display(description=_("metadata"))
    def metadata_list(self, product: Product) -> SafeString | str:
        count = _("a count, shown by its stock item")
        return _lines([f"{key}: {text or count}" for key, text in product.metadata.items()])

    @admin.display(description=_("edit"))
    def dashboard(self, product: Product) -> SafeString:
        address = f"{settings.STRIPE_DASHBOARD}/products/{product.id}"
        return format_html('<a href="{}" rel="noopener">{}</a>', address, _("in the Stripe Dashboard"))

    @admin.display(description=_("shop page"))
    def on_the_shop(self, product: Product) -> SafeString:
        return format_html('<a href="{}">{}</a>', product.get_absolute_url(), _("View on the shop"))


def _lines(lines: list[str]) -> SafeString | str:
    return (
        format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ([line] for line in lines)))
        if lines
        else "-"
    )


def _formatted(price: Price) -> str:
    return format_money(price.unit_amount or 0, price.currency)


@admin.register(SizeGuide)
class SizeGuideAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "category", "unit"]


class StorefrontForm(forms.ModelForm):  # type: ignore[type-arg]
    # admin.js adds a color picker beside each field that has `data-color`.
    class Meta:
        widgets = {
            "logo": forms.TextInput(attrs={"class": "vLargeTextField", "placeholder": "https://"}),
            "accent": forms.TextInput(attrs={"data-color": "#8a2d1a", "placeholder": "#8a2d1a"}),
            "background": forms.TextInput(attrs={"data-color": "#f7f4ee", "placeholder": "#f7f4ee"}),
        }


@admin.register(Storefront)
class StorefrontAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A single row, which can be changed but not added twice or deleted."""

    form = StorefrontForm

    class Media:
        js = [forms.Script("shop/admin.js", type="module")]

    fieldsets = [
        (None, {"fields": ["name", "tagline", "announcement", "show_counts"]}),
        (_("Theme"), {"fields": ["logo", "accent", "background"]}),
        (
            _("Search engines and feeds"),
            {
                "fields": [
                    "brand",
                    ("gender", "age_group"),
                    "google_category",
                    ("return_days", "free_returns"),
                ],
                "description": _("Defaults for all products. A product’s metadata at Stripe overrides them."),
            },
        ),
        (_("Footer and legal texts"), {"fields": ["about", "legal_notice", "privacy", "terms"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        # The page has read the storefront's row already.
        is_new = get_storefront(request).settings._state.adding
        return super().has_add_permission(request) and is_new

    def has_delete_permission(self, request: HttpRequest, obj: Storefront | None = None) -> bool:
        return False
