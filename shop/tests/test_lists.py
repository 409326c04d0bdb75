"""Tests of the home page and the product lists, with search, filters and sorting."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import Settings

from shop.filters import PAGE_SIZE
from shop.models import Storefront
from shop.tests.factories import names_on, on_shelf, price, words_of

pytestmark = pytest.mark.django_db


def shelf_of_three() -> None:
    on_shelf("prod_a", name="Arctic Tee", stock={"S": 0, "M": 4, "L": 0})
    on_shelf(
        "prod_b",
        name="Bramble Shirt",
        metadata={"category": "art", "sizes": "S,M", "colors": "Navy"},
        prices=(price(unit_amount=4000),),
    )
    on_shelf("prod_c", name="Clay Mug", metadata={"category": "home"}, prices=(price(unit_amount=900),))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=name", ["Arctic Tee", "Bramble Shirt", "Clay Mug"]),
        ("sort=price", ["Clay Mug", "Arctic Tee", "Bramble Shirt"]),
        ("sort=-price", ["Bramble Shirt", "Arctic Tee", "Clay Mug"]),
        ("q=shirt", ["Bramble Shirt"]),
        ("q=SHIRT+navy", ["Bramble Shirt"]),
        ("size=S", ["Bramble Shirt"]),
        ("size=M&sort=name", ["Arctic Tee", "Bramble Shirt"]),
        ("size=L", []),
        ("color=navy", ["Bramble Shirt"]),
        ("from=20&to=30", ["Arctic Tee"]),
        ("to=9,50", ["Clay Mug"]),
        ("q=nothing", []),
        ("q=100%25_", []),
    ],
)
def test_a_list_is_searched_filtered_and_sorted_by_the_query_string(
    client: Client, query: str, names: list[str]
) -> None:
    shelf_of_three()

    assert names_on(client.get(f"/products/?{query}")) == names


def test_the_filter_parameter_of_2026_11_26_is_still_read(client: Client) -> None:
    shelf_of_three()

    answer = client.get("/products/?colour=navy&sort=name")

    assert names_on(answer) == ["Bramble Shirt"]
    assert client.get("/products/?colour=navy&page=9")["Location"] == "/products/?color=navy"
    assert "colour" not in answer.content.decode().replace("colour=navy&amp;sort", "")


@pytest.mark.parametrize(
    ("stock", "words"),
    [
        ({"S": 5, "M": 5, "L": 5}, "Few left in each size"),
        ({"S": 5, "M": 5, "L": 0}, "Few left: S, M"),
        ({"S": 2, "M": 3, "L": 0}, "Only 5 left: S, M"),
        ({"S": 1, "M": 1, "L": 1}, "Only 3 left"),
        ({"S": 0, "M": 4, "L": 0}, "Only 4 left: M"),
        ({"S": 5, "M": 20, "L": 5}, ""),
    ],
)
def test_a_card_shows_a_number_only_if_the_total_is_low(
    client: Client, stock: dict[str, int | None], words: str
) -> None:
    on_shelf(stock=stock)

    html = client.get("/products/").content.decode()

    assert re.findall(r'stock-note stock-note--few">([^<]*)', html) == ([words] if words else [])


def test_filters_offer_only_the_sizes_and_colors_of_the_category(client: Client) -> None:
    on_shelf()
    on_shelf(
        "prod_kid",
        metadata={"category": "kids", "sizes": "10Y,2Y,XS", "colors": "Sky"},
    )

    kids = re.findall(r"<option>([^<]*)", client.get("/category/kids/").content.decode())
    everything = re.findall(r"<option>([^<]*)", client.get("/products/").content.decode())

    assert kids == ["XS", "2Y", "10Y", "Sky"]
    assert everything == ["XS", "S", "M", "L", "2Y", "10Y", "Black", "Sky", "White"]


@pytest.mark.parametrize("asked", ["m", "M"])
def test_sizes_that_differ_in_case_are_one_filter_entry(client: Client, asked: str) -> None:
    """A real export of 321 products has 93 with sizes in lower case."""
    on_shelf("prod_low", name="Low", metadata={"category": "kids", "sizes": "m,l"})
    on_shelf("prod_cap", name="Cap", metadata={"category": "art", "sizes": "M,L"})

    page = client.get(f"/products/?size={asked}&sort=name")

    assert names_on(page) == ["Cap", "Low"]
    options = re.findall(r"<option( selected)?>([^<]*)", page.content.decode())
    assert options[:2] == [(" selected", "M"), ("", "L")] and "m" not in dict(options).values()
    assert "<option selected>M</option>" in client.get(f"/category/kids/?size={asked}").content.decode()


def test_a_size_that_the_category_does_not_have_is_still_shown_as_a_filter(client: Client) -> None:
    on_shelf()

    html = client.get("/category/clothing/?size=2Y").content.decode()

    assert "<option selected>2Y</option>" in html
    assert 'class="active-filter"' in html


def test_a_category_counts_only_its_own_products(client: Client) -> None:
    for number in range(PAGE_SIZE + 1):
        on_shelf(f"prod_{number}", metadata={"category": "art" if number else "kids"})

    html = client.get("/category/art/").content.decode()

    assert "page=2" not in html
    assert "page=2" in client.get("/products/").content.decode()


def test_a_search_within_a_category_names_both(client: Client) -> None:
    shelf_of_three()

    html = " ".join(client.get("/category/art/?q=shirt").content.decode().split())

    assert '<h1 id="title"> Art: “shirt”' in html


def test_in_stock_leaves_out_products_that_cannot_be_bought(client: Client) -> None:
    on_shelf("prod_gone", name="Gone", stock={"S": 0, "M": None, "L": 0})
    on_shelf("prod_here", name="Here", stock={"S": 0, "M": 1, "L": 0})
    on_shelf("prod_free", name="Print", metadata={}, stock={"": -1})

    assert names_on(client.get("/products/?in_stock=1&sort=name")) == ["Here", "Print"]


def test_a_product_without_a_price_is_not_in_stock(client: Client) -> None:
    on_shelf("prod_free", name="No price", prices=())

    assert names_on(client.get("/products/?in_stock=1")) == []


def test_a_category_page_lists_its_products(client: Client) -> None:
    shelf_of_three()

    assert names_on(client.get("/category/art/")) == ["Bramble Shirt"]


def test_categories_that_differ_only_in_case_are_merged(client: Client) -> None:
    on_shelf("prod_a", name="A", metadata={"category": "Art"})
    on_shelf("prod_b", name="B", metadata={"category": "art"})

    assert names_on(client.get("/category/art/?sort=name")) == ["A", "B"]


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=-1", "page=x", "page=99999999999999999999", "page=²", "from=x&to=NaN", "from=-1", "to=1e99",
        "sort=evil", "size=%00", "color=%00%7C", "q=" + "x" * 5000, "q=" + "a+" * 500, "q=%00", "q=%F0%9F%98%80",
    ],
)  # fmt: skip
def test_an_invalid_query_string_is_no_error(client: Client, query: str) -> None:
    shelf_of_three()

    assert client.get(f"/products/?{query}", follow=True).status_code == 200


def test_an_empty_result_offers_to_remove_each_filter(client: Client) -> None:
    shelf_of_three()

    html = client.get("/products/?q=shirt&color=Black").content.decode()

    assert "No products found" in html
    assert 'href="?color=Black"' in html
    assert 'href="?q=shirt"' in html


def test_origin_fault_13_a_large_catalog_is_paginated(client: Client) -> None:
    for number in range(130):
        on_shelf(f"prod_{number:03}", name=f"Shirt {number:03}", stock={"S": 1})

    seen = [
        name for page in range(1, 7) for name in names_on(client.get(f"/products/?sort=name&page={page}"))
    ]

    assert seen == [f"Shirt {number:03}" for number in range(130)]
    assert "Page 2 of 6" in words_of(client.get("/products/?page=2"))


def test_a_page_past_the_last_one_redirects_to_the_last(client: Client) -> None:
    for number in range(30):
        on_shelf(f"prod_{number:02}", name=f"Shirt {number:02}", stock={"S": 1})

    assert client.get("/products/?sort=name&page=99")["Location"] == "/products/?sort=name&page=2"
    assert client.get("/products/?q=shirt+29&page=2")["Location"] == "/products/?q=shirt+29"
    assert client.get("/products/?q=nothing&page=2", follow=True).status_code == 200


def test_the_home_page_shows_the_featured_product_first(client: Client) -> None:
    on_shelf("prod_a", name="Plain")
    on_shelf("prod_b", name="Special", metadata={"featured": "yes", "sizes": "S"})

    html = client.get("/").content.decode()

    assert re.search(r'<h1 id="hero-name">Special</h1>', html)
    assert names_on(client.get("/")) == ["Plain"]


@pytest.mark.parametrize("path", ["/", "/products/", "/cart/", "/never/"])
def test_a_shop_that_cannot_sell_says_so_on_every_page(client: Client, settings: Settings, path: str) -> None:
    on_shelf()
    assert "Payment is not set up yet" not in words_of(client.get(path))

    settings.STRIPE_SECRET_KEY = ""

    assert "Payment is not set up yet" in words_of(client.get(path))


def test_the_home_page_shows_eight_products_and_links_to_the_list(client: Client) -> None:
    for number in range(12):
        on_shelf(f"prod_{number}", name=f"Shirt {number}")

    answer = client.get("/")

    assert len(names_on(answer)) == 8
    assert "View all products" in words_of(answer)


def test_the_second_featured_product_is_large_and_followed_by_eight_others(client: Client) -> None:
    for number in range(12):
        featured = {"featured": "yes"} if number < 2 else {}
        on_shelf(f"prod_{number:02}", name=f"Shirt {number}", metadata={"sizes": "S", **featured})

    answer = client.get("/")

    assert names_on(answer)[0] == "Shirt 1"
    assert len(names_on(answer)) == 1 + 8
    assert answer.content.decode().count("card--large") == 1


def test_a_shared_link_is_previewed_with_an_image(client: Client) -> None:
    on_shelf(images=("https://cdn.example/1.jpg",), metadata={"featured": "yes"})
    for path in ["/", "/products/"]:
        html = client.get(path).content.decode()
        assert '<meta property="og:image" content="https://cdn.example/1.jpg">' in html
        assert '<meta property="og:title" content="Our Shop">' in html

    Storefront.objects.create(name="Linden", logo="https://cdn.example/logo.svg")

    for path in ["/", "/products/"]:
        html = client.get(path).content.decode()
        assert '<meta property="og:image" content="https://cdn.example/logo.svg">' in html
        assert '<meta property="og:title" content="Linden">' in html


def test_an_empty_shop_has_a_home_page(client: Client) -> None:
    answer = client.get("/")

    assert answer.status_code == 200
    assert "nothing here yet" in words_of(answer)
