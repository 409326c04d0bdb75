"""Render a mail: wording, template, the shop's look, and CSS in the elements, where all mail programs read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import css_inline
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import override

from checkout.mail import texts
from checkout.mail.facts import order_facts, with_amounts
from checkout.mail.kinds import KINDS, MailKind
from checkout.models import CustomerMail, MailText
from config.languages import first_language
from shop.storefront import StorefrontContext, load_storefront
from shop.theme import BACKGROUND, DARK_BACKGROUND, INK, black_or_white, mix, readable_on

ACCENT, DARK_ACCENT = "#8a2d1a", "#f0a78b"  # of shop.css
DARK_TEXT, DARK_SOFT, DARK_LINE = "#f1ebe0", "#b3a998", "#3a352e"

# Rules that cannot stand in an element, such as those for dark mode, stay in the head.
_inliner = css_inline.CSSInliner(
    inline_style_tags=True, keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False
)


@dataclass(frozen=True)
class Rendered:
    """A mail as it is sent. `subject` is one line."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Look:
    """Colors of the mail, readable on their backgrounds in both modes."""

    paper: str
    text: str
    soft: str
    line: str
    accent: str
    on_accent: str
    dark_paper: str
    dark_text: str
    dark_soft: str
    dark_line: str
    dark_accent: str
    on_dark_accent: str


@dataclass
class Renderer:
    """Renders the mails of one batch: storefront and own texts are read once."""

    storefront: StorefrontContext
    own_texts: dict[tuple[str, str], MailText]

    @classmethod
    def load(cls) -> Renderer:
        own = {(row.kind, row.language): row for row in MailText.objects.all()}
        return cls(load_storefront(), own)

    def render(self, mail: CustomerMail) -> Rendered:
        with override(mail.language or first_language()):
            kind = KINDS[mail.kind]
            wording = texts.wording_of(kind, self.own_texts.get((mail.kind, mail.language)))
            facts = order_facts(mail.order) if mail.order else {}
            facts |= with_amounts(mail.context, kind, mail.order.currency if mail.order else "")
            return self.render_wording(kind, wording, facts)

    def render_wording(self, kind: MailKind, wording: texts.Wording, facts: Mapping[str, Any]) -> Rendered:
        shop = texts.one_line(self.storefront.name, 60)
        context = {**facts, "shop": shop, "shop_url": settings.SITE_URL, "logo": self.storefront.logo}
        subject = texts.one_line(texts.fill_in(wording.subject, kind, context), texts.MAX_SUBJECT)
        context |= {
            "subject": subject,
            "heading": texts.fill_in(wording.heading, kind, context),
            "paragraphs": texts.paragraphs_of(texts.fill_in(wording.text, kind, context)),
            "css": _stylesheet(self.storefront.settings.accent, self.storefront.settings.background),
        }
        text = render_to_string(f"{kind.template}.txt", context)
        html = render_to_string(f"{kind.template}.html", context)
        return Rendered(subject, re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", _inliner.inline(html))


@lru_cache(maxsize=4)
def _stylesheet(accent: str, background: str) -> SafeString:
    paper, dark = background or BACKGROUND, DARK_BACKGROUND
    shown, shown_dark = readable_on(accent or ACCENT, paper), readable_on(accent or DARK_ACCENT, dark)
    look = Look(
        paper=paper,
        text=INK,
        soft=readable_on(mix(paper, INK, 0.68), paper),
        line=mix(paper, INK, 0.16),
        accent=shown,
        on_accent=black_or_white(shown),
        dark_paper=dark,
        dark_text=DARK_TEXT,
        dark_soft=DARK_SOFT,
        dark_line=DARK_LINE,
        dark_accent=shown_dark,
        on_dark_accent=black_or_white(shown_dark),
    )
    return render_to_string("checkout/mail/_style.css", {"look": look})
