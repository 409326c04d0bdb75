"""The admin site, its panels, and base classes for read-only admin pages."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from config.admin_panels import INDEX_CONTEXT, SITEWIDE_PANELS, VIEWS, WORK, AdminPage
from config.attempts import limit_attempts
from config.paging import NearbyPaginator
from config.stripe_dashboard import key_mode

# Pages of models that had another name until 2026-11-26, for bookmarks: old path to new path.
RENAMED_PAGES = {
    "inventory/case/": "inventory/issue/",
    "inventory/productstock/": "inventory/productsync/",
    "inventory/stockwrite/": "inventory/stockupdate/",
}


# With DEBUG off, pages link to libraries in their short form only, and to one version of htmx without extensions.
NOT_LINKED = [
    "admin/js/vendor/jquery/jquery.js",
    "admin/js/vendor/select2/select2.full.js",
    "admin/js/vendor/xregexp/xregexp.js",
    "django_htmx/ext/*",
    "django_htmx/htmax-*",
    "django_htmx/htmx-2.js",
    "django_htmx/htmx-4*",
]


class ShopAdminConfig(AdminConfig):
    default_site = "config.admin.ShopAdminSite"

    def ready(self) -> None:
        super().ready()
        if not settings.DEBUG:
            # To compress these took most of the time of `collectstatic`, before every start of the shop.
            static_files: Any = apps.get_app_config("staticfiles")
            static_files.ignore_patterns = [*static_files.ignore_patterns, *NOT_LINKED]


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

    def log_action(self, request: HttpRequest, objects: Iterable[Model], text: str) -> None:
        # Imported here: this module is read before the models are.
        from django.contrib.admin.models import CHANGE, LogEntry

        LogEntry.objects.log_actions(request.user.pk, list(objects), CHANGE, text)  # type: ignore[arg-type]

    def log_many(self, request: HttpRequest, text: str, name: str) -> None:
        """Record in one entry that the user did `text` to many objects, together called `name`."""
        from django.contrib.admin.models import CHANGE, LogEntry
        from django.contrib.contenttypes.models import ContentType

        content_type = ContentType.objects.get_for_model(self.model)
        LogEntry.objects.create(
            user_id=request.user.pk,  # type: ignore[misc]
            content_type=content_type,
            object_repr=name[:200],
            action_flag=CHANGE,
            change_message=text,
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})


class GrowingChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.get_filters_params()):
            # Nothing was searched for, so no number of results is shown beside the search.
            self.full_result_count = self.result_count
            self.show_admin_actions = bool(self.result_count)


class GrowingModelAdmin(ReadOnlyModelAdmin):
    """A list that only grows: its pages and its search for an id or an address read no more rows after years."""

    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return GrowingChangeList

    def get_paginator(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        per_page: int,
        orphans: int = 0,
        allow_empty_first_page: bool = True,
    ) -> NearbyPaginator:
        near = request.GET.get("p")
        return NearbyPaginator(queryset, per_page, orphans, allow_empty_first_page, near=near)

    def named_rows(self, rows: Any, text: str) -> QuerySet[Any] | None:
        """The rows that `text` names exactly, by an index. None if it is no such name."""
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The rows that the text names; only if there are none, those that contain it, for which all rows are read."""
        named = self.named_rows(queryset, search_term.strip()) if search_term.strip() else None
        if named is not None and named.exists():
            return named, False
        found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)
        return found


class ShopAdminSite(AdminSite):
    index_title = _("Today")
    site_url = settings.SITE_URL

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if request.user.is_authenticated:
            panels = (import_string(path)(request) for path in SITEWIDE_PANELS)
            context["alarms"] = [panel for panel in panels if panel]
            context["stripe_mode"] = key_mode()
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**import_string(INDEX_CONTEXT)(request), **(extra_context or {})})

    @property
    def login_form(self) -> Any:  # type: ignore[override]
        # Imported on use: django_otp reads its models, and this module is read before the models are.
        from config.login import LoginForm

        return LoginForm

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = limit_attempts(super().login)(request, extra_context)
        if request.method == "POST" and request.user.is_authenticated:
            # Shorter than a customer's, which keeps the cart for a month.
            request.session.set_expiry(60 * 60 * settings.STAFF_SESSION_HOURS)
        return response

    def has_permission(self, request: HttpRequest) -> bool:
        verified = not settings.SECOND_FACTOR_REQUIRED or request.user.is_verified()  # type: ignore[union-attr]
        return super().has_permission(request) and verified

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Before the admin's own catch-all, which answers 404.
        moved = [path(f"{old}<path:rest>", moved_to, {"new": new}) for old, new in RENAMED_PAGES.items()] + [
            path(old, moved_to, {"new": new, "rest": ""}) for old, new in RENAMED_PAGES.items()
        ]
        pages = [path(at, self.admin_view(import_string(view)), name=name) for at, view, name in VIEWS]
        return [*moved, *pages, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """The models and pages that the user may see, grouped by work; with `app_label` those of one app."""
        apps: list[dict[str, Any]] = super().get_app_list(request, app_label)
        if app_label:
            return apps
        rows = {row["model"]._meta.label: row for app in apps for row in app["models"]}
        groups = []
        for name, entries in WORK:
            found = []
            for entry in entries:
                if isinstance(entry, AdminPage):
                    # In the form of Django's rows of models.
                    names = {"name": entry.name, "object_name": entry.url_name.rpartition(":")[2]}
                    if request.user.has_perm(entry.permission):
                        found.append({**names, "admin_url": reverse(entry.url_name), "add_url": None})
                elif entry in rows:
                    found.append(rows.pop(entry))
            groups.append((name, found))
        # Accounts, and models that are listed nowhere.
        groups[-1][1].extend(rows.values())
        return [
            {
                "name": name,
                "app_label": f"work-{place}",
                "app_url": "",
                "has_module_perms": True,
                "models": found,
            }
            for place, (name, found) in enumerate(groups)
            if found
        ]


def moved_to(request: HttpRequest, new: str, rest: str) -> HttpResponse:
    """Redirect an old bookmark, with its query; the login is asked for at the new address."""
    query = f"?{request.META['QUERY_STRING']}" if request.META["QUERY_STRING"] else ""
    return HttpResponsePermanentRedirect(f"{reverse('admin:index')}{new}{rest}{query}")
