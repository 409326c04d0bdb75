"""Pages and feeds of the shop, whose addresses begin with the language."""

from django.urls import path

from shop import views
from shop.feeds.views import google_feed

urlpatterns = [
    path("", views.home, name="home"),
    path("products/", views.product_list, name="product_list"),
    path("category/<str:slug>/", views.product_list, name="category"),
    # Product ids can be chosen freely at Stripe and may contain a slash.
    path("products/<path:product_id>/<slug:slug>/", views.product_detail, name="product_detail"),
    path("products/<path:product_id>/", views.product_detail, name="product_detail"),
    path("stock/<path:product_id>/", views.product_stock, name="product_stock"),
    path("legal/<slug:which>/", views.legal_page, name="legal_page"),
    path("feeds/google.xml", google_feed, {"form": "xml"}, name="google_feed"),
    path("feeds/google.tsv", google_feed, {"form": "tsv"}, name="google_feed_tsv"),
]
