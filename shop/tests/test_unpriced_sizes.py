"""Tests of sizes without a usable price: they are shown, but cannot be chosen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from shop.tests.factories import on_shelf, price

pytestmark = pytest.mark.django_db

SMALL, LARGE = price("price_s", 2500, size="S"), price("price_l", 2800, size="L")
ARCHIVED = price("price_m", 2600, size="M", active=False)
IN_EUROS = price(currency="eur")

PLACES = ["/products/prod_balm/balm-t-shirt/", "/stock/prod_balm/"]


def sizes_of(html: str) -> dict[str, tuple[str, bool]]:
    """Map each size to its price and whether it can be chosen."""
    label = r'data-size="Size (\w)"\s*(?:data-price="([^"]*)")?>.*?required\s*(disabled)?>'
    return {size: (price, not disabled) for size, price, disabled in re.findall(label, html, re.DOTALL)}


@pytest.mark.parametrize("path", PLACES)
def test_a_size_whose_price_was_archived_cannot_be_chosen_beside_others_that_can(
    client: Client, path: str
) -> None:
    on_shelf(prices=(SMALL, ARCHIVED, LARGE), default_price_id="")

    answer = client.get(path)

    assert answer.status_code == 200
    assert sizes_of(answer.content.decode()) == {
        "S": ("$25.00", True),
        "M": ("", False),
        "L": ("$28.00", True),
    }


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize(
    "changes",
    [{"prices": (), "default_price_id": ""}, {"prices": (ARCHIVED,)}, {"prices": (IN_EUROS,)}],
    ids=["no price", "an archived one", "a default price in another currency"],
)
def test_a_product_without_usable_prices_is_shown_without_prices(
    client: Client, path: str, changes: Any
) -> None:
    on_shelf(**changes)

    answer = client.get(path)

    assert answer.status_code == 200
    assert sizes_of(answer.content.decode()) == dict.fromkeys("SML", ("", False))
    assert "Not for sale at the moment" in answer.content.decode()


def test_a_size_with_a_price_of_its_own_keeps_it_where_the_default_price_is_in_another_currency(
    client: Client,
) -> None:
    on_shelf(prices=(IN_EUROS, LARGE))

    answer = client.get(PLACES[0])

    assert sizes_of(answer.content.decode()) == {"S": ("", False), "M": ("", False), "L": ("$28.00", True)}


@pytest.mark.parametrize("path", ["/", "/products/", "/category/clothing/", "/api/products/"])
def test_lists_show_products_without_prices(client: Client, path: str) -> None:
    on_shelf("prod_none", prices=(), default_price_id="")
    on_shelf("prod_some", prices=(SMALL, ARCHIVED), default_price_id="")
    on_shelf("prod_euros", prices=(IN_EUROS,))

    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.content.decode().count("BALM T-Shirt") >= 3
