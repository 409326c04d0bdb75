"""Admin pages of mails to customers: the texts of each kind with a preview, and the mail about a line that is sold out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from csp.constants import NONE, UNSAFE_INLINE
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from checkout.mail.facts import order_facts, with_amounts
from checkout.mail.kinds import KINDS, OUT_OF_STOCK, MailKind, is_on
from checkout.mail.render import Rendered, Renderer
from checkout.mail.texts import PARTS, Wording, find_problem, standard_wording, wording_of
from checkout.models import MailText, Order, OrderLine
from checkout.orders.mails import out_of_stock_context
from config.languages import first_language

PREVIEW_CSP = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],  # A mail has its styles in itself. Its page runs no script.
    "img-src": settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"],
    "sandbox": True,
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}


class MailTextForm(forms.Form):
    """The texts of one kind in one language. A text that is empty or equals the standard one is not stored."""

    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=200, required=False)
    heading = forms.CharField(label=gettext_lazy("Heading"), max_length=200, required=False)
    text = forms.CharField(
        label=gettext_lazy("Text"), max_length=5000, required=False, widget=forms.Textarea(attrs={"rows": 10})
    )

    def __init__(self, kind: MailKind, language: str, data: Any = None) -> None:
        self.kind, self.language = kind, language
        with override(language):
            self.standard = standard_wording(kind)
            shown = wording_of(kind, own_text(kind, language))
        super().__init__(data, initial={part: getattr(shown, part) for part in PARTS})

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for part in PARTS:
            if problem := find_problem(cleaned.get(part, ""), self.kind):
                self.add_error(part, problem)
        return cleaned

    @property
    def wording(self) -> Wording:
        return Wording(*(self.cleaned_data[part] or getattr(self.standard, part) for part in PARTS))

    def save(self) -> None:
        own = {}
        for part, text in self.cleaned_data.items():
            # A form changes white space, but a blank line begins a paragraph.
            one, other = getattr(self.wording, part), getattr(self.standard, part)
            is_same = one.split() == other.split() and one.count("\n\n") == other.count("\n\n")
            own[part] = "" if is_same else text
        if any(own.values()):
            MailText.objects.update_or_create(kind=self.kind.name, language=self.language, defaults=own)
        else:
            MailText.objects.filter(kind=self.kind.name, language=self.language).delete()


class OutOfStockForm(forms.Form):
    note = forms.CharField(
        label=gettext_lazy("What happens next"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "Such as: you get your money back today, or: we send it when the next delivery is here."
        ),
    )


@dataclass(frozen=True)
class TextRow:
    """A kind of mail in the list of texts."""

    kind: MailKind
    languages: list[tuple[str, str | Promise, bool]]  # code, name, whether the owner has changed it

    @property
    def is_on(self) -> bool:
        return is_on(self.kind.name)


def text_rows() -> list[TextRow]:
    own, languages = set(MailText.objects.values_list("kind", "language")), shop_languages()
    return [
        TextRow(kind, [(code, name, (kind.name, code) in own) for code, name in languages.items()])
        for kind in KINDS.values()
    ]


def shop_languages() -> dict[str, str | Promise]:
    return {code: name for code, name in settings.LANGUAGES if code in settings.SHOP_LANGUAGES}


def own_text(kind: MailKind, language: str) -> MailText | None:
    return MailText.objects.filter(kind=kind.name, language=language).first()


def sample_mail(kind: MailKind, language: str, wording: Wording) -> Rendered:
    address = {"name": "Ada Lovelace", "line1": "1 Main Street", "postal_code": "10001", "city": "New York"}
    order = Order(
        currency=settings.SHOP_CURRENCY,
        name="Ada Lovelace",
        email="ada@example.com",
        address={**address, "country": "US"},
        created_at=timezone.now(),
        subtotal=6200,
        shipping=500,
        total=6700,
    )
    with override(language):
        shirts, poster = _("T-Shirt"), _("Poster")
        lines = [
            OrderLine(order=order, name=shirts, size="M", color=_("Black"), quantity=2, unit_amount=2500),
            OrderLine(order=order, name=poster, quantity=1, unit_amount=1200),
        ]
        facts = order_facts(order, lines) if kind.about_order else {}
        facts |= with_amounts(kind.sample, kind, order.currency)
        return Renderer.load().render_wording(kind, wording, facts)


def out_of_stock_preview(line: OrderLine, note: str) -> Rendered:
    kind, language = KINDS[OUT_OF_STOCK], line.order.language or first_language()
    with override(language):
        facts = {**order_facts(line.order), **out_of_stock_context(line, note=note)}
        return Renderer.load().render_wording(kind, wording_of(kind, own_text(kind, language)), facts)


def preview_response(request: HttpRequest, rendered: Rendered) -> HttpResponse:
    """The mail as a page of its own, as a mail program shows it; with `?as=text` its text."""
    if request.GET.get("as") == "text":
        return HttpResponse(
            f"{rendered.subject}\n\n{rendered.text}", content_type="text/plain; charset=utf-8"
        )
    response = HttpResponse(rendered.html)
    response._csp_config = PREVIEW_CSP  # type: ignore[attr-defined]  # as csp.decorators.csp does
    return response
