"""URLs of the shop."""

from django.contrib.sitemaps.views import sitemap
from django.urls import path

from shop import views
from shop.sitemaps import ProductSitemap

urlpatterns = [
    path("", views.product_list, name="product_list"),
    path("products/", views.browse, name="browse"),
    path("category/<str:slug>/", views.browse, name="category"),
    # Product ids can be chosen freely at Stripe and may contain a slash.
    path("products/<path:product_id>/<slug:slug>/", views.product, name="product"),
    path("products/<path:product_id>/", views.product, name="product"),
    path("stock/<path:product_id>/", views.product_stock, name="product_stock"),
    path("texts/<slug:which>/", views.text, name="text"),
    path("look.css", views.look, name="look"),
    path("sitemap.xml", sitemap, {"sitemaps": {"products": ProductSitemap}}, name="sitemap"),
    path("robots.txt", views.robots, name="robots"),
    path("api/products/", views.api_products, name="api_products"),
]
