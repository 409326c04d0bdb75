"""Where does the owner work? Django's admin under the shop's name, with the panels its first page shows."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from config.desk import ALARMS, NOTES

ROOMS = ["checkout", "inventory", "shop"]


class ShopAdminConfig(AdminConfig):
    default_site = "config.admin.ShopAdminSite"


class OnlyShown:
    """Of a page or an inline: Stripe, or the stock protocol, has the say over these rows, nobody else."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ToLookAt(OnlyShown, ModelAdmin):  # type: ignore[type-arg]
    """Shown, never edited, never deleted; what can be done about the rows are actions with the permission "act"."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        """As Django's change permission says."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})


class ShopAdminSite(AdminSite):
    index_title = _("Your desk")
    site_url = settings.SITE_URL

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if request.user.is_authenticated:
            context["alarms"] = _panels(ALARMS, request)
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {"notes": _panels(NOTES, request), **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, object]]:
        """What the owner needs each day first; accounts last."""
        apps = super().get_app_list(request, app_label)
        return sorted(
            apps, key=lambda app: ROOMS.index(app["app_label"]) if app["app_label"] in ROOMS else len(ROOMS)
        )


def _panels(paths: list[str], request: HttpRequest) -> list[dict[str, str]]:
    panels = (import_string(path)(request) for path in paths)
    return [panel for panel in panels if panel]
