"""Where does the owner work? Django's admin under the shop's name, with the panels its first page shows."""

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from config.desk import PANELS

ROOMS = ["checkout", "inventory", "shop"]


class ShopAdminConfig(AdminConfig):
    default_site = "config.admin.ShopAdminSite"


class ShopAdminSite(AdminSite):
    index_title = _("Your desk")
    site_url = settings.SITE_URL

    @property
    def site_header(self) -> str:  # type: ignore[override]
        return str(settings.SHOP_NAME)

    @property
    def site_title(self) -> str:  # type: ignore[override]
        return str(settings.SHOP_NAME)

    def each_context(self, request: HttpRequest) -> dict[str, object]:
        context = super().each_context(request)
        if request.user.is_authenticated:
            panels = [import_string(path)(request) for path in PANELS]
            context["panels"] = [panel for panel in panels if panel]
        return context

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, object]]:
        """What the owner needs each day first; accounts last."""
        apps = super().get_app_list(request, app_label)
        return sorted(
            apps, key=lambda app: ROOMS.index(app["app_label"]) if app["app_label"] in ROOMS else len(ROOMS)
        )
