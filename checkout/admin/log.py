"""The admin's log: who did what to which object, and when. Read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import RelatedFieldListFilter
from django.contrib.admin.models import LogEntry
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from config.admin import GrowingModelAdmin


class LoggedFilter(RelatedFieldListFilter):
    """Offers what the log names, looked up by an index. RelatedOnlyFieldListFilter reads the whole log."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        named = Q(Exists(LogEntry.objects.filter(**{field.name: OuterRef("pk")})))
        ordering = self.field_admin_ordering(field, request, model_admin)
        return field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=named)


@admin.register(LogEntry)
class LogEntryAdmin(GrowingModelAdmin):
    list_display = ["action_time", "user", "content_type", "object_link", "what"]
    list_display_links = ["action_time"]
    list_filter = [
        "action_time",
        ("user", LoggedFilter),
        ("content_type", LoggedFilter),
    ]
    list_select_related = ["user", "content_type"]
    search_fields = ["object_repr", "object_id", "change_message"]
    date_hierarchy = "action_time"
    ordering = ["-id"]  # The order of time, with an index that Django's model has.
    fields = ["action_time", "user", "content_type", "object_link", "what"]
    readonly_fields = ["object_link", "what"]

    @admin.display(description=gettext_lazy("object"))
    def object_link(self, entry: LogEntry) -> SafeString | str:
        url = entry.get_admin_url()
        return format_html('<a href="{}">{}</a>', url, entry.object_repr) if url else entry.object_repr

    @admin.display(description=gettext_lazy("what was done"))
    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message() or entry.get_action_flag_display()

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm("admin.view_logentry"))
