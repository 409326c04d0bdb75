"""What each channel says of each size at one moment: pages, structured data, JSON catalog and feeds."""

from __future__ import annotations

import json
import re
from html import unescape
from xml.etree import ElementTree

from django.test import Client

from inventory.models import StockItem
from shop.models import Product

Said = dict[tuple[str, str], tuple[bool, str]]  # (product, size) to (can be bought, price)

G = "{http://base.google.com/ns/1.0}"


def said_by_each(client: Client) -> dict[str, Said]:
    """Only sizes with a price, because structured data and feeds leave out the others."""
    catalog = client.get("/api/products/").json()["products"]
    by_page: Said = {}
    by_address: Said = {}
    by_data: Said = {}
    for product in catalog:
        path = product["url"].removeprefix("http://testserver")
        html = client.get(path).content.decode()
        by_page |= _page(product["id"], html)
        by_data |= _structured_data(product["id"], html)
        for size in product["sizes"]:
            chosen = client.get(path, {"size": size}).content.decode()
            _available, text = _page(product["id"], chosen)[product["id"], size]
            by_address[product["id"], size] = (bool(re.search(r'name="item"[^>]*\schecked', chosen)), text)
    by_json = {
        (product["id"], "" if size == "stock" else size): (product["inventory"][size] != 0, text)
        for product in catalog
        for size, text in product["prices"].items()
        if text
    }
    return {
        "page": by_page,
        "page of the size": by_address | {key: said for key, said in by_page.items() if not key[1]},
        "structured data": by_data,
        "JSON catalog": by_json,
        "Google feed": _google_feed(client),
    }


def assert_channels_agree(client: Client) -> Said:
    """All channels say the same of each size. Returns what they say."""
    said = said_by_each(client)
    first = said["page"]
    for channel, other in said.items():
        assert other == first, f"{channel} and page differ: {set(other.items()) ^ set(first.items())}"
    return first


def _page(product_id: str, html: str) -> Said:
    picker = html.split('<div id="size-picker">')[1].split('id="add-to-cart"')[0]
    prices = [f"{price}" for price in re.findall(r'class="price">[^<]*?([\d.,]+)\s*<', html)]
    if 'type="radio" name="item"' not in picker:
        return {(product_id, ""): ('type="hidden" name="item"' in picker and 'form="buy"' in html, prices[0])}
    said: Said = {}
    for label in picker.split('<label class="choice" data-max')[1:]:
        [size] = re.findall(r'class="choice__name">([^<]*)<', label)
        if price := re.search(r'data-price="[^"\d]*([\d.,]+)', label):
            said[product_id, unescape(size)] = (" disabled" not in label.split("</label>")[0], price[1])
    return said


def _structured_data(product_id: str, html: str) -> Said:
    [text] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    said: Said = {}
    for node in json.loads(text)["@graph"]:
        for variant in node.get("hasVariant", [node] if node["@type"] == "Product" else []):
            available = not variant["offers"]["availability"].endswith("/OutOfStock")
            said[product_id, variant.get("size", "")] = (available, variant["offers"]["price"])
    return said


def _google_feed(client: Client) -> Said:
    keys = {item.catalog_id: (item.product_id, item.size) for item in StockItem.objects.all()}
    body = b"".join(client.get("/feeds/google.xml").streaming_content)  # type: ignore[attr-defined]
    said: Said = {}
    for item in ElementTree.fromstring(body).iter("item"):
        facts = {element.tag.removeprefix(G): element.text or "" for element in item}
        said[keys[facts["id"]]] = (facts["availability"] == "in_stock", facts["price"].split(" ")[0])
    return said


def give_images() -> None:
    """Products without an image are not in the feeds."""
    Product.objects.filter(images=[]).update(images=["https://cdn.example/1.jpg"])
