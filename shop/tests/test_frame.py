"""What stands around every page: its stylesheets, the menu that shows where one is, and the pages of last resort."""

from __future__ import annotations

import re

import pytest
from django.test import Client

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
