"""What a visitor sees, page by page, in plain HTML."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from inventory.models import StockItem
from shop.models import Product, SizeGuide, Storefront
from shop.tests.shelf import on_shelf, price

pytestmark = pytest.mark.django_db

SCRIPT = "<script>alert(1)</script>"


def words_of(answer: Any) -> str:
    """The page as a person reads it: no tags, single blanks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def names_on(answer: Any) -> list[str]:
    return [unescape(name) for name in re.findall(r'card__name"><a [^>]*>([^<]*)', answer.content.decode())]


# --- Product page -----------------------------------------------------------------------------


def test_a_product_page_offers_its_sizes_colours_and_price(client: Client) -> None:
    product = on_shelf(description="Soft and heavy.", stock={"S": 10, "M": 3, "L": 0})

    answer = client.get(product.get_absolute_url())

    page = words_of(answer)
    assert answer.status_code == 200
    assert "BALM T-Shirt" in page
    assert "$25.00" in page
    assert "Soft and heavy." in page
    assert "M only 3 left" in page
    assert "L sold out" in page
    assert 'value="Black"' in answer.content.decode()


def test_a_sold_out_size_is_visible_and_cannot_be_chosen(client: Client) -> None:
    product = on_shelf(stock={"S": 0, "M": 1, "L": 1})

    html = client.get(product.get_absolute_url()).content.decode()

    sold_out = StockItem.objects.get(size="S")
    assert re.search(rf'<input type="radio" name="item" value="{sold_out.pk}" required disabled>', html)


def test_the_last_units_in_open_checkouts_may_come_back(client: Client) -> None:
    product = on_shelf(stock={"S": 2, "M": 5, "L": 5})
    StockItem.objects.filter(size="S").update(held=2)

    page = words_of(client.get(product.get_absolute_url()))

    assert "S may come back" in page
    assert "in someone’s checkout" in page


def test_a_size_without_a_count_is_not_for_sale(client: Client) -> None:
    product = on_shelf(stock={"S": None, "M": 5})

    page = words_of(client.get(product.get_absolute_url()))

    assert "S not for sale" in page
    assert "L not for sale" in page  # named in the sizes, never counted


def test_a_size_that_is_sold_without_counting_is_available(client: Client) -> None:
    product = on_shelf(stock={"S": -1, "M": -1, "L": -1})

    html = client.get(product.get_absolute_url()).content.decode()

    assert "disabled" not in html
    assert "choice__note" not in html


def test_exact_numbers_can_be_hidden(client: Client) -> None:
    product = on_shelf(stock={"S": 3, "M": 3, "L": 3})
    Storefront.objects.create(show_counts=False)

    page = words_of(client.get(product.get_absolute_url()))

    assert "few left" in page
    assert "3 left" not in page


def test_a_product_without_sizes_has_no_chooser(client: Client) -> None:
    product = on_shelf(metadata={}, stock={"": 4})

    html = client.get(product.get_absolute_url()).content.decode()

    item = StockItem.objects.get()
    assert f'<input type="hidden" name="item" value="{item.pk}">' in html
    assert 'type="radio"' not in html
    assert "Only 4 left" in html


def test_each_size_names_its_price_where_they_differ(client: Client) -> None:
    product = on_shelf(prices=(price(), price("price_l", 2800, size="L")))

    page = words_of(client.get(product.get_absolute_url()))

    assert "from $25.00" in page
    assert "L $28.00" in page


def test_a_product_that_is_not_for_sale_says_so_once(client: Client) -> None:
    product = on_shelf(metadata={}, stock={"": None})

    assert words_of(client.get(product.get_absolute_url())).count("Not for sale at the moment") == 1


def test_no_more_can_be_asked_for_than_is_left_where_numbers_are_told(client: Client) -> None:
    product = on_shelf(metadata={}, stock={"": 4})
    assert 'max="4"' in client.get(product.get_absolute_url()).content.decode()

    Storefront.objects.create(show_counts=False)

    assert 'max="99"' in client.get(product.get_absolute_url()).content.decode()


def test_a_link_says_what_it_leads_to(client: Client) -> None:
    shirt = on_shelf(metadata={"link": "https://music.example/a"})
    album = on_shelf("prod_album", metadata={"link": "https://music.example/b"}, prices=(), stock={})

    assert "Also at music.example" in words_of(client.get(shirt.get_absolute_url()))
    assert "Listen or look Leads to music.example" in words_of(client.get(album.get_absolute_url()))


def test_the_size_guide_stands_on_the_page_once_and_opens_without_scripts(client: Client) -> None:
    product = on_shelf()
    SizeGuide.objects.create(name="Shirts", lines="S 27 1/2, 21 1/2, 34")

    html = client.get(product.get_absolute_url()).content.decode()

    assert html.count("27 1/2") == 1
    assert 'popovertarget="size-guide"' in html


@pytest.mark.parametrize("slug", ["", "wrong/", "balm-t-shirt-2/"])
def test_a_wrong_slug_leads_to_the_right_one(client: Client, slug: str) -> None:
    product = on_shelf()

    answer = client.get(f"/products/prod_balm/{slug}")

    assert answer.status_code in {301, 302}
    assert (
        "no-cache" in answer["Cache-Control"]
    )  # Else a product that is named back sends browsers in a circle.
    assert answer["Location"] == product.get_absolute_url() == "/products/prod_balm/balm-t-shirt/"


def test_a_product_whose_id_has_a_slash_has_a_page_and_breaks_no_other(client: Client) -> None:
    product = on_shelf("shirts/balm")

    assert "BALM T-Shirt" in words_of(client.get(product.get_absolute_url()))
    assert [client.get(path).status_code for path in ("/", "/products/", "/stock/shirts/balm/")] == [200] * 3


@pytest.mark.parametrize("changes", [{"active": False}, {"deleted": True}])
def test_what_is_not_on_show_is_not_found_and_a_search_is_offered(client: Client, changes: Any) -> None:
    product = on_shelf()
    Product.objects.update(**changes)

    answer = client.get(product.get_absolute_url())

    assert answer.status_code == 404
    assert 'role="search"' in answer.content.decode()


@pytest.mark.parametrize(
    "path", ["/products/prod_never/", "/products/prod_never/x/", "/stock/prod_never/", "/category/none/"]
)
def test_unknown_addresses_are_not_found(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_script_in_what_people_type_at_stripe_stays_text(client: Client) -> None:
    metadata = {"category": SCRIPT, "colors": "Black", "details": SCRIPT, "sizes": "S"}
    product = on_shelf(name=SCRIPT, description=SCRIPT, metadata=metadata)

    for path in [
        product.get_absolute_url(),
        "/",
        "/products/",
        f"/products/?q={SCRIPT}",
        f"/category/{product.category_slug}/",
    ]:
        answer = client.get(path)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.content.decode()
        assert "alert(1)" in words_of(answer)


def test_the_size_guide_is_shown_in_inches_and_centimetres(client: Client) -> None:
    product = on_shelf()
    SizeGuide.objects.create(name="Shirts", lines="S 27 1/2, 21 1/2, 34")

    page = words_of(client.get(product.get_absolute_url()))

    assert "27 1/2" in page
    assert "70" in page


def test_the_size_guide_of_the_category_goes_before_the_one_for_all(client: Client) -> None:
    product = on_shelf()
    SizeGuide.objects.create(name="For all", lines="S 1, 1, 1")
    SizeGuide.objects.create(name="For clothing", category="Clothing", lines="S 2, 2, 2")

    page = words_of(client.get(product.get_absolute_url()))

    assert "For clothing" in page
    assert "For all" not in page


def test_something_to_listen_to_is_shown_with_its_link_and_no_cart(client: Client) -> None:
    product = on_shelf(
        metadata={"streamUrl": "https://music.example/a"}, prices=(), default_price_id="", stock={}
    )

    html = client.get(product.get_absolute_url()).content.decode()

    assert 'href="https://music.example/a"' in html
    assert 'id="buy"' not in html


def test_without_a_stripe_key_the_page_can_be_read_and_says_so(client: Client, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""
    product = on_shelf()

    answer = client.get(product.get_absolute_url())

    assert answer.status_code == 200
    assert "Payment is not set up yet" in words_of(answer)
    assert "Put into the cart" not in words_of(answer)


def test_a_product_with_nothing_right_breaks_no_page(client: Client) -> None:
    on_shelf("prod_good")
    broken = on_shelf(
        "prod_broken",
        name="",
        metadata={"sizes": ",,", "Sizes": "x"},
        images=("ftp://x",),
        prices=(),
        stock={},
    )

    for path in ["/", "/products/", "/products/?in_stock=1", "/api/products/", broken.get_absolute_url()]:
        assert client.get(path, follow=True).status_code == 200


# --- List -------------------------------------------------------------------------------------


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
        ("colour=navy", ["Bramble Shirt"]),
        ("from=20&to=30", ["Arctic Tee"]),
        ("to=9,50", ["Clay Mug"]),
        ("q=nothing", []),
        ("q=100%25_", []),
    ],
)
def test_a_list_is_searched_filtered_and_sorted_by_its_address(
    client: Client, query: str, names: list[str]
) -> None:
    shelf_of_three()

    assert names_on(client.get(f"/products/?{query}")) == names


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
def test_a_card_tells_a_number_only_where_all_sizes_together_are_few(
    client: Client, stock: dict[str, int | None], words: str
) -> None:
    on_shelf(stock=stock)

    html = client.get("/products/").content.decode()

    assert re.findall(r'stock-note stock-note--few">([^<]*)', html) == ([words] if words else [])


def test_only_the_sizes_and_colours_of_a_category_are_offered_there(client: Client) -> None:
    on_shelf()
    on_shelf(
        "prod_kid",
        metadata={"category": "kids", "sizes": "10Y,2Y,XS", "colors": "Sky"},
    )

    kids = re.findall(r"<option>([^<]*)", client.get("/category/kids/").content.decode())
    everything = re.findall(r"<option>([^<]*)", client.get("/products/").content.decode())

    assert kids == ["XS", "2Y", "10Y", "Sky"]
    assert everything == ["XS", "S", "M", "L", "2Y", "10Y", "Black", "Sky", "White"]


def test_a_size_that_the_category_has_not_is_still_told_as_wished_for(client: Client) -> None:
    on_shelf()

    html = client.get("/category/clothing/?size=2Y").content.decode()

    assert "<option selected>2Y</option>" in html
    assert 'class="wish"' in html


def test_a_search_within_a_category_names_both(client: Client) -> None:
    shelf_of_three()

    assert '<h1 id="title">Art: “shirt”' in client.get("/category/art/?q=shirt").content.decode()


def test_in_stock_leaves_out_what_cannot_be_bought(client: Client) -> None:
    on_shelf("prod_gone", name="Gone", stock={"S": 0, "M": None, "L": 0})
    on_shelf("prod_here", name="Here", stock={"S": 0, "M": 1, "L": 0})
    on_shelf("prod_free", name="Print", metadata={}, stock={"": -1})

    assert names_on(client.get("/products/?in_stock=1&sort=name")) == ["Here", "Print"]


def test_what_has_no_price_is_not_in_stock(client: Client) -> None:
    on_shelf("prod_free", name="No price", prices=())

    assert names_on(client.get("/products/?in_stock=1")) == []


def test_a_category_has_a_page_of_its_own(client: Client) -> None:
    shelf_of_three()

    assert names_on(client.get("/category/art/")) == ["Bramble Shirt"]


def test_categories_that_differ_in_case_are_one(client: Client) -> None:
    on_shelf("prod_a", name="A", metadata={"category": "Art"})
    on_shelf("prod_b", name="B", metadata={"category": "art"})

    assert names_on(client.get("/category/art/?sort=name")) == ["A", "B"]


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=-1", "page=x", "page=99999999999999999999", "page=²", "from=x&to=NaN", "from=-1", "to=1e99",
        "sort=evil", "size=%00", "colour=%00%7C", "q=" + "x" * 5000, "q=" + "a+" * 500, "q=%00", "q=%F0%9F%98%80",
    ],
)  # fmt: skip
def test_an_address_that_somebody_typed_never_fails(client: Client, query: str) -> None:
    shelf_of_three()

    assert client.get(f"/products/?{query}", follow=True).status_code == 200


def test_nothing_found_offers_a_way_back_wish_by_wish(client: Client) -> None:
    shelf_of_three()

    html = client.get("/products/?q=shirt&colour=Black").content.decode()

    assert "Nothing fits that" in html
    assert 'href="?colour=Black"' in html
    assert 'href="?q=shirt"' in html


def test_origin_fault_13_a_catalogue_of_many_is_shown_page_by_page(client: Client) -> None:
    for number in range(130):
        on_shelf(f"prod_{number:03}", name=f"Shirt {number:03}", stock={"S": 1})

    seen = [
        name for page in range(1, 7) for name in names_on(client.get(f"/products/?sort=name&page={page}"))
    ]

    assert seen == [f"Shirt {number:03}" for number in range(130)]
    assert "Page 2 of 6" in words_of(client.get("/products/?page=2"))


def test_past_the_last_page_the_last_one_is_shown(client: Client) -> None:
    for number in range(30):
        on_shelf(f"prod_{number:02}", name=f"Shirt {number:02}", stock={"S": 1})

    assert client.get("/products/?sort=name&page=99")["Location"] == "/products/?sort=name&page=2"
    assert client.get("/products/?q=shirt+29&page=2")["Location"] == "/products/?q=shirt+29"
    assert client.get("/products/?q=nothing&page=2", follow=True).status_code == 200


def test_the_home_page_puts_first_what_is_featured(client: Client) -> None:
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


def test_the_home_page_shows_eight_and_the_way_to_the_others(client: Client) -> None:
    for number in range(12):
        on_shelf(f"prod_{number}", name=f"Shirt {number}")

    answer = client.get("/")

    assert len(names_on(answer)) == 8
    assert "See everything" in words_of(answer)


def test_the_second_that_is_featured_stands_apart_and_leaves_no_row_ragged(client: Client) -> None:
    for number in range(12):
        featured = {"featured": "yes"} if number < 2 else {}
        on_shelf(f"prod_{number:02}", name=f"Shirt {number}", metadata={"sizes": "S", **featured})

    answer = client.get("/")

    assert names_on(answer)[0] == "Shirt 1"
    assert len(names_on(answer)) == 1 + 8
    assert answer.content.decode().count("card--large") == 1


def test_an_address_that_somebody_sends_is_shown_with_the_shops_picture(client: Client) -> None:
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


# --- The shop's own words ---------------------------------------------------------------------


def test_the_owner_names_the_shop_and_announces(client: Client) -> None:
    Storefront.objects.create(name="Linden & Sons", announcement="Closed in August")

    page = words_of(client.get("/"))

    assert "Linden & Sons" in page
    assert "Closed in August" in page


def test_legal_texts_are_pages_once_they_are_written(client: Client) -> None:
    Storefront.objects.create(imprint="Linden, 1 Road")

    assert "Linden, 1 Road" in words_of(client.get("/texts/imprint/"))
    assert client.get("/texts/privacy/").status_code == 404
    assert 'href="/texts/imprint/"' in client.get("/").content.decode()


def test_search_engines_find_the_catalogue_at_the_shops_own_address(client: Client) -> None:
    on_shelf()
    on_shelf("prod_archived", active=False)

    sitemap = client.get("/sitemap.xml", headers={"host": "127.0.0.1"}).content.decode()

    assert "<loc>http://testserver/products/prod_balm/balm-t-shirt/</loc>" in sitemap
    assert "prod_archived" not in sitemap
    assert "Sitemap: http://testserver/sitemap.xml" in client.get("/robots.txt").content.decode()


# --- Promises of every page -------------------------------------------------------------------


def test_pages_hold_no_inline_script_or_style(client: Client) -> None:
    product = on_shelf()

    for path in ["/", "/products/", product.get_absolute_url(), "/no-such-page/"]:
        html = client.get(path).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=", html)
        assert not re.search(r"<script(?![^>]*(\bsrc=|application/(ld\+)?json))", html)


def test_origin_fault_14_no_shared_cache_may_keep_a_page_that_names_stock(client: Client) -> None:
    product = on_shelf()

    for path in ["/", "/products/", product.get_absolute_url()]:
        assert "private" in client.get(path)["Cache-Control"]
        assert "no-cache" in client.get(path)["Cache-Control"]
    assert "no-store" in client.get("/stock/prod_balm/")["Cache-Control"]
    assert "no-store" in client.get("/api/products/")["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/products/", "/category/clothing/", "/products/prod_0/balm-t-shirt/"])
def test_a_page_costs_four_queries_however_many_products_and_sizes(
    client: Client, path: str, django_assert_max_num_queries: Any
) -> None:
    session = client.session
    session["seen"] = True
    session.save()
    Storefront.objects.create(name="Linden")
    SizeGuide.objects.create(name="Shirts", lines="S 27 1/2, 21 1/2, 34")
    for number in range(15):
        on_shelf(
            f"prod_{number}",
            metadata={"category": "clothing", "sizes": ",".join(f"S{n}" for n in range(number))},
        )

    with django_assert_max_num_queries(4):
        client.get(path)
