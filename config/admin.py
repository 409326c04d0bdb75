"""The admin site, its panels, and base classes for read-only admin pages."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from config.admin_panels import INDEX_PANELS, SITEWIDE_PANELS

APP_ORDER = ["checkout", "inventory", "shop"]


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
    """Read-only. Actions on the rows declare the permission "act"."""

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
