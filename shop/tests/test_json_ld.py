"""Tests of structured data and link previews."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from inventory.models import StockItem
from shop.models import Product, ShippingRate, Storefront
from shop.tests.factories import on_shelf, price

pytestmark = pytest.mark.django_db


def graph_on(client: Client, address: str) -> dict[str, Any]:
    """The nodes of the page's structured data, by type."""
    html = client.get(address).content.decode()
    [text] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    document = json.loads(text)
    assert document["@context"] == "https://schema.org"
    return {node["@type"]: node for node in document["@graph"]}


def offers_of(group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {variant["size"]: variant["offers"] for variant in group["hasVariant"]}


def test_a_product_with_sizes_is_a_group_with_an_offer_for_each(client: Client, settings: Settings) -> None:
    settings.SHIPPING_COUNTRIES = []
    product = on_shelf(
        prices=(price(), price("price_l", 2800, size="L")),
        images=("https://cdn.example/1.jpg", "https://cdn.example/2.jpg"),
        stock={"S": 0, "M": 3, "L": 10},
    )

    group = graph_on(client, product.get_absolute_url())["ProductGroup"]

    page = "http://testserver/products/prod_balm/balm-t-shirt/"
    assert group["name"] == "BALM T-Shirt"
    assert group["productGroupID"] == "prod_balm"
    assert group["variesBy"] == ["https://schema.org/size"]
    assert group["url"] == page
    assert group["brand"] == {"@type": "Brand", "name": "Our Shop"}
    small, medium, large = group["hasVariant"]
    assert [small["size"], medium["size"], large["size"]] == ["S", "M", "L"]
    assert large["name"] == "BALM T-Shirt L"
    assert large["sku"] == StockItem.objects.get(size="L").catalog_id
    assert large["image"] == ["https://cdn.example/1.jpg"]
    assert large["offers"] == {
        "@type": "Offer",
        "url": f"{page}?size=L",
        "price": "28.00",
        "priceCurrency": "USD",
        "availability": "https://schema.org/InStock",
        "itemCondition": "https://schema.org/NewCondition",
    }
    assert medium["offers"]["availability"] == "https://schema.org/LimitedAvailability"
    assert small["offers"]["availability"] == "https://schema.org/OutOfStock"
    assert medium["offers"]["price"] == "25.00"


def test_a_product_without_sizes_is_one_product_with_one_offer(client: Client) -> None:
    product = on_shelf(metadata={"gtin": "4006381333931", "mpn": "B-1"}, stock={"": 9})

    graph = graph_on(client, product.get_absolute_url())

    assert "ProductGroup" not in graph
    assert graph["Product"]["offers"]["price"] == "25.00"
    assert graph["Product"]["offers"]["url"] == "http://testserver/products/prod_balm/balm-t-shirt/"
    assert graph["Product"]["gtin"] == "4006381333931"
    assert graph["Product"]["mpn"] == "B-1"


@pytest.mark.parametrize(
    "metadata", [{"category": "art"}, {"sizes": "S,M"}, {"link": "https://music.example/a"}]
)
def test_a_product_without_a_price_is_not_told_as_a_product(client: Client, metadata: Any) -> None:
    # Search engines report a product without offers as an error.
    product = on_shelf(metadata=metadata, prices=(), default_price_id="", stock={})

    graph = graph_on(client, product.get_absolute_url())

    assert set(graph) == {"BreadcrumbList"}


def test_a_size_without_a_price_is_left_out(client: Client) -> None:
    product = on_shelf(prices=(price("price_l", 2800, size="L"),), default_price_id="")

    group = graph_on(client, product.get_absolute_url())["ProductGroup"]

    assert list(offers_of(group)) == ["L"]


def test_availability_follows_each_sale_and_hold_and_is_never_a_count(client: Client) -> None:
    product = on_shelf(stock={"S": 7777, "M": 7777, "L": -1})
    address = product.get_absolute_url()

    def availability(size: str) -> str:
        offers = offers_of(graph_on(client, address)["ProductGroup"])
        return str(offers[size]["availability"]).removeprefix("https://schema.org/")

    assert [availability(size) for size in "SML"] == ["InStock"] * 3
    StockItem.objects.filter(size="S").update(held=7777)
    StockItem.objects.filter(size="M").update(on_hand=2)
    assert [availability(size) for size in "SML"] == ["OutOfStock", "LimitedAvailability", "InStock"]
    assert "7777" not in json.dumps(graph_on(client, address))


def test_several_colors_are_not_the_color_of_one_product(client: Client) -> None:
    one = on_shelf("prod_one", metadata={"sizes": "S", "colors": "Black"})
    two = on_shelf("prod_two", metadata={"sizes": "S", "colors": "Black,White"})

    assert graph_on(client, one.get_absolute_url())["ProductGroup"]["color"] == "Black"
    assert "color" not in json.dumps(graph_on(client, two.get_absolute_url()))


@pytest.mark.parametrize(
    ("currency", "amount", "text"),
    [("jpy", 2500, "2500"), ("isk", 250000, "2500"), ("mga", 2500, "2500.00"), ("kwd", 2500, "2.500")],
)
def test_prices_have_the_decimals_of_their_currency(
    client: Client, settings: Settings, currency: str, amount: int, text: str
) -> None:
    settings.SHOP_CURRENCY = currency
    product = on_shelf(metadata={}, prices=(price(currency=currency, unit_amount=amount),))

    offer = graph_on(client, product.get_absolute_url())["Product"]["offers"]

    assert (offer["price"], offer["priceCurrency"]) == (text, currency.upper())


def test_brand_audience_and_condition_come_from_metadata_or_the_storefront(client: Client) -> None:
    Storefront.objects.create(brand="Linden", gender="unisex", age_group="adult")
    own = on_shelf("prod_own", metadata={"brand": "Guest", "gender": "Female", "condition": "used"})
    other = on_shelf("prod_other", metadata={})

    guest = graph_on(client, own.get_absolute_url())["Product"]
    linden = graph_on(client, other.get_absolute_url())["Product"]

    assert guest["brand"]["name"] == "Guest"
    assert guest["audience"]["suggestedGender"] == "Female"
    assert guest["offers"]["itemCondition"] == "https://schema.org/UsedCondition"
    assert linden["brand"]["name"] == "Linden"
    assert linden["audience"]["suggestedAge"]["minValue"] == 13


def test_shipping_and_returns_are_told_once_and_only_if_they_are_set(
    client: Client, settings: Settings
) -> None:
    product = on_shelf()
    settings.SHIPPING_COUNTRIES = []
    assert set(graph_on(client, product.get_absolute_url())) == {"ProductGroup", "BreadcrumbList"}

    settings.SHIPPING_COUNTRIES, settings.SHIPPING_RATES = ["US", "CA"], ["shr_1", "shr_2"]
    for id, amount, days in (("shr_1", 900, [1, 2]), ("shr_2", 500, [3, None]), ("shr_old", 1, [])):
        ShippingRate.objects.create(
            id=id,
            name=id,
            amount=amount,
            currency="usd",
            delivery_days=days,
            fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
    Storefront.objects.create(return_days=30, free_returns=True)
    graph = graph_on(client, product.get_absolute_url())

    shipping, returns = graph["OfferShippingDetails"], graph["MerchantReturnPolicy"]
    assert shipping["shippingRate"] == {"@type": "MonetaryAmount", "value": "5.00", "currency": "USD"}
    assert [region["addressCountry"] for region in shipping["shippingDestination"]] == ["US", "CA"]
    transit = {"@type": "QuantitativeValue", "minValue": 3, "unitCode": "DAY"}
    assert shipping["deliveryTime"] == {"@type": "ShippingDeliveryTime", "transitTime": transit}
    assert returns["applicableCountry"] == ["US", "CA"]
    assert (returns["merchantReturnDays"], returns["returnFees"]) == (30, "https://schema.org/FreeReturn")
    for offer in offers_of(graph["ProductGroup"]).values():
        assert offer["shippingDetails"] == {"@id": shipping["@id"]}
        assert offer["hasMerchantReturnPolicy"] == {"@id": returns["@id"]}


def test_shipping_without_a_time_of_delivery_is_not_told(client: Client, settings: Settings) -> None:
    """Google requires a time wherever shipping is told."""
    settings.SHIPPING_COUNTRIES, settings.SHIPPING_RATES = ["US"], ["shr_1"]
    product = on_shelf()
    rate = ShippingRate(
        id="shr_1", name="Post", amount=500, currency="usd", fetched_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    rate.save()

    graph = graph_on(client, product.get_absolute_url())

    assert "OfferShippingDetails" not in graph
    assert "shippingDetails" not in offers_of(graph["ProductGroup"])["S"]


def test_a_product_may_have_days_for_returns_of_its_own(client: Client) -> None:
    Storefront.objects.create(return_days=30)
    product = on_shelf(metadata={"return_days": "0"})

    returns = graph_on(client, product.get_absolute_url())["MerchantReturnPolicy"]

    assert returns["returnPolicyCategory"] == "https://schema.org/MerchantReturnNotPermitted"


def test_a_shipping_rate_that_is_not_known_yet_is_not_told_as_free(
    client: Client, settings: Settings
) -> None:
    settings.SHIPPING_COUNTRIES, settings.SHIPPING_RATES = ["US"], ["shr_1"]
    product = on_shelf()

    assert "OfferShippingDetails" not in graph_on(client, product.get_absolute_url())


def test_breadcrumbs_lead_to_the_product(client: Client) -> None:
    product = on_shelf()

    steps = graph_on(client, product.get_absolute_url())["BreadcrumbList"]["itemListElement"]

    assert [(step["position"], step["name"]) for step in steps] == [
        (1, "All products"),
        (2, "Clothing"),
        (3, "BALM T-Shirt"),
    ]
    for step in steps:
        assert client.get(step["item"].removeprefix("http://testserver")).status_code == 200


def test_the_home_page_tells_who_the_shop_is(client: Client, settings: Settings) -> None:
    settings.SHIPPING_COUNTRIES = ["US"]
    Storefront.objects.create(
        name="Linden", logo="https://cdn.example/logo.png", tagline="Shirts", return_days=0
    )

    shop = graph_on(client, "/")["OnlineStore"]

    assert (shop["name"], shop["logo"]) == ("Linden", "https://cdn.example/logo.png")
    assert shop["url"] == "http://testserver/"
    assert shop["hasMerchantReturnPolicy"]["returnPolicyCategory"].endswith("MerchantReturnNotPermitted")


def test_text_from_stripe_cannot_close_the_element(client: Client) -> None:
    product = on_shelf(name="</script><script>alert(1)</script>", description="<!-- &amp;")

    group = graph_on(client, product.get_absolute_url())["ProductGroup"]

    assert group["name"] == "</script><script>alert(1)</script>"
    assert group["description"] == "<!-- &amp;"


def test_a_product_id_with_a_slash_has_a_plain_group_id(client: Client) -> None:
    product = on_shelf("shirts/balm é")

    group = graph_on(client, product.get_absolute_url())["ProductGroup"]

    assert re.fullmatch(r"[a-z2-7]{26}", group["productGroupID"])
    assert client.get(group["url"].removeprefix("http://testserver")).status_code == 200


def test_a_shared_link_shows_name_and_image(client: Client) -> None:
    product = on_shelf(images=("https://cdn.example/1.jpg",), description="Soft.")

    html = client.get(product.get_absolute_url()).content.decode()

    assert '<meta property="og:title" content="BALM T-Shirt">' in html
    assert '<meta property="og:image" content="https://cdn.example/1.jpg">' in html
    assert '<meta property="og:image:alt" content="BALM T-Shirt">' in html
    assert '<link rel="canonical" href="http://testserver/products/prod_balm/balm-t-shirt/">' in html


def test_an_image_of_the_home_page_has_an_alternative_text(client: Client) -> None:
    on_shelf(images=("https://cdn.example/1.jpg",), metadata={"featured": "yes"})

    assert '<meta property="og:image:alt" content="BALM T-Shirt">' in client.get("/").content.decode()
    assert (
        '<meta property="og:image:alt" content="BALM T-Shirt">' in client.get("/products/").content.decode()
    )


def test_structured_data_follows_a_change_of_the_product(client: Client) -> None:
    product = on_shelf()
    graph_on(client, product.get_absolute_url())

    Product.objects.update(metadata={"brand": "Guest"})

    assert graph_on(client, product.get_absolute_url())["ProductGroup"]["brand"]["name"] == "Guest"
