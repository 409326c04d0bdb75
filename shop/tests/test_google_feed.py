"""Tests of the feed for Google Merchant Center."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from inventory.models import StockItem
from shop.feeds import catalog
from shop.models import Product, ShippingRate, Storefront
from shop.tests.factories import on_shelf, price

pytestmark = pytest.mark.django_db

NAMESPACE = "{http://base.google.com/ns/1.0}"
IMAGE = ("https://cdn.example/1.jpg",)
XML, TSV = "/feeds/google.xml", "/feeds/google.tsv"


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    assert answer.streaming
    return b"".join(answer.streaming_content).decode()


def xml_rows(client: Client) -> list[dict[str, str]]:
    channel = ElementTree.fromstring(text_of(client.get(XML))).find("channel")
    assert channel is not None
    return [
        {element.tag.removeprefix(NAMESPACE): element.text or "" for element in item}
        for item in channel.findall("item")
    ]


def tsv_rows(client: Client) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(client.get(TSV))), delimiter="\t"))


def test_each_size_is_an_item_with_its_own_price_link_and_availability(client: Client) -> None:
    on_shelf(
        description="Soft.",
        images=("https://cdn.example/1.jpg", "https://cdn.example/2.jpg"),
        prices=(price(), price("price_l", 2800, size="L")),
        stock={"S": 0, "M": 3, "L": 10},
        metadata={"category": "clothing", "sizes": "S,M,L", "colors": "Black", "gtin_L": "4006381333931"},
    )
    Storefront.objects.create(
        name="Linden",
        gender="unisex",
        age_group="adult",
        google_category="Apparel & Accessories > Clothing > Shirts & Tops",
    )

    rows = xml_rows(client)

    assert [row["availability"] for row in rows] == ["out_of_stock", "in_stock", "in_stock"]
    assert rows[2] | {"shipping": ""} == {
        "id": StockItem.objects.get(size="L").catalog_id,
        "title": "BALM T-Shirt L",
        "description": "Soft.",
        "link": "http://testserver/products/prod_balm/balm-t-shirt/?size=L",
        "image_link": "https://cdn.example/1.jpg",
        "additional_image_link": "https://cdn.example/2.jpg",
        "availability": "in_stock",
        "price": "28.00 USD",
        "brand": "Linden",
        "gtin": "4006381333931",
        "condition": "new",
        "google_product_category": "Apparel & Accessories > Clothing > Shirts & Tops",
        "product_type": "clothing",
        "item_group_id": "prod_balm",
        "size": "L",
        "color": "Black",
        "gender": "unisex",
        "age_group": "adult",
        "shipping": "",
    }
    assert rows[0]["identifier_exists"] == "no"


def test_both_forms_say_the_same(client: Client, settings: Settings) -> None:
    settings.SHIPPING_COUNTRIES = []
    on_shelf(images=IMAGE, description="One\nline & <b>more</b>")
    on_shelf("prod_mug", name="Mug \t “Big”", metadata={}, images=IMAGE)

    xml, tsv = xml_rows(client), tsv_rows(client)

    assert len(xml) == len(tsv) == 4
    for one, other in zip(xml, tsv, strict=True):
        flat = {name: " ".join(text.split()) for name, text in one.items()}
        assert flat == {name: text for name, text in other.items() if text}


def test_the_link_of_an_item_opens_the_page_with_its_size_and_price(client: Client) -> None:
    on_shelf(
        "shirts/balm 1",
        images=IMAGE,
        metadata={"sizes": "S&M,10 %", "colors": "Black"},
        prices=(price(), price("price_10", 2800, size="10 %")),
    )

    first, second = xml_rows(client)

    page = client.get(second["link"].removeprefix("http://testserver"))
    assert page.status_code == 200
    assert "$28.00" in page.content.decode().split("data-chosen-price>")[1][:60]
    item = StockItem.objects.get(size="S&M").pk
    html = client.get(first["link"].removeprefix("http://testserver")).content.decode()
    assert f'value="{item}" required\n               checked' in html


def test_shipping_is_told_per_country_and_rate(client: Client, settings: Settings) -> None:
    settings.SHIPPING_COUNTRIES, settings.SHIPPING_RATES = ["US", "DE"], ["shr_1", "shr_2"]
    for id, name, amount in (("shr_1", "Post: slow, cheap", 500), ("shr_2", "Express", 1500)):
        ShippingRate.objects.create(
            id=id, name=name, amount=amount, currency="usd", fetched_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
    on_shelf(images=IMAGE, metadata={})

    [row] = tsv_rows(client)

    assert row["shipping"] == (
        "US::Post  slow  cheap:5.00 USD,US::Express:15.00 USD,DE::Post  slow  cheap:5.00 USD,DE::Express:15.00 USD"
    )
    assert "<g:price>15.00 USD</g:price></g:shipping>" in text_of(client.get(XML))
    settings.SHIPPING_COUNTRIES = [f"{a}{b}" for a in "ABCDEFGH" for b in "ABCDEFGHIJ"]
    assert tsv_rows(client)[0]["shipping"].count(",") == 79
    settings.SHIPPING_COUNTRIES = [f"{a}{b}" for a in "ABCDEFGHIJK" for b in "ABCDEFGHIJ"]
    assert tsv_rows(client)[0]["shipping"] == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"images": ()},
        {"images": ("https://cdn.example/1.svg?v=2",)},
        {"prices": (price(unit_amount=0),)},
        {"prices": (), "default_price_id": ""},
        {"name": " "},
        {"name": "\x07<br>"},
        {"active": False},
        {"prices": (), "default_price_id": "", "metadata": {"link": "https://music.example/a"}},
    ],
)
def test_a_product_that_google_would_refuse_is_left_out(client: Client, changes: Any) -> None:
    on_shelf("prod_good", images=IMAGE)
    on_shelf("prod_bad", **({"images": IMAGE} | changes))

    assert {row["item_group_id"] for row in xml_rows(client)} == {"prod_good"}
    assert {row["item_group_id"] for row in tsv_rows(client)} == {"prod_good"}


def test_any_text_makes_a_valid_feed(client: Client) -> None:
    letters = "".join(map(chr, [*range(1, 0x20), 0x7F, 0x85, 0x2028, 0xFFFE, 0x1F600])) + "]]><&\"'"
    sizes = ",".join(f"S{number}" for number in range(50))
    on_shelf(
        name=letters + "x" * 300,
        description="<p>" + "long & <b>wide</b> " * 500 + letters,
        images=IMAGE,
        metadata={"sizes": sizes, "category": letters, "brand": letters, "mpn": letters},
    )

    rows = xml_rows(client)

    assert len(rows) == len(tsv_rows(client)) == 40
    assert all(len(row["title"]) <= 150 and row["title"].endswith(row["size"]) for row in rows)
    assert all(len(row["description"]) <= 5000 and "<b>" not in row["description"] for row in rows)
    assert len({row["id"] for row in rows}) == 40


@pytest.mark.parametrize("address", [XML, TSV])
def test_it_is_conditional_and_availability_is_of_the_moment(client: Client, address: str) -> None:
    on_shelf(images=IMAGE, stock={"S": 5, "M": 5, "L": 5})
    first = client.get(address)
    body, tag = text_of(first), first["ETag"]
    assert first["Cache-Control"] == "public, no-cache"

    def again() -> Any:
        return client.get(address, headers={"if-none-match": tag})

    assert again().status_code == 304
    StockItem.objects.filter(size="M").update(on_hand=4)
    assert again().status_code == 304  # The feed has no counts.
    StockItem.objects.filter(size="M").update(held=4)
    sold_out = again()
    assert sold_out["ETag"] != tag
    assert text_of(sold_out) == body.replace("in_stock", "out_of_stock", 2).replace(
        "out_of_stock", "in_stock", 1
    )
    StockItem.objects.filter(size="M").update(held=0)
    assert again().status_code == 304


@pytest.mark.parametrize(
    "change",
    [
        lambda: on_shelf("prod_new", images=IMAGE),
        lambda: on_shelf(
            "prod_balm", stock={}, images=IMAGE, name="New", fetched_at=datetime(2026, 2, 1, tzinfo=UTC)
        ),
        lambda: Product.objects.update(active=False),
        lambda: StockItem.objects.filter(size="S").update(is_listed=False),
        lambda: Storefront.objects.create(brand="Linden"),
    ],
)
def test_a_change_of_the_catalog_is_a_new_version(client: Client, change: Any) -> None:
    on_shelf(images=IMAGE)
    tag = client.get(XML)["ETag"]

    change()

    assert client.get(XML, headers={"if-none-match": tag}).status_code == 200


def test_chunks_leave_out_and_repeat_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(catalog, "CHUNK", 3)
    for number in range(7):
        on_shelf(f"prod_{number}", images=IMAGE)
    client.get(XML)

    with django_assert_num_queries(
        3 + 2 * 3 + 1 + 3
    ):  # storefront and version, then two per chunk until it is empty, and once more storefront and version
        rows = xml_rows(client)

    assert len(rows) == len({row["id"] for row in rows}) == 21


def test_a_shop_that_cannot_sell_has_no_feed(client: Client, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""

    assert client.get(XML).status_code == 503


def test_head_and_other_methods(client: Client) -> None:
    on_shelf(images=IMAGE)

    assert client.head(XML)["ETag"] == client.get(XML)["ETag"]
    assert client.head(XML).content == b""
    assert client.post(XML).status_code == 405


def test_a_feed_is_kept_until_something_changes(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    on_shelf(images=IMAGE, stock={"S": 5, "M": 5, "L": 5})
    first = text_of(client.get(XML))

    with django_assert_num_queries(3):  # storefront and version
        assert text_of(client.get(XML)) == first
    packed = client.get(XML, headers={"accept-encoding": "gzip"})
    assert gzip.decompress(packed.content).decode() == first and packed["Content-Encoding"] == "gzip"
    StockItem.objects.filter(size="M").update(held=5)
    assert text_of(client.get(XML)).count("out_of_stock") == 1


def test_a_feed_that_was_outdated_while_it_was_sent_is_not_kept(client: Client) -> None:
    on_shelf(images=IMAGE, stock={"S": 5, "M": 5, "L": 5})
    pieces = iter(client.get(XML).streaming_content)  # type: ignore[attr-defined]
    next(pieces)
    StockItem.objects.filter(size="M").update(held=5)
    b"".join(pieces)
    StockItem.objects.filter(size="M").update(held=0)

    assert "out_of_stock" not in text_of(client.get(XML))


def test_the_label_of_a_return_policy_is_passed_on(client: Client) -> None:
    on_shelf(images=IMAGE, metadata={"return_policy_label": "sale"})

    assert [row["return_policy_label"] for row in xml_rows(client)] == ["sale"]
