"""Admin pages of stock. Rows are read-only; counts change through the ledger only."""

from __future__ import annotations

import json
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from config.admin import GrowingModelAdmin, ReadOnlyMixin, ReadOnlyModelAdmin
from config.coerce import as_mapping, as_text
from config.paging import NearbyPaginator
from config.stripe_events import EVENTS
from inventory import csv_views, stock_grid, stock_history
from inventory.events import inbox
from inventory.forms import StockForm, change_stock
from inventory.models import (
    CatalogImport,
    Hold,
    Issue,
    Movement,
    ProductSync,
    StockItem,
    StockUpdate,
    StripeEvent,
)
from inventory.stock import oversold
from inventory.stripe_sync import publisher, refresh, snapshot


class MovementInline(ReadOnlyMixin, admin.TabularInline):  # type: ignore[type-arg]
    NEWEST = 50  # A size may have thousands; the page links to the full list.
    model = Movement
    verbose_name_plural = gettext_lazy("newest movements")
    fields = ["created_at", "kind", "delta", "reason", "actor", "reference", "published_at"]
    readonly_fields = ["created_at", "kind", "delta", "reason", "actor", "reference", "published_at"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Movement]:
        item = request.resolver_match.kwargs["object_id"] if request.resolver_match else None
        newest = Movement.objects.filter(item=item).order_by("-id").values_list("pk", flat=True)
        return super().get_queryset(request).filter(pk__in=newest[: self.NEWEST])


@admin.register(StockItem)
class StockItemAdmin(ReadOnlyModelAdmin):
    list_display = [
        "product",
        "size",
        "available",
        "links",
        "on_hand",
        "pending",
        "held",
        "state",
        "problem",
    ]
    list_display_links = ["product", "size"]
    list_filter = ["state", "is_listed", "product__active"]
    list_select_related = ["product"]
    search_fields = ["product__name", "product__id", "key"]
    ordering = ["product__name", "position"]
    fieldsets = [
        (None, {"fields": ["product", "size", "key", "state", "problem", "is_listed", "change_link"]}),
        (gettext_lazy("Count"), {"fields": ["on_hand", "pending", "held", "available", "ledger_link"]}),
    ]
    readonly_fields = ["change_link", "available", "ledger_link"]
    inlines = [MovementInline]
    actions = ["change_stock_of"]

    def get_urls(self) -> list[URLPattern]:
        change = path(
            "change-stock/", self.admin_site.admin_view(self.change_stock_view), name="inventory_change_stock"
        )
        grid = path("grid/", self.admin_site.admin_view(self.grid_view), name="inventory_stock_grid")
        state = path(
            "grid/state/", self.admin_site.admin_view(self.grid_state), name="inventory_stock_grid_state"
        )
        wrap = self.admin_site.admin_view
        return [
            change,
            grid,
            state,
            path("file/", wrap(self.file_view), name="inventory_stock_file"),
            path("stock.csv", wrap(partial(csv_views.stock_csv, self)), name="inventory_stock_csv"),
            path(
                "count-sheet.csv",
                wrap(partial(csv_views.count_sheet_csv, self)),
                name="inventory_count_sheet_csv",
            ),
            *super().get_urls(),
        ]

    def grid_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return stock_grid.grid_view(request, context, partial(self.log_action, request))

    def file_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return csv_views.stock_file_view(request, context, partial(self.log_many, request))

    def grid_state(self, request: HttpRequest) -> HttpResponse:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        return stock_grid.state_of(request)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The movements of the size, in place of Django's list of what was done in the admin."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        item = self.get_object(request, object_id)
        if item is None:
            self.message_user(request, _("There is no such size."), messages.WARNING)
            return HttpResponseRedirect(reverse("admin:inventory_stockitem_changelist"))
        context = {**self.admin_site.each_context(request), "opts": self.opts, **(extra_context or {})}
        return stock_history.history_view(request, item, context)

    @admin.display(description=gettext_lazy("change"))
    def change_link(self, item: StockItem) -> SafeString:
        return format_html('<a href="{}?id={}">{}</a>', _change_url(), item.pk, _("Change stock"))

    @admin.display(description=gettext_lazy("change"))
    def links(self, item: StockItem) -> SafeString:
        page = reverse("admin:inventory_stockitem_history", args=[item.pk])
        return format_html('{}<br><a href="{}">{}</a>', self.change_link(item), page, _("History"))

    @admin.display(description=gettext_lazy("ledger"))
    def ledger_link(self, item: StockItem) -> SafeString:
        number = NearbyPaginator(item.movements.all(), MovementInline.NEWEST).count
        text = ngettext("%(n)d movement", "All %(n)d movements", number) % {"n": number}
        address = f"{reverse('admin:inventory_movement_changelist')}?item__id__exact={item.pk}"
        return format_html('<a href="{}">{}</a>', address, text)

    @admin.action(description=gettext_lazy("Change stock of selected items"), permissions=["operate"])
    def change_stock_of(self, request: HttpRequest, chosen: QuerySet[StockItem]) -> HttpResponse:
        ids = "&".join(f"id={pk}" for pk in chosen.order_by("pk").values_list("pk", flat=True))
        return HttpResponseRedirect(f"{_change_url()}?{ids}")

    def change_stock_view(self, request: HttpRequest) -> HttpResponse:
        """Form for the items in the query string; a POST records one movement per item."""
        if not self.has_operate_permission(request):
            return HttpResponse(_("You do not have permission to change stock."), status=403)
        ids = [pk for pk in request.GET.getlist("id") if pk.isdecimal() and len(pk) < 19]
        items = list(stock_grid.with_owed(StockItem.objects.filter(pk__in=ids).select_related("product")))
        if not items:
            self.message_user(request, _("Select at least one item."), messages.WARNING)
            return HttpResponseRedirect(reverse("admin:inventory_stockitem_changelist"))
        form = StockForm(request.POST) if request.method == "POST" else StockForm.blank()
        if form.is_valid():
            created, refused = change_stock(items, form, request.user.get_username())
            number = len(created)
            done = f"{form.kind_label}: {form.cleaned_data['reason']}"
            self.log_action(request, [movement.item for movement in created], done)
            if created or not refused:
                text = ngettext("%(n)d count changed.", "%(n)d counts changed.", number) % {"n": number}
                covered = oversold.covered_text(created[0].reference) if created else ""
                text = f"{text} {covered}".strip()
                self.message_user(request, text, messages.SUCCESS if created else messages.INFO)
                for sentence in refused:
                    self.message_user(request, sentence, messages.ERROR)
                return HttpResponseRedirect(reverse("admin:inventory_stockitem_changelist"))
            form.add_error(None, refused)
        context = {
            **self.admin_site.each_context(request),
            "form": form,
            "items": items,
            "opts": self.opts,
            "title": _("Change stock"),
        }
        return TemplateResponse(request, "inventory/admin/change_stock.html", context)


def _change_url() -> str:
    return reverse("admin:inventory_change_stock")


@admin.register(CatalogImport)
class CatalogImportAdmin(GrowingModelAdmin):
    list_display = ["started_at", "feed", "mode", "status", "rows", "errors", "finished_at", "stripe_id"]
    list_filter = ["feed", "status"]


@admin.register(Movement)
class MovementAdmin(GrowingModelAdmin):
    list_display = ["created_at", "item", "kind", "delta", "reason", "actor", "reference", "published_at"]
    list_filter = ["kind", "created_at"]
    list_select_related = ["item__product"]
    search_fields = ["reference", "reason", "item__product__name", "item__key"]

    def named_rows(self, rows: QuerySet[Movement], text: str) -> QuerySet[Movement]:
        # A sale has the order's reference and the place of its line, of at most 100 at Stripe.
        references = [text, *(f"{text}:{place}" for place in range(100) if text.startswith("order:"))]
        # With the kinds, because the index on references begins with them.
        return rows.filter(kind__in=Movement.Kind.values, reference__in=references)

    def get_urls(self) -> list[URLPattern]:
        download = self.admin_site.admin_view(partial(csv_views.movements_csv, self))
        return [path("movements.csv", download, name="inventory_movements_csv"), *super().get_urls()]


@admin.register(Hold)
class HoldAdmin(ReadOnlyModelAdmin):
    list_display = ["item", "quantity", "reference", "created_at"]
    list_select_related = ["item__product"]
    search_fields = ["reference", "item__product__name"]


class TypeFilter(admin.SimpleListFilter):
    """Django's filter reads the types of all events; the shop asks Stripe for these only."""

    title = gettext_lazy("type")
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, name) for name in sorted(EVENTS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> QuerySet[StripeEvent]:
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(StripeEvent)
class StripeEventAdmin(GrowingModelAdmin):
    list_display = ["received_at", "type", "object_id", "state", "attempts", "error", "id"]
    list_filter = ["state", TypeFilter, "received_at"]
    search_fields = ["id", "object_id", "type"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "id",
                    "type",
                    "object_id",
                    "created_at",
                    "received_at",
                    "livemode",
                    "order_link",
                    "stripe_link",
                ]
            },
        ),
        (
            gettext_lazy("Handling"),
            {"fields": ["state", "attempts", "next_attempt_at", "handled_at", "error"]},
        ),
        (gettext_lazy("As Stripe sent it"), {"fields": ["readable_payload"]}),
    ]
    readonly_fields = ["readable_payload", "order_link", "stripe_link"]
    actions = ["replay"]
    change_form_template = "inventory/admin/event.html"

    def get_urls(self) -> list[URLPattern]:
        replay = self.admin_site.admin_view(self.replay_view)
        return [
            path("<str:event_id>/replay/", replay, name="inventory_stripeevent_replay"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {"may_replay": self.has_operate_permission(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def replay_view(self, request: HttpRequest, event_id: str) -> HttpResponse:
        if request.method != "POST" or not self.has_operate_permission(request):
            raise PermissionDenied
        event = get_object_or_404(StripeEvent.objects.defer("payload"), pk=event_id)
        inbox.replay([event.pk], timezone.now())
        self.log_action(request, [event], "Handled again.")
        self.message_user(request, _("The worker handles it again within seconds."))
        return HttpResponseRedirect(reverse("admin:inventory_stripeevent_change", args=[event.pk]))

    @admin.display(description=gettext_lazy("order"))
    def order_link(self, event: StripeEvent) -> SafeString | str:
        subject = as_mapping(as_mapping(event.payload.get("data")).get("object"))
        payment = subject.get("payment_intent")
        known = event.object_id if event.object_id.startswith(("cs_", "pi_")) else as_text(payment)
        return _order_search(known, _("Orders of this payment")) if known else "–"

    @admin.display(description=gettext_lazy("at Stripe"))
    def stripe_link(self, event: StripeEvent) -> SafeString:
        url = f"{settings.STRIPE_DASHBOARD}/events/{event.pk}"
        return format_html('<a href="{}" rel="noopener">{}</a>', url, _("View event in the Dashboard"))

    def named_rows(self, rows: QuerySet[StripeEvent], text: str) -> QuerySet[StripeEvent]:
        return rows.filter(Q(pk=text) | Q(object_id=text))

    def get_queryset(self, request: HttpRequest) -> QuerySet[StripeEvent]:
        # The list shows no payloads, and they are large.
        return super().get_queryset(request).defer("payload")

    @admin.display(description=gettext_lazy("payload"))
    def readable_payload(self, event: StripeEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2, ensure_ascii=False))

    @admin.action(description=gettext_lazy("Handle selected events again"), permissions=["operate"])
    def replay(self, request: HttpRequest, chosen: QuerySet[StripeEvent]) -> None:
        events = list(chosen.only("pk", "type"))
        number = inbox.replay([event.pk for event in events], timezone.now())
        self.log_action(request, events, "Handled again.")
        text = ngettext("%(n)d event will be handled again.", "%(n)d events will be handled again.", number)
        self.message_user(request, text % {"n": number})


@admin.register(StockUpdate)
class StockUpdateAdmin(GrowingModelAdmin):
    list_display = [
        "created_at",
        "product",
        "number",
        "totals",
        "state",
        "sent_at",
        "finished_at",
        "event_seen",
    ]
    list_filter = ["state", "created_at"]
    list_select_related = ["product"]
    search_fields = ["product__name", "product__id", "idempotency_key"]


@admin.register(ProductSync)
class ProductSyncAdmin(ReadOnlyModelAdmin):
    list_display = ["product", "number", "refreshed_at", "pause_display", "next_attempt_at"]
    list_filter = ["pause_reason"]
    list_select_related = ["product"]
    search_fields = ["product__name", "product__id"]
    actions = ["refresh", "resume", "accept_stripe_counts"]

    @admin.display(description=gettext_lazy("paused because"), ordering="pause_reason")
    def pause_display(self, sync: ProductSync) -> str:
        return sync.pause_text or "–"

    @admin.action(description=gettext_lazy("Refresh selected products"), permissions=["operate"])
    def refresh(self, request: HttpRequest, chosen: QuerySet[ProductSync]) -> None:
        number = refresh.request_refresh(list(chosen.values_list("pk", flat=True)))
        self.log_action(request, chosen, "Refreshed.")
        text = ngettext("%(n)d product will be refreshed.", "%(n)d products will be refreshed.", number)
        self.message_user(request, text % {"n": number})

    @admin.action(
        description=gettext_lazy("Resume stock updates of selected products"), permissions=["operate"]
    )
    def resume(self, request: HttpRequest, chosen: QuerySet[ProductSync]) -> None:
        resumed = [sync for sync in chosen if publisher.resume_product(sync.pk)]
        number = len(resumed)
        self.log_action(request, resumed, "Resumed stock updates.")
        text = ngettext(
            "Stock updates of %(n)d product resumed.", "Stock updates of %(n)d products resumed.", number
        )
        self.message_user(request, text % {"n": number})

    @admin.action(
        description=gettext_lazy("Take over selected products from another shop"), permissions=["operate"]
    )
    def accept_stripe_counts(self, request: HttpRequest, chosen: QuerySet[ProductSync]) -> None:
        taken_over = [sync for sync in chosen if snapshot.accept_stripe_counts(sync.pk)]
        number = len(taken_over)
        self.log_action(request, taken_over, "Took over from another shop.")
        text = ngettext("%(n)d product taken over.", "%(n)d products taken over.", number)
        self.message_user(request, text % {"n": number})


# Their subject is the number of an order.
ORDER_ISSUES = {
    Issue.Kind.NEEDS_SIZE,
    Issue.Kind.ORDER_FAILED,
    Issue.Kind.REFUND_TO_REVIEW,
    Issue.Kind.REFUND_FAILED,
    Issue.Kind.DISPUTE,
    Issue.Kind.SESSION_NOT_FOUND,
    Issue.Kind.CUSTOMER_MAIL,
}


@admin.register(Issue)
class IssueAdmin(GrowingModelAdmin):
    list_display = ["opened_at", "kind", "subject", "first_line", "closed_at"]
    list_filter = [("closed_at", admin.EmptyFieldListFilter), "kind"]
    search_fields = ["subject", "text"]
    fields = ["kind", "subject", "text", "decide_link", "opened_at", "closed_at"]
    readonly_fields = ["decide_link"]
    actions = ["close"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": _("Needs attention"), **(extra_context or {})})

    @admin.display(description=gettext_lazy("what happened"))
    def first_line(self, issue: Issue) -> str:
        return issue.text.split("\n")[0][:200]

    @admin.display(description=gettext_lazy("what to do"))
    def decide_link(self, issue: Issue) -> SafeString | str:
        if issue.kind == Issue.Kind.OVERSOLD and not issue.closed_at:
            text = _("Refund, send from the next delivery, or ignore")
            return format_html('<a href="{}">{}</a>', reverse("admin:checkout_oversold"), text)
        if issue.kind == Issue.Kind.EVENT_FAILED:
            event = reverse("admin:inventory_stripeevent_change", args=[issue.subject])
            return format_html('<a href="{}">{}</a>', event, _("Open the event"))
        if issue.kind == Issue.Kind.UNKNOWN_SALE:
            orders = f"{reverse('admin:checkout_order_changelist')}?is_external__exact=1"
            return format_html('<a href="{}">{}</a>', orders, _("Open the orders of other programs"))
        if issue.kind in ORDER_ISSUES:
            return _order_search(issue.subject, _("Open the order"))
        return "–"

    @admin.action(description=gettext_lazy("Close selected issues"), permissions=["operate"])
    def close(self, request: HttpRequest, chosen: QuerySet[Issue]) -> None:
        open_issues = []
        for issue in chosen.filter(closed_at=None):
            if issue.kind == Issue.Kind.OVERSOLD:
                # Only a decision closes the issue of oversold units.
                product_id, _blank, key = issue.subject.partition(" ")
                item = StockItem.objects.filter(product=product_id, key=key).first()
                if item is not None and oversold.undecided(item.pk) > 0:
                    continue
            open_issues.append(issue)
        closed = Issue.objects.filter(pk__in=[issue.pk for issue in open_issues], closed_at=None)
        number = closed.update(closed_at=timezone.now())
        self.log_action(request, open_issues, "Closed.")
        text = ngettext("%(n)d issue closed.", "%(n)d issues closed.", number)
        self.message_user(request, text % {"n": number})
        left = chosen.filter(closed_at=None).count()
        if left:
            link = format_html('<a href="{}">{}</a>', reverse("admin:checkout_oversold"), _("Oversold"))
            text = _("Oversold units need a decision, which closes their issue: %(link)s.")
            self.message_user(request, format_html(text.replace("%(link)s", "{}"), link), messages.WARNING)


def _order_search(text: str, label: str) -> SafeString:
    query = urlencode({"q": text})
    return format_html('<a href="{}?{}">{}</a>', reverse("admin:checkout_order_changelist"), query, label)
