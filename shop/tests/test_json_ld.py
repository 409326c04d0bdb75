"""Tests of JSON-LD and link previews of products."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from inventory.models import StockItem
from shop.tests.factories import on_shelf, price

pytestmark = pytest.mark.django_db


def facts_on(client: Client, address: str) -> dict[str, object]:
    html = client.get(address).content.decode()
    match = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    assert match
    return dict(json.loads(match[1]))


def test_json_ld_has_name_price_and_images(client: Client) -> None:
    product = on_shelf(images=("https://cdn.example/1.jpg",))

    facts = facts_on(client, product.get_absolute_url())

    assert facts["name"] == "BALM T-Shirt"
    assert facts["image"] == ["https://cdn.example/1.jpg"]
    assert facts["url"] == "http://testserver/products/prod_balm/balm-t-shirt/"
    assert facts["offers"] == {"@type": "Offer", "price": "25.00", "priceCurrency": "USD"}


def test_different_prices_are_a_range(client: Client) -> None:
    product = on_shelf(prices=(price(), price("price_l", 2800, size="L")))

    assert facts_on(client, product.get_absolute_url())["offers"] == {
        "@type": "AggregateOffer",
        "lowPrice": "25.00",
        "highPrice": "28.00",
        "priceCurrency": "USD",
    }


def test_json_ld_never_contains_stock_because_it_is_cached_for_days(client: Client) -> None:
    product = on_shelf()
    before = facts_on(client, product.get_absolute_url())

    StockItem.objects.update(on_hand=0)

    assert facts_on(client, product.get_absolute_url()) == before
    assert "availability" not in json.dumps(before)


def test_text_from_stripe_cannot_close_the_element(client: Client) -> None:
    product = on_shelf(name="</script><script>alert(1)</script>", description="<!-- &amp;")

    facts = facts_on(client, product.get_absolute_url())

    assert facts["name"] == "</script><script>alert(1)</script>"
    assert facts["description"] == "<!-- &amp;"


def test_a_shared_link_shows_name_and_image(client: Client) -> None:
    product = on_shelf(images=("https://cdn.example/1.jpg",), description="Soft.")

    html = client.get(product.get_absolute_url()).content.decode()

    assert '<meta property="og:title" content="BALM T-Shirt">' in html
    assert '<meta property="og:image" content="https://cdn.example/1.jpg">' in html
    assert '<link rel="canonical" href="http://testserver/products/prod_balm/balm-t-shirt/">' in html
