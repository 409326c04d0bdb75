"""Sitemap of the visible products. URLs start with SITE_URL, whatever host was requested."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.db.models import QuerySet

from shop.models import Product


class ProductSitemap(Sitemap):  # type: ignore[type-arg]
    limit = 5000
    alternates = True

    @property
    def languages(self) -> list[str]:  # type: ignore[override]
        return list(settings.SHOP_LANGUAGES)

    @property
    def i18n(self) -> bool:  # type: ignore[override]
        return len(self.languages) > 1

    def items(self) -> QuerySet[Product]:
        return Product.objects.visible().only("id", "name").order_by("id")

    def get_urls(
        self, page: int | str = 1, site: Any = None, protocol: str | None = None
    ) -> list[dict[str, Any]]:
        home = urlsplit(settings.SITE_URL)
        here: Any = _Site(home.netloc)
        urls: list[dict[str, Any]] = super().get_urls(page, here, home.scheme)
        for url in urls:
            # The first language's address leads visitors to the language they prefer.
            if others := url.get("alternates"):
                others.append({"location": others[0]["location"], "lang_code": "x-default"})
        return urls


class _Site:
    def __init__(self, domain: str) -> None:
        self.domain = self.name = domain
