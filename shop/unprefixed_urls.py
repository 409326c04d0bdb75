"""Addresses of the shop that are the same in every language."""

from django.contrib.sitemaps.views import sitemap
from django.urls import path
from django.views.generic import RedirectView

from shop import views
from shop.sitemaps import ProductSitemap

urlpatterns = [
    # Addresses of 2026-11-26, which other sites may link to.
    *(
        path(f"texts/{old}/", RedirectView.as_view(url=f"/legal/{new}/", permanent=True))
        for old, new in {"imprint": "legal-notice", "privacy": "privacy", "terms": "terms"}.items()
    ),
    path("theme.css", views.theme_css, name="theme_css"),
    path("sitemap.xml", sitemap, {"sitemaps": {"products": ProductSitemap}}, name="sitemap"),
    path("robots.txt", views.robots, name="robots"),
    path("api/products/", views.api_product_list, name="api_product_list"),
]
