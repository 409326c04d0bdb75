"""Tests of texts of a product in other languages: metadata such as “name_de”."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.utils.translation import override
from pytest_django import Settings

from shop.metadata import parse
from shop.models import Product
from shop.tests.factories import names_on, on_shelf

pytestmark = pytest.mark.django_db

SHIRT = "/products/prod_balm/balm-t-shirt/"
GERMAN = {"name_de": "BALM Hemd", "description_de": "Weich.\nUnd warm."}
BASE = {"category": "clothing", "sizes": "S,M", "details": "Cotton"}


@pytest.fixture(autouse=True)
def languages(settings: Settings) -> None:
    settings.SHOP_LANGUAGES = ["en", "de", "fr"]


def shirt(**more: str) -> Product:
    return on_shelf(
        description="Soft.", metadata={**BASE, **GERMAN, **more}, images=("https://cdn.example/1.jpg",)
    )


def graph_of(html: str) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = json.loads(re.findall(r'ld\+json">(.*?)</script>', html)[0])["@graph"]
    return {node["@type"]: node for node in nodes}


def test_a_page_shows_the_texts_of_its_language(client: Client) -> None:
    shirt()

    german = client.get(f"/de{SHIRT}").content.decode()
    assert "<h1>BALM Hemd</h1>" in german and "<title>BALM Hemd · " in german
    assert '<div class="prose"><p>Weich.<br>Und warm.</p></div>' in german
    assert 'property="og:title" content="BALM Hemd"' in german
    group = graph_of(german)["ProductGroup"]
    assert (group["name"], group["description"]) == ("BALM Hemd", "Weich.\nUnd warm.")
    assert group["hasVariant"][0]["name"] == "BALM Hemd S"
    assert graph_of(german)["BreadcrumbList"]["itemListElement"][-1]["name"] == "BALM Hemd"
    assert "BALM T-Shirt" not in german and "Soft." not in german
    # The details have no translation.
    assert '<div class="prose" lang="en"><p>Cotton</p></div>' in german

    english = client.get(SHIRT).content.decode()
    assert "<h1>BALM T-Shirt</h1>" in english and "Hemd" not in english
    assert '<div class="prose"><p>Soft.</p></div>' in english
    assert not re.search(r'<(?!html|a)[^>]*\slang="', english)


def test_what_is_missing_is_the_products_own_text_in_its_language(client: Client) -> None:
    shirt()

    french = client.get(f"/fr{SHIRT}").content.decode()

    assert '<h1 lang="en">BALM T-Shirt</h1>' in french
    assert '<div class="prose" lang="en"><p>Soft.</p></div>' in french
    assert graph_of(french)["ProductGroup"]["name"] == "BALM T-Shirt"


def test_lists_home_and_search_know_the_translation(client: Client) -> None:
    shirt(featured="yes")
    on_shelf("prod_mug", name="Mug", metadata={"category": "things"})

    assert '<h1 id="hero-name">BALM Hemd</h1>' in client.get("/de/").content.decode()
    assert names_on(client.get("/de/products/?q=hemd")) == ["BALM Hemd"]
    assert names_on(client.get("/products/?q=hemd")) == ["BALM T-Shirt"]
    assert re.search(r'lang="en"\s*>Mug</a>', client.get("/de/products/").content.decode())


def test_the_feed_of_a_language_has_its_texts(client: Client) -> None:
    shirt()

    feeds = {
        prefix: b"".join(client.get(f"{prefix}/feeds/google.tsv").streaming_content).decode()  # type: ignore[attr-defined]
        for prefix in ("", "/de")
    }

    assert "BALM Hemd S" in feeds["/de"] and "BALM T-Shirt" not in feeds["/de"]
    assert "BALM T-Shirt S" in feeds[""] and "Hemd" not in feeds[""]
    assert client.get("/api/products/").json()["products"][0]["title"] == "BALM T-Shirt"


def test_texts_of_stripe_are_escaped(client: Client) -> None:
    evil = "</script><script>alert(1)</script>"
    shirt(name_de=evil, description_de=evil)

    for path in (f"/de{SHIRT}", "/de/", "/de/products/"):
        html = client.get(path).content.decode()
        assert "<script>alert" not in html, path
    assert graph_of(client.get(f"/de{SHIRT}").content.decode())["ProductGroup"]["name"] == evil


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"name_de": " \t\x00 "}, "“name_de” has no text that can be shown."),
        ({"Name_de": "Hemd"}, "The key “Name_de” is ignored; it must be “name_de”."),
        ({"description_DE": "Weich"}, "The key “description_DE” is ignored; it must be “description_de”."),
        ({"name_es": "Camisa"}, "“name_es” is ignored: pages are in en, de."),
        ({"name_en": "Shirt"}, "“name_en” is ignored: the product’s own name is in this language."),
    ],
)
def test_a_key_that_is_not_read_is_a_problem(metadata: dict[str, str], problem: str) -> None:
    parsed = parse(metadata, ["en", "de"])

    assert (parsed.translations, parsed.problems) == ({}, (problem,))


def test_a_name_is_one_line_and_a_description_keeps_its_own() -> None:
    parsed = parse({"name_de": " BALM\n  Hemd\x07 ", "description_de": "a\r\n\r\nb\x00"}, ["en", "de"])

    assert parsed.translations == {"de": {"name": "BALM Hemd", "description": "a\n\nb"}}
    assert parsed.problems == ()


@pytest.mark.parametrize("key", ["name_de", "name", "nickname_de", "name_deu", "my_name_de", "description_"])
def test_other_keys_are_the_owners(key: str) -> None:
    assert parse({key: "x"}, []).problems == () == parse({key: "x"}, ["en", "de"]).problems


def test_a_language_that_the_shop_dropped_is_not_shown(client: Client, settings: Settings) -> None:
    product = shirt()
    settings.SHOP_LANGUAGES = ["en"]

    assert "<h1>BALM T-Shirt</h1>" in client.get(SHIRT).content.decode()
    with override("de"):  # Of a mail to a customer who ordered in German before.
        assert (product.shown_name, product.own_language) == ("BALM T-Shirt", "")
