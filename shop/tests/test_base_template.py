"""Tests of what pages have in common: stylesheets, the menu, and the error pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation

from shop.models import Product
from shop.tests.factories import on_shelf

pytestmark = pytest.mark.django_db

SHIRT = "/products/prod_balm/balm-t-shirt/"


@pytest.mark.parametrize("path", ["/", "/products/", SHIRT, "/cart/", "/checkout/cancelled/", "/never/"])
def test_each_stylesheet_is_linked_once_and_in_the_head(client: Client, path: str) -> None:
    on_shelf()

    head, body = client.get(path).content.decode().split("</head>")

    assert re.findall(r'rel="stylesheet" href="([^"]*)"', head) == [
        "/static/shop/shop.css",
        "/static/checkout/checkout.css",
    ]
    assert "stylesheet" not in body


@pytest.mark.parametrize("template", ["400.html", "403_csrf.html", "500.html"])
def test_an_error_page_needs_neither_context_nor_database(
    template: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0), translation.override("de"):
        html = render_to_string(template)

    assert '<html lang="de">' in html
    assert len(re.findall(r"<title>[^<]+</title>|<h1>[^<]+</h1>", html)) == 2


def test_an_exception_renders_the_error_page(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.raise_request_exception = False
    monkeypatch.setattr("shop.views.fetch_list", lambda *_args: 1 / 0)

    answer = client.get("/")

    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/products/", SHIRT])
def test_a_product_without_an_image_shows_its_first_letter(client: Client, path: str) -> None:
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
def test_the_menu_marks_the_current_page_or_the_category_of_the_product(
    client: Client, path: str, here: list[tuple[str, str]]
) -> None:
    on_shelf()
    on_shelf("prod_zine", name="Zine", metadata={"category": "zines"})

    html = client.get(path).content.decode()

    assert re.findall(r'<a href="([^"]*)"\s+aria-current="(\w+)"', html) == here
