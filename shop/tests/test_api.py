"""Tests of the JSON API."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from inventory.models import StockItem
from shop import api, views
from shop.models import Product, SizeGuide, Storefront
from shop.tests.factories import on_shelf, price

pytestmark = pytest.mark.django_db

DETAILS = "2.9 oz fabric\n100 % polyester"


def test_a_product_has_the_documented_fields(client: Client) -> None:
    SizeGuide.objects.create(name="Shirts", lines="S 27 1/2, 21 1/2, 34")
    on_shelf(
        description="A shirt.",
        metadata={
            "category": "clothing",
            "sizes": "S,M",
            "colors": "Black, White",
            "details": DETAILS,
            "cost": "4.10",
        },
        images=("https://cdn.example/1.jpg", "https://cdn.example/2.jpg"),
        stock={"S": 10, "M": 0},
        prices=(price(), price("price_m", 2800, size="M")),
    )

    answer = client.get("/api/products/")

    assert answer.json() == {
        "products": [
            {
                "id": "prod_balm",
                "stripeProductId": "prod_balm",
                "stripePriceId": "price_std",
                "title": "BALM T-Shirt",
                "price": 25.0,
                "currency": "usd",
                "prices": {"S": "25.00", "M": "28.00"},
                "url": "http://testserver/products/prod_balm/balm-t-shirt/",
                "description": "A shirt.",
                "image": "https://cdn.example/1.jpg",
                "images": ["https://cdn.example/1.jpg", "https://cdn.example/2.jpg"],
                "mainCategory": "clothing",
                "sizes": ["S", "M"],
                "colors": ["Black", "White"],
                "details": DETAILS,
                "inventory": {"S": 10, "M": 0},
                "sizeChart": {"S": {"bodyLength": "27 1/2", "chestWidth": "21 1/2", "sleeveLength": "34"}},
                "metadata": {
                    "category": "clothing",
                    "sizes": "S,M",
                    "colors": "Black, White",
                    "details": DETAILS,
                },
            }
        ]
    }


def test_inventory_leaves_out_held_units_and_is_zero_if_unknown_and_null_if_not_counted(
    client: Client,
) -> None:
    on_shelf(stock={"S": 5, "M": None, "L": -1})
    StockItem.objects.filter(size="S").update(held=2)

    assert client.get("/api/products/").json()["products"][0]["inventory"] == {"S": 3, "M": 0, "L": None}


def test_hidden_counts_are_replaced_by_lower_bounds(
    client: Client,
) -> None:
    Storefront.objects.create(show_counts=False)
    on_shelf(stock={"S": 3, "M": 40, "L": -1})

    [product] = client.get("/api/products/").json()["products"]

    assert product["inventory"] == {"S": 1, "M": 6, "L": None}


def test_origin_fault_15_a_price_in_yen_is_not_divided(client: Client, settings: Settings) -> None:
    settings.SHOP_CURRENCY = "jpy"
    on_shelf(prices=(price(currency="jpy", unit_amount=2500),))

    assert client.get("/api/products/").json()["products"][0]["price"] == 2500


@pytest.mark.parametrize(
    ("currency", "amount", "text"),
    [("isk", 250000, "2500"), ("ugx", 250000, "2500"), ("mga", 2500, "2500.00")],
)
def test_prices_are_text_with_the_decimals_of_iso_4217(
    client: Client, settings: Settings, currency: str, amount: int, text: str
) -> None:
    settings.SHOP_CURRENCY = currency
    on_shelf(metadata={}, prices=(price(currency=currency, unit_amount=amount),))

    assert client.get("/api/products/").json()["products"][0]["prices"] == {"stock": text}


def test_a_size_without_a_price_has_null(client: Client) -> None:
    on_shelf(metadata={"sizes": "S,M"}, prices=(price("price_s", size="S"),), default_price_id="")

    assert client.get("/api/products/").json()["products"][0]["prices"] == {"S": "25.00", "M": None}


def test_origin_fault_18_sizes_and_their_chart_come_from_the_product_not_from_its_id(client: Client) -> None:
    # A product has different ids in test mode and live mode.
    SizeGuide.objects.create(name="Shirts", category="clothing", lines="S 27 1/2, 21 1/2, 34")
    for id in ("prod_test_mode", "prod_live_mode"):
        on_shelf(id, images=("https://cdn.example/balm.jpg",))

    one, other = client.get("/api/products/").json()["products"]

    assert one["sizeChart"] == {"S": {"bodyLength": "27 1/2", "chestWidth": "21 1/2", "sleeveLength": "34"}}
    assert [one[name] for name in ("sizeChart", "sizes", "images")] == [
        other[name] for name in ("sizeChart", "sizes", "images")
    ]


def test_origin_fault_14_stock_is_never_kept_by_a_cache(client: Client) -> None:
    product = on_shelf(stock={"S": 5})
    client.get("/api/products/")

    StockItem.objects.filter(product=product).update(on_hand=4)
    answer = client.get("/api/products/")

    assert answer["Cache-Control"] == "no-store"
    assert answer.json()["products"][0]["inventory"]["S"] == 4


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_return_405_without_a_csrf_token(method: str) -> None:
    program = Client(enforce_csrf_checks=True)

    assert getattr(program, method)("/api/products/").status_code == 405


def test_without_a_stripe_key_it_returns_503_and_no_products(client: Client, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""
    on_shelf()

    answer = client.get("/api/products/")

    assert (answer.status_code, answer.json()) == (503, {"products": []})
    assert answer["Cache-Control"] == "no-store"


def test_the_number_of_queries_does_not_depend_on_the_number_of_products(
    client: Client, django_assert_max_num_queries: object
) -> None:
    for number in range(12):
        on_shelf(f"prod_{number}")
    client.get("/api/products/")  # Django checks the features of a new database once.

    with django_assert_max_num_queries(3):  # type: ignore[operator]
        assert len(client.get("/api/products/").json()["products"]) == 12


def test_an_unchanged_catalog_is_not_sent_again(client: Client) -> None:
    on_shelf(stock={"S": 5})
    etag = client.get("/api/products/")["ETag"]

    again = client.get("/api/products/", headers={"If-None-Match": etag})

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)


@pytest.mark.parametrize(
    "change",
    [
        lambda: StockItem.objects.update(held=1),
        lambda: StockItem.objects.update(is_listed=False),
        lambda: Product.objects.update(name="Another"),
        lambda: Product.objects.update(active=False),
        lambda: SizeGuide.objects.create(name="Shirts", lines="S 27, 21, 34"),
        lambda: Storefront.objects.update(show_counts=False),
        lambda: on_shelf("prod_new"),
    ],
)
def test_every_change_is_another_version(client: Client, change: Callable[[], object]) -> None:
    Storefront.objects.create(show_counts=True)
    on_shelf(stock={"S": 5})
    before = client.get("/api/products/")
    assert client.get("/api/products/")["ETag"] == before["ETag"]

    change()

    after = client.get("/api/products/", headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200 and after["ETag"] != before["ETag"]


@pytest.mark.parametrize("most", [0, 10**9])
def test_compressed_and_plain_answers_are_the_same(
    client: Client, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_WHOLE_ANSWER", most)
    for number in range(150):
        on_shelf(f"prod_{number}")

    compressed = client.get("/api/products/", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/api/products/")

    body = plain.getvalue()
    assert compressed["Content-Encoding"] == "gzip" and plain.streaming is (most == 0)
    assert gzip.decompress(compressed.content) == body
    assert len(json.loads(body)["products"]) == 150


def test_the_catalog_is_built_once_per_version(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    on_shelf()
    client.get("/api/products/")
    monkeypatch.setattr(api, "product_to_json", None)  # Would fail.

    assert client.get("/api/products/").status_code == 200
