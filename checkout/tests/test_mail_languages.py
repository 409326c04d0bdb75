"""Tests of mails in the language of their order."""

from __future__ import annotations

from html import unescape

import pytest
from django.utils.translation import gettext, override
from pytest_django.fixtures import Settings

from checkout.mail import outbox
from checkout.mail.kinds import KINDS
from checkout.mail.render import Renderer
from checkout.models import CustomerMail, Order
from checkout.tests.test_mail_outbox import confirm


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", ["Danke für deine Bestellung", "Deine Zahlung von 67,00"]),
        ("fr", ["Merci pour votre commande", "votre paiement de 67,00"]),
        ("", ["Thank you for your order", "your payment of $67.00"]),
    ],
)
@pytest.mark.usefixtures("mails_on")
def test_a_mail_is_in_the_language_of_its_order(
    order: Order, settings: Settings, language: str, words: list[str]
) -> None:
    settings.SHOP_LANGUAGES = ["en", "de", "fr"]
    order.language = language
    order.save(update_fields=["language"])

    mail = Renderer.load().render(confirm(order))

    for word in words:
        assert word in mail.text and word in unescape(mail.html), word


@pytest.mark.usefixtures("mails_on")
@pytest.mark.parametrize(("language", "prefix"), [("de", "/de"), ("en", "")])
def test_each_kind_of_mail_about_an_order_leads_to_its_page_in_that_language(
    order: Order, settings: Settings, language: str, prefix: str
) -> None:
    settings.SHOP_LANGUAGES, order.language = ["en", "de", "fr"], language
    order.save(update_fields=["language"])
    for kind in KINDS.values():
        outbox.queue(kind.name, reference="1", to=order.email, order=order, context=kind.sample)

    for mail in CustomerMail.objects.select_related("order"):
        if KINDS[mail.kind].about_order:
            assert f"{settings.SITE_URL}{prefix}/order/" in Renderer.load().render(mail).text, mail.kind
            assert "order_url" not in mail.context


@pytest.mark.usefixtures("mails_on")
def test_an_order_from_elsewhere_gets_mails_in_the_shops_first_language(
    order: Order, settings: Settings
) -> None:
    settings.SHOP_LANGUAGES = ["de", "en"]

    mail = Renderer.load().render(confirm(order))

    assert mail.subject == f"Deine Bestellung {order.number}"


@pytest.mark.parametrize("language", ["de", "fr"])
def test_each_kind_of_mail_is_translated(language: str) -> None:
    with override(language):
        for kind in KINDS.values():
            for text in filter(None, (kind.subject, kind.heading, kind.text)):
                assert gettext(text) != text, text
