"""Admin of mails to customers: what was sent and what waits, “send again”, and the owner's texts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from checkout.mail import outbox
from checkout.mail.kinds import KINDS
from checkout.mail.render import Renderer
from checkout.mail_pages import MailTextForm, preview_response, sample_mail, shop_languages, text_rows
from checkout.models import CustomerMail, MailText
from config.admin import GrowingModelAdmin


class SendAgainForm(forms.Form):
    to = forms.EmailField(label=gettext_lazy("To"), max_length=254)


class KindFilter(admin.SimpleListFilter):
    title = gettext_lazy("mail")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, kind.label) for name, kind in KINDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CustomerMail]) -> QuerySet[CustomerMail]:
        return queryset.filter(kind=self.value()) if self.value() in KINDS else queryset


@admin.register(CustomerMail)
class CustomerMailAdmin(GrowingModelAdmin):
    change_form_template = "checkout/admin/mail.html"
    list_display = ["created_at", "label", "order_link", "to", "state", "sent_at", "last_error"]
    list_display_links = ["created_at", "label"]
    list_filter = ["state", KindFilter, "created_at"]
    list_select_related = ["order"]
    search_fields = ["to", "order__id", "order__name", "subject"]
    search_help_text = gettext_lazy("Address, name, order number or subject")
    actions = ["send_selected_again"]
    fieldsets = [
        (None, {"fields": ["label", "order_link", "to", "state", "last_error", "preview"]}),
        (gettext_lazy("As it was sent last"), {"fields": ["sent_at", "subject", "text"]}),
        (
            gettext_lazy("Technical details"),
            {
                "fields": ["reference", "language", "attempts", "created_at", "next_attempt_at"],
                "classes": ["collapse"],
            },
        ),
    ]
    readonly_fields = ["label", "order_link", "preview", "text"]

    def named_rows(self, rows: QuerySet[CustomerMail], text: str) -> QuerySet[CustomerMail] | None:
        return rows.alias(lower_to=Lower("to")).filter(lower_to=text.lower()) if "@" in text else None

    @admin.display(description=gettext_lazy("mail"), ordering="kind")
    def label(self, mail: CustomerMail) -> str:
        return mail.label

    @admin.display(description=gettext_lazy("order"))
    def order_link(self, mail: CustomerMail) -> SafeString | str:
        if mail.order is None:
            return "–"
        url = reverse("admin:checkout_order_change", args=[mail.order_id])
        return format_html('<a href="{}">{}</a>', url, mail.order.number)

    @admin.display(description=gettext_lazy("preview"))
    def preview(self, mail: CustomerMail) -> SafeString:
        url = reverse("admin:checkout_customermail_preview", args=[mail.pk])
        return format_html(
            '<a href="{0}">{1}</a> · <a href="{0}?as=text">{2}</a>', url, _("As HTML"), _("As text")
        )

    @admin.display(description=gettext_lazy("text"))
    def text(self, mail: CustomerMail) -> SafeString | str:
        return format_html('<pre class="mail-text">{}</pre>', mail.body) if mail.body else "–"

    @admin.action(description=gettext_lazy("Send selected mails again"), permissions=["operate"])
    def send_selected_again(self, request: HttpRequest, chosen: QuerySet[CustomerMail]) -> None:
        now = timezone.now()
        sent = [mail for mail in chosen if outbox.send_again(mail, now=now)]
        self.log_action(request, sent, "Sent again.")
        text = ngettext("%(n)d mail is sent again.", "%(n)d mails are sent again.", len(sent))
        self.message_user(request, text % {"n": len(sent)}, messages.SUCCESS if sent else messages.INFO)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        mail = self.get_object(request, object_id)
        may_send = mail is not None and self.has_operate_permission(request)
        context = {
            "again_form": SendAgainForm(initial={"to": mail.to}) if mail and may_send else None,
            "is_waiting": mail is not None and mail.state in (mail.State.QUEUED, mail.State.SENDING),
        }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def send_again_view(self, request: HttpRequest, mail_id: int) -> HttpResponse:
        if request.method != "POST" or not self.has_operate_permission(request):
            raise Http404
        mail, form = get_object_or_404(CustomerMail, pk=mail_id), SendAgainForm(request.POST)
        if not form.is_valid():
            text = _("Nothing was sent: %(error)s") % {"error": " ".join(map(str, form.errors["to"]))}
            self.message_user(request, text, messages.ERROR)
        elif outbox.send_again(mail, now=timezone.now(), to=form.cleaned_data["to"]):
            self.log_action(request, [mail], "Sent again.")
            self.message_user(request, _("The mail is sent again."), messages.SUCCESS)
        else:
            self.message_user(request, _("The mail is on its way already."), messages.WARNING)
        return HttpResponseRedirect(reverse("admin:checkout_customermail_change", args=[mail_id]))

    def preview_view(self, request: HttpRequest, mail_id: int) -> HttpResponse:
        mail = get_object_or_404(CustomerMail.objects.select_related("order"), pk=mail_id)
        if not self.has_view_permission(request, mail) or mail.kind not in KINDS:
            raise PermissionDenied
        return preview_response(request, Renderer.load().render(mail))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:mail_id>/preview/", wrap(self.preview_view), name="checkout_customermail_preview"),
            path("<int:mail_id>/again/", wrap(self.send_again_view), name="checkout_customermail_again"),
            *super().get_urls(),
        ]


@admin.register(MailText)
class MailTextAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list of all kinds, changed or not, and a form for each kind and language."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts, "rows": text_rows()}
        title = {"title": _("Texts of mails")}
        return TemplateResponse(request, "checkout/admin/mail_texts.html", {**context, **title})

    def text_view(self, request: HttpRequest, kind: str, language: str) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if kind not in KINDS or language not in shop_languages():
            raise Http404
        form = MailTextForm(KINDS[kind], language, request.POST or None)
        if "standard" in request.POST:
            MailText.objects.filter(kind=kind, language=language).delete()
            self.message_user(request, _("The standard text is used again."), messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:checkout_mailtext", args=[kind, language]))
        if form.is_valid() and "preview" in request.POST:
            return preview_response(request, sample_mail(KINDS[kind], language, form.wording))
        if form.is_valid():
            form.save()
            self.message_user(request, _("The text is saved."), messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:checkout_mailtext_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": capfirst(str(KINDS[kind].label)),
            "form": form,
            "placeholders": [(f"{{{name}}}", what) for name, what in KINDS[kind].placeholders.items()],
            "is_own": MailText.objects.filter(kind=kind, language=language).exists(),
            "language": shop_languages()[language],
        }
        return TemplateResponse(request, "checkout/admin/mail_text.html", context)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.text_view)
        return [
            path("<slug:kind>/<slug:language>/", view, name="checkout_mailtext"),
            *super().get_urls(),
        ]
