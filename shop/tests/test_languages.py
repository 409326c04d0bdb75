"""Tests of the languages: addresses, the language of a browser, the switch, and what links to them."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from config.languages import address_in, preferred_language
from shop.models import Storefront
from shop.tests.factories import on_shelf

pytestmark = pytest.mark.django_db

SHIRT = "/products/prod_balm/balm-t-shirt/"
PAGES = ["/", "/products/", "/products/?q=balm", "/category/clothing/", SHIRT, f"{SHIRT}?size=M", "/cart/"]
GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5", "accept": "text/html,*/*;q=0.8"}
IMAGE = ("https://cdn.example/1.jpg",)


@pytest.fixture
def three(settings: Settings) -> None:
    settings.SHOP_LANGUAGES = ["en", "de", "fr"]


def test_a_shop_with_one_language_has_no_switch_and_no_redirect(client: Client) -> None:
    on_shelf()

    for path in PAGES:
        html = client.get(path, headers=GERMAN).content.decode()
        assert '<html lang="en">' in html and "hreflang" not in html, path
    assert client.get("/de/").status_code == 404
    assert client.get("/?language=de").status_code == 200
    assert b"xhtml" not in client.get("/sitemap.xml").content.split(b"<url>")[1]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("path", PAGES)
def test_the_address_alone_decides_about_the_language(client: Client, path: str) -> None:
    on_shelf()

    for language, prefix in (("en", ""), ("de", "/de"), ("fr", "/fr")):
        for headers in ({}, {"accept-language": "fr"}, {"accept-language": "x" * 900}):
            answer = client.get(prefix + path, headers=headers)
            assert answer.status_code == 200
            assert f'<html lang="{language}">' in answer.content.decode()


@pytest.mark.usefixtures("three")
def test_every_link_of_a_page_stays_in_its_language(client: Client) -> None:
    on_shelf()
    Storefront.objects.create(legal_notice="1 Road")

    for path in ("/de/", "/de/products/", f"/de{SHIRT}", "/de/cart/", "/de/never/"):
        html = client.get(path).content.decode()
        links = re.findall(r'(?:href|action|hx-get|data-[a-z]*-?url)="(/[^"]*)"', html)
        others = [
            link for link in links if not link.startswith(("/de/", "/static/")) and "language=" not in link
        ]
        assert not others, path
        for link in links:
            if (
                link.startswith("/de/")
                and "/cart/add/" not in link
                and not re.search("/stock/|/never/", link)
            ):
                assert client.get(link).status_code in {200, 302}, link


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("path", PAGES)
def test_a_browser_that_prefers_another_language_is_led_there(client: Client, path: str) -> None:
    on_shelf()

    answer = client.get(path, headers=GERMAN)

    assert (answer.status_code, answer["Location"]) == (302, f"/de{path}")
    assert answer["Cache-Control"] == "no-store, private" or "no-store" in answer["Cache-Control"]
    assert answer["Vary"] == "Accept-Language, Cookie"
    assert not answer.cookies
    assert client.get(answer["Location"], headers=GERMAN).status_code == 200


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/fr/", GERMAN),  # Asked for on purpose.
        ("/", {"accept-language": "ja, it;q=0.9", "accept": "text/html"}),
        ("/", {"accept-language": "en-GB,de;q=0.9", "accept": "text/html"}),
        ("/", {"accept-language": "de"}),  # A program.
        ("/products/", GERMAN | {"HX-Request": "true"}),
        ("/api/products/", GERMAN),
        ("/robots.txt", GERMAN),
        ("/sitemap.xml", GERMAN),
        ("/theme.css", GERMAN),
        ("/admin/login/", GERMAN),
        ("/healthz", GERMAN),
    ],
)
def test_others_get_what_they_asked_for(client: Client, path: str, headers: dict[str, str]) -> None:
    assert client.get(path, headers=headers).status_code == 200


@pytest.mark.usefixtures("three")
def test_the_switch_is_remembered(client: Client) -> None:
    on_shelf()
    german = client.get(f"/de{SHIRT}?size=M").content.decode()
    links = dict(re.findall(r'<a href="([^"]*)" hreflang="(\w+)"', german))
    assert set(links.values()) == {"en", "de", "fr"}
    [to_english] = [link.replace("&amp;", "&") for link, code in links.items() if code == "en"]

    answer = client.get(to_english, headers=GERMAN)

    assert answer["Location"] == f"{SHIRT}?size=M"
    assert client.get(answer["Location"], headers=GERMAN).status_code == 200
    assert client.get("/", headers=GERMAN).status_code == 200
    client.get("/?language=fr")
    assert client.get(SHIRT, headers=GERMAN)["Location"] == f"/fr{SHIRT}"
    assert client.get("/de/", headers=GERMAN).status_code == 200


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("text", ["xx", "", "de/../admin", "//evil.example", "DE"])
def test_a_choice_that_is_none_is_ignored(client: Client, text: str) -> None:
    answer = client.get("/", {"language": text})

    assert answer.status_code == 200 and not answer.cookies


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "path", ["//evil.example/", "/en//evil.example/", "/\\evil.example/", "/de//evil.example"]
)
def test_no_redirect_leads_to_another_site(client: Client, path: str) -> None:
    for address in (path, f"{path}?language=fr"):
        answer = client.get(address, headers=GERMAN)
        if answer.status_code in {301, 302}:
            assert re.match(r"/[^/\\]|/$", answer["Location"]), answer["Location"]


@pytest.mark.usefixtures("three")
def test_addresses_of_the_first_language_lose_its_prefix(client: Client, settings: Settings) -> None:
    on_shelf()
    assert client.get(f"/en{SHIRT}?size=M")["Location"] == f"{SHIRT}?size=M"
    settings.SHOP_LANGUAGES = ["de", "en"]
    assert '<html lang="de">' in client.get(SHIRT).content.decode()
    assert client.get(f"/de{SHIRT}")["Location"] == SHIRT
    assert '<html lang="en">' in client.get(f"/en{SHIRT}").content.decode()


def test_the_cart_link_leads_to_the_address_of_its_language(client: Client, settings: Settings) -> None:
    for languages, address in [(["de", "en"], "/cart/"), (["en", "de"], "/de/cart/")]:
        settings.SHOP_LANGUAGES = languages
        html = client.get(address).content.decode()
        assert f'id="cart-link" href="{address}"' in html


@pytest.mark.usefixtures("three")
def test_the_admin_is_in_english(admin_client: Client, settings: Settings) -> None:
    settings.SHOP_LANGUAGES = ["de"]

    html = admin_client.get("/admin/", headers=GERMAN).content.decode()

    assert '<html lang="en' in html and "Abmelden" not in html


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("path", ["/", "/products/", "/category/clothing/", SHIRT])
def test_each_page_names_its_addresses_in_all_languages(client: Client, path: str) -> None:
    on_shelf()
    pages = [client.get(prefix + path).content.decode() for prefix in ("", "/de", "/fr")]

    found = [re.findall(r'<link rel="alternate" hreflang="([^"]*)" href="([^"]*)">', html) for html in pages]

    assert found[0] == found[1] == found[2]
    assert found[0] == [
        ("en", f"http://testserver{path}"),
        ("de", f"http://testserver/de{path}"),
        ("fr", f"http://testserver/fr{path}"),
        ("x-default", f"http://testserver{path}"),
    ]


@pytest.mark.usefixtures("three")
def test_a_filtered_list_names_no_other_addresses(client: Client) -> None:
    on_shelf()

    assert '<link rel="alternate"' not in client.get("/de/products/?q=balm").content.decode()


@pytest.mark.usefixtures("three")
def test_structured_data_and_the_canonical_address_are_of_the_language(client: Client) -> None:
    on_shelf()

    html = client.get(f"/de{SHIRT}?size=M").content.decode()

    assert f'<link rel="canonical" href="http://testserver/de{SHIRT}">' in html
    [text] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    graph: dict[str, Any] = {node["@type"]: node for node in json.loads(text)["@graph"]}
    assert graph["ProductGroup"]["url"] == f"http://testserver/de{SHIRT}"
    assert graph["BreadcrumbList"]["itemListElement"][0]["item"] == "http://testserver/de/products/"
    offer = graph["ProductGroup"]["hasVariant"][0]["offers"]
    assert offer["price"] == "25.00"


@pytest.mark.usefixtures("three")
def test_the_sitemap_has_each_product_in_each_language(client: Client) -> None:
    on_shelf()

    tree = ElementTree.fromstring(client.get("/sitemap.xml").content)

    places = [element.text for element in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert places == [f"http://testserver{prefix}{SHIRT}" for prefix in ("", "/de", "/fr")]
    links = [
        [(link.get("hreflang"), link.get("href")) for link in url.iter("{http://www.w3.org/1999/xhtml}link")]
        for url in tree
    ]
    assert links[0] == links[1] == links[2]
    assert links[0] == [
        ("en", places[0]),
        ("de", places[1]),
        ("fr", places[2]),
        ("x-default", places[0]),
    ]


@pytest.mark.usefixtures("three")
def test_a_feed_links_to_the_pages_of_its_language(client: Client) -> None:
    on_shelf(images=IMAGE)

    for prefix in ("/fr", "", "/de", "/de"):
        body = b"".join(client.get(f"{prefix}/feeds/google.xml").streaming_content)  # type: ignore[attr-defined]
        links = set(re.findall(r"<g:link>(.*?)\?size", body.decode()))
        assert links == {f"http://testserver{prefix}{SHIRT}"}


@pytest.mark.usefixtures("three")
def test_a_cached_page_costs_as_many_queries_in_each_language(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    on_shelf()
    for prefix in ("", "/de", "/fr"):
        client.get(prefix + SHIRT)
        with django_assert_num_queries(2):
            client.get(prefix + SHIRT)


@pytest.mark.usefixtures("three")
def test_robots_stay_out_of_the_carts_of_all_languages(client: Client) -> None:
    lines = client.get("/robots.txt").content.decode().splitlines()

    assert {"Disallow: /cart/", "Disallow: /de/cart/", "Disallow: /fr/checkout/"} <= set(lines)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("*", "en"), ("fr-CA", "fr"), ("it,de-CH;q=0.3,fr;q=0.2", "de"), ("de;q=0,fr", "fr")],
)
def test_the_preferred_language(header: str, language: str) -> None:
    assert preferred_language(header) == language


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize("bare", ["/", "/products/?q=a", "/de-luxe/", "/products/de/"])
def test_an_address_is_the_same_after_a_switch_there_and_back(language: str, bare: str) -> None:
    assert address_in("en", address_in(language, bare)) == bare
