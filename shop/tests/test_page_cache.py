"""Tests of the page cache: pages are never stale, and never contain another visitor's data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from django.test import Client
from pytest_django import Settings

from inventory.models import StockItem
from shop.filters import ProductFilter
from shop.models import Product, SizeGuide, Storefront
from shop.page_cache import fetch_list, fragments
from shop.tests.factories import on_shelf

pytestmark = pytest.mark.django_db

PAGES = ["/", "/products/", "/products/prod_balm/balm-t-shirt/"]


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    fragments.clear()
    yield
    fragments.clear()


def in_cart(client: Client, units: int) -> None:
    item = StockItem.objects.get(size="M")
    client.post("/cart/add/", {"item": item.pk, "color": "Black", "quantity": units})


def token_on(client: Client) -> str:
    match = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(PAGES[2]).content.decode())
    assert match
    return match[1]


def test_a_fragment_is_rendered_once_per_key(client: Client) -> None:
    rendered: list[int] = []

    def render() -> str:
        rendered.append(1)
        return "three left"

    for _visit in range(3):
        assert fragments.cached_render(("shirt", 3), render) == "three left"

    assert len(rendered) == 1


def test_the_least_recently_used_fragment_is_evicted() -> None:
    for number in range(fragments.MAX_FRAGMENTS + 1):
        fragments.cached_render(number, lambda: "old")

    assert fragments.cached_render(0, lambda: "new") == "new"
    assert fragments.cached_render(fragments.MAX_FRAGMENTS, lambda: "new") == "old"


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda: StockItem.objects.filter(size="M").update(on_hand=2), "only 2 left"),
        (lambda: StockItem.objects.filter(size="M").update(held=10), "reserved"),
        (lambda: StockItem.objects.filter(size="M").update(state="unknown"), "not for sale"),
        (lambda: StockItem.objects.filter(size="M").update(is_listed=False), "not for sale"),
        (lambda: Product.objects.update(lowest_amount=1234), "$12.34"),
        (lambda: Product.objects.update(details="Softer"), "Softer"),
        (
            lambda: Product.objects.update(images=["https://cdn.example/new.jpg"]),
            "https://cdn.example/new.jpg",
        ),
        (lambda: SizeGuide.objects.create(name="New guide", lines="S 1, 2, 3"), "New guide"),
        (lambda: Storefront.objects.create(announcement="Closed today"), "Closed today"),
        (lambda: on_shelf("prod_mug", metadata={"category": "mugs"}), "Mugs"),
    ],
)
def test_changes_are_shown_immediately(client: Client, change: Callable[[], object], shown: str) -> None:
    on_shelf()
    assert shown not in client.get(PAGES[2]).content.decode()

    change()

    assert shown in client.get(PAGES[2]).content.decode()


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda: StockItem.objects.update(on_hand=0), "Sold out"),
        (lambda: StockItem.objects.update(on_hand=1), "Only 3 left"),
        (lambda: StockItem.objects.filter(size="M").update(held=1), "4 left: S, L"),
        (lambda: StockItem.objects.filter(size="M").update(is_listed=False), "4 left: S, L"),
        (lambda: StockItem.objects.filter(size="M").delete(), "4 left: S, L"),
        (lambda: Product.objects.update(lowest_amount=1234), "$12.34"),
        (lambda: on_shelf("prod_mug", name="Clay Mug"), "Clay Mug"),
        (lambda: Product.objects.update(category="mugs", category_slug="mugs"), "/category/mugs/"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/products/"])
def test_changes_are_shown_immediately_in_lists(
    client: Client, path: str, change: Callable[[], object], shown: str
) -> None:
    on_shelf(stock={"S": 2, "M": 1, "L": 2})
    assert shown not in client.get(path).content.decode()

    change()

    assert shown in client.get(path).content.decode()


def test_the_order_in_which_the_database_reads_stock_does_not_change_a_page() -> None:
    on_shelf()
    rows = fetch_list(ProductFilter())
    assert isinstance(rows.stock, str)

    turned = replace(rows, stock=json.dumps(json.loads(rows.stock)[::-1]))

    assert turned.stock != rows.stock
    assert turned.availabilities("usd")[0].variants == rows.availabilities("usd")[0].variants


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_that_it_depends_on_cookies_and_may_not_be_kept(client: Client, path: str) -> None:
    on_shelf()

    for answer in (client.get(path), client.get(path)):
        assert "Cookie" in answer["Vary"]
        assert answer["Cache-Control"] == "private, no-cache"


def test_a_visitor_whose_session_begins_sees_their_own_cart_at_once() -> None:
    on_shelf()
    visitor = Client()
    assert "cart-count" not in visitor.get("/").content.decode()

    in_cart(visitor, 2)

    assert 'id="cart-count">2<' in visitor.get("/").content.decode()


def test_the_cart_link_of_visitors_without_a_session_is_rendered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_shelf()
    Client().get("/")
    monkeypatch.setattr("shop.page_cache.render.render_to_string", lambda *_args, **_more: 1 / 0)

    assert 'id="cart-link"' in Client().get("/").content.decode()


def test_a_changed_setting_is_applied_immediately(client: Client, settings: Settings) -> None:
    on_shelf()
    assert "only 10 left" not in client.get(PAGES[2]).content.decode()

    settings.LOW_STOCK_THRESHOLD = 10

    assert "only 10 left" in client.get(PAGES[2]).content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_one_visitors_cart_is_not_shown_to_another(path: str) -> None:
    on_shelf()
    one, other = Client(), Client()
    in_cart(one, 7)

    assert 'id="cart-count">7<' in one.get(path).content.decode()
    assert "cart-count" not in other.get(path).content.decode()
    assert 'id="cart-count">7<' in one.get(path).content.decode()


def test_a_message_is_shown_once_and_only_to_its_visitor() -> None:
    on_shelf()
    one, other = Client(), Client()
    other.get("/")
    in_cart(one, 0)

    assert "whole number" not in other.get("/").content.decode()
    assert "whole number" in one.get("/").content.decode()
    assert "whole number" not in one.get("/").content.decode()


def test_each_visitor_gets_their_own_csrf_token() -> None:
    on_shelf()
    one, other = Client(enforce_csrf_checks=True), Client(enforce_csrf_checks=True)
    token, other_token = token_on(one), token_on(other)
    order = {"item": StockItem.objects.get(size="M").pk, "color": "Black", "quantity": 1}

    assert token != other_token
    assert other.post("/cart/add/", {**order, "csrfmiddlewaretoken": token}).status_code == 403
    assert one.post("/cart/add/", {**order, "csrfmiddlewaretoken": token}).status_code == 302


@pytest.mark.parametrize("path", PAGES)
def test_no_placeholder_is_left_in_a_page(client: Client, path: str) -> None:
    on_shelf(name="<!--visitor:csrf_token-->", description="<!--visitor:cart_link-->")

    html = client.get(path, follow=True).content.decode()

    assert "<!--visitor" not in html


def test_a_cached_page_does_not_take_the_script_prefix_of_its_first_visitor(client: Client) -> None:
    product = on_shelf()

    evil = client.get(product.get_absolute_url(), SCRIPT_NAME="/evil")
    honest = client.get(product.get_absolute_url())

    assert "/evil" not in evil.content.decode() + honest.content.decode()
