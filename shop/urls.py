"""URLs of the shop."""

from django.contrib.sitemaps.views import sitemap
from django.urls import path
from django.views.generic import RedirectView

from shop import views
from shop.feeds.views import google_feed
from shop.sitemaps import ProductSitemap

urlpatterns = [
    path("", views.home, name="home"),
    path("products/", views.product_list, name="product_list"),
    path("category/<str:slug>/", views.product_list, name="category"),
    # Product ids can be chosen freely at Stripe and may contain a slash.
    path("products/<path:product_id>/<slug:slug>/", views.product_detail, name="product_detail"),
    path("products/<path:product_id>/", views.product_detail, name="product_detail"),
    path("stock/<path:product_id>/", views.product_stock, name="product_stock"),
    path("legal/<slug:which>/", views.legal_page, name="legal_page"),
    # Addresses of 2026-11-26, which other sites may link to.
    *(
        path(f"texts/{old}/", RedirectView.as_view(url=f"/legal/{new}/", permanent=True))
        for old, new in {"imprint": "legal-notice", "privacy": "privacy", "terms": "terms"}.items()
    ),
    path("theme.css", views.theme_css, name="theme_css"),
    path("sitemap.xml", sitemap, {"sitemaps": {"products": ProductSitemap}}, name="sitemap"),
    path("robots.txt", views.robots, name="robots"),
    path("feeds/google.xml", google_feed, {"form": "xml"}, name="google_feed"),
    path("feeds/google.tsv", google_feed, {"form": "tsv"}, name="google_feed_tsv"),
    path("api/products/", views.api_product_list, name="api_product_list"),
]
