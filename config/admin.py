"""The admin site, its panels, and base classes for read-only admin pages."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from config.admin_panels import INDEX_PANELS, SITEWIDE_PANELS

APP_ORDER = ["checkout", "inventory", "shop"]

# Pages of models that had another name until 2026-11-26, for bookmarks: old path to new path.
RENAMED_PAGES = {
    "inventory/case/": "inventory/issue/",
    "inventory/productstock/": "inventory/productsync/",
    "inventory/stockwrite/": "inventory/stockupdate/",
}


class ShopAdminConfig(AdminConfig):
    default_site = "config.admin.ShopAdminSite"


class ReadOnlyMixin:
    """For a ModelAdmin or an inline whose rows only Stripe or the stock protocol may change."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyModelAdmin(ReadOnlyMixin, ModelAdmin):  # type: ignore[type-arg]
    """Read-only. Actions on the rows declare the permission "operate"."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        # has_change_permission is always False here, so actions ask for Django's change permission directly.
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})


class ShopAdminSite(AdminSite):
    index_title = _("Overview")
    site_url = settings.SITE_URL

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if request.user.is_authenticated:
            context["alarms"] = _panels(SITEWIDE_PANELS, request)
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {"notes": _panels(INDEX_PANELS, request), **(extra_context or {})})

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Before the admin's own catch-all, which answers 404.
        moved = [path(f"{old}<path:rest>", moved_to, {"new": new}) for old, new in RENAMED_PAGES.items()] + [
            path(old, moved_to, {"new": new, "rest": ""}) for old, new in RENAMED_PAGES.items()
        ]
        return [*moved, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, object]]:
        # The apps of daily use come first, accounts last.
        apps = super().get_app_list(request, app_label)
        return sorted(
            apps,
            key=lambda app: (
                APP_ORDER.index(app["app_label"]) if app["app_label"] in APP_ORDER else len(APP_ORDER)
            ),
        )


def _panels(paths: list[str], request: HttpRequest) -> list[dict[str, str]]:
    panels = (import_string(path)(request) for path in paths)
    return [panel for panel in panels if panel]


def moved_to(request: HttpRequest, new: str, rest: str) -> HttpResponse:
    """Redirect an old bookmark, with its query; the login is asked for at the new address."""
    query = f"?{request.META['QUERY_STRING']}" if request.META["QUERY_STRING"] else ""
    return HttpResponsePermanentRedirect(f"{reverse('admin:index')}{new}{rest}{query}")
