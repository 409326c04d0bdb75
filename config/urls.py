"""Root URL configuration."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from config.attempts import limit_attempts
from config.languages import localized

# The link in the mail never comes from the Host header of a request.
_site = urlsplit(settings.SITE_URL)
SITE = {"protocol": _site.scheme, "domain": _site.netloc, "site_name": settings.SHOP_NAME}

urlpatterns = [
    path(
        "admin/password-reset/",
        limit_attempts(auth.PasswordResetView.as_view(extra_email_context=SITE)),
        name="admin_password_reset",
    ),
    path("admin/password-reset/done/", auth.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path(
        "admin/reset/<uidb64>/<token>/",
        auth.PasswordResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
    path("admin/reset/done/", auth.PasswordResetCompleteView.as_view(), name="password_reset_complete"),
    path("admin/", admin.site.urls),
    path("", include("inventory.monitoring_urls")),
    path("", include("inventory.urls")),
    path("", include("shop.unprefixed_urls")),
    localized(path("", include("shop.urls")), path("", include("checkout.urls"))),
]
