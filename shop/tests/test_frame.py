"""What stands around every page: its stylesheets, the menu that shows where one is, and the pages of last resort."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation

from shop.models import Product
from shop.tests.shelf import on_shelf

pytestmark = pytest.mark.django_db

SHIRT = "/products/prod_balm/balm-t-shirt/"


@pytest.mark.parametrize("path", ["/", "/products/", SHIRT, "/cart/", "/checkout/cancelled/", "/never/"])
def test_a_page_links_each_stylesheet_once_and_before_anything_is_drawn(client: Client, path: str) -> None:
    on_shelf()

    head, body = client.get(path).content.decode().split("</head>")

    assert re.findall(r'rel="stylesheet" href="([^"]*)"', head) == [
        "/static/shop/shop.css",
        "/static/checkout/checkout.css",
    ]
    assert "stylesheet" not in body


@pytest.mark.parametrize("template", ["400.html", "403_csrf.html", "500.html"])
def test_a_page_of_last_resort_needs_no_context_and_no_database_and_names_its_language(
    template: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0), translation.override("de"):
        html = render_to_string(template)

    assert '<html lang="de">' in html
    assert len(re.findall(r"<title>[^<]+</title>|<h1>[^<]+</h1>", html)) == 2


def test_a_page_that_fails_is_answered_with_one_of_last_resort(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.raise_request_exception = False
    monkeypatch.setattr("shop.views.read_list", lambda *_args: 1 / 0)

    answer = client.get("/")

    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/products/", SHIRT])
def test_a_product_without_a_picture_shows_its_first_letter(client: Client, path: str) -> None:
    on_shelf()
    assert '<span class="tile__letter" aria-hidden="true">B</span>' in client.get(path).content.decode()

    Product.objects.update(images=["https://cdn.example/1.jpg"])

    html = client.get(path).content.decode()
    [size] = re.findall(r'<img src="https://cdn.example/1.jpg" alt="[^"]*" width="(\d+)" height="\1"', html)
    assert int(size) >= 640 and "tile__letter" not in html


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/", []),
        ("/products/", [("/products/", "page")]),
        ("/category/clothing/", [("/category/clothing/", "page")]),
        (SHIRT, [("/category/clothing/", "true")]),
        ("/never/", []),
    ],
)
def test_the_menu_tells_the_page_one_is_on_from_the_category_that_it_is_in(
    client: Client, path: str, here: list[tuple[str, str]]
) -> None:
    on_shelf()
    on_shelf("prod_zine", name="Zine", metadata={"category": "zines"})

    html = client.get(path).content.decode()

    assert re.findall(r'<a href="([^"]*)" aria-current="(\w+)"', html) == here
