"""Tests of the translations: complete, with the same placeholders, and compiled as they are written."""

from __future__ import annotations

import gettext
import re
from string import Formatter

import pytest
from django.test import Client
from pytest_django import Settings

from inventory.models import StockItem
from script import messages
from script.messages import LANGUAGES, collected, compiled, read, strings_of
from shop.money import format_money
from shop.tests.factories import on_shelf

TEXTS = sorted(set(collected()))
SHIRT = "/products/prod_balm/balm-t-shirt/"
NBSP = "\N{NO-BREAK SPACE}"


def test_texts_of_templates_modules_and_mails_are_collected() -> None:
    singulars = {text.singular for text in TEXTS}

    assert {
        "Add to cart",
        "Your order {order}",
        "Few left",
        "Legal notice",
        "Your cart is empty.",
    } <= singulars
    # Texts of the admin and of issues are in English.
    assert not [text for text in singulars if "worker" in text or "Dashboard" in text]
    assert len(TEXTS) > 190


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    """If this fails: run `python -m script.messages` and translate what it lists."""
    catalog = read(language)
    stored = {
        (message.id if isinstance(message.id, str) else tuple(message.id), message.context or "")
        for message in catalog
        if message.id
    }

    assert {(text.id, text.context) for text in TEXTS} <= stored
    for message in catalog:
        if message.id:
            assert not message.fuzzy, message.id
            assert all(strings_of(message)), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_text(language: str) -> None:
    for message in read(language):
        if not message.id:
            continue
        texts = [message.id] if isinstance(message.id, str) else list(message.id)
        for translation in strings_of(message):
            assert placeholders(translation) in [placeholders(text) for text in texts], translation


def placeholders(text: str) -> tuple[list[str], list[str]]:
    names = [] if "%(" in text else [name for _before, name, _form, _how in Formatter().parse(text) if name]
    return sorted(re.findall(r"%\(\w+\)[a-z]", text)), sorted(filter(None, names))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_file_belongs_to_the_written_one(language: str) -> None:
    path = messages.po_path(language).with_suffix(".mo")

    assert path.read_bytes() == compiled(read(language))
    with path.open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Add to cart") != "Add to cart"


@pytest.mark.parametrize("language", LANGUAGES)
def test_quotation_marks_and_spaces_are_those_of_the_language(language: str) -> None:
    for message in read(language):
        for text in strings_of(message) if message.id else []:
            assert "'" not in text and '"' not in text and "..." not in text, text
            if language == "fr":
                assert not re.search(r"[^\xa0\u202f][?!;:»]|«[^\xa0]|[“”„]", text), text
            else:
                assert not re.search(r"[“”][^“”]*”|«|»|\b(Sie|Ihr|Ihre|Ihren|Ihrem|Ihrer)\b", text), text


@pytest.mark.parametrize(
    ("language", "text"), [("de", f"1.234,50{NBSP}€"), ("fr", f"1\u202f234,50{NBSP}€"), ("en", "€1,234.50")]
)
def test_prices_are_written_as_in_the_language(language: str, text: str) -> None:
    assert format_money(123450, "eur", language) == text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", ["In den Warenkorb", "Größe", "Nur noch", "ausverkauft", f"25,00{NBSP}$"]),
        ("fr", ["Ajouter au panier", "Taille", "plus que", "épuisé", f"25,00{NBSP}$US"]),
    ],
)
def test_a_product_page_is_in_its_language(
    client: Client, settings: Settings, language: str, words: list[str]
) -> None:
    settings.SHOP_LANGUAGES = ["en", "de", "fr"]
    on_shelf(stock={"S": 0, "M": 3, "L": 10})
    StockItem.objects.filter(size="M").update(on_hand=3)

    html = client.get(f"/{language}{SHIRT}").content.decode()

    for word in words:
        assert word.casefold() in html.casefold(), word
    assert "Add to cart" not in html and "Sold out" not in html


@pytest.mark.django_db
def test_messages_of_the_cart_are_in_the_language_of_its_address(client: Client, settings: Settings) -> None:
    settings.SHOP_LANGUAGES = ["en", "de", "fr"]
    on_shelf()
    item = StockItem.objects.get(size="M")

    added = client.post("/de/cart/add/", {"item": item.pk, "color": "Black", "quantity": 1}, follow=True)

    assert added.redirect_chain == [("/de/cart/", 302)]
    html = added.content.decode()
    assert "liegt in deinem Warenkorb" in html and "Zur Zahlung" in html
    refused = client.post("/fr/cart/add/", {"item": item.pk, "color": "Black", "quantity": 999}, follow=True)
    assert "Vous pouvez commander au plus" in refused.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "heading"), [("/de/never/", "Seite nicht gefunden"), ("/fr/never/", "Page introuvable")]
)
def test_an_error_page_is_in_the_language_of_its_address(
    client: Client, settings: Settings, path: str, heading: str
) -> None:
    settings.SHOP_LANGUAGES = ["en", "de", "fr"]

    assert heading in client.get(path).content.decode()
