"""Root URL configuration."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("inventory.monitoring_urls")),
    path("", include("inventory.urls")),
    path("", include("checkout.urls")),
    path("", include("shop.urls")),
]
