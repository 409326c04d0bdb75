"""Tests of the product page and of the shop's other pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from inventory.models import StockItem
from shop.models import Product, SizeGuide, Storefront
from shop.page_cache import fragments
from shop.tests.factories import on_shelf, price, words_of

pytestmark = pytest.mark.django_db

SCRIPT = "<script>alert(1)</script>"


# --- Product page -----------------------------------------------------------------------------


def test_a_product_page_shows_sizes_colors_and_price(client: Client) -> None:
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
    assert re.search(rf'<input type="radio" name="item" value="{sold_out.pk}" required\s+disabled>', html)


def test_a_size_held_by_open_checkouts_is_shown_as_reserved(client: Client) -> None:
    product = on_shelf(stock={"S": 2, "M": 5, "L": 5})
    StockItem.objects.filter(size="S").update(held=2)

    page = words_of(client.get(product.get_absolute_url()))

    assert "S reserved" in page
    assert "Some sizes are reserved in another cart." in page


def test_a_size_without_a_count_is_not_for_sale(client: Client) -> None:
    product = on_shelf(stock={"S": None, "M": 5})

    page = words_of(client.get(product.get_absolute_url()))

    assert "S not for sale" in page
    assert "L not for sale" in page  # listed in the sizes, but without a count


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


def test_a_product_without_sizes_has_no_size_picker(client: Client) -> None:
    product = on_shelf(metadata={}, stock={"": 4})

    html = client.get(product.get_absolute_url()).content.decode()

    item = StockItem.objects.get()
    assert f'<input type="hidden" name="item" value="{item.pk}">' in html
    assert 'type="radio"' not in html
    assert "Only 4 left" in html


def test_sizes_show_their_price_if_prices_differ(client: Client) -> None:
    product = on_shelf(prices=(price(), price("price_l", 2800, size="L")))

    page = words_of(client.get(product.get_absolute_url()))

    assert "from $25.00" in page
    assert "L $28.00" in page


@pytest.mark.parametrize("name", ["L", "l", "%4C"])
def test_the_address_of_a_size_opens_the_page_with_it_chosen_and_priced(client: Client, name: str) -> None:
    product = on_shelf(prices=(price(), price("price_l", 2800, size="L")), stock={"S": 10, "M": 10, "L": 3})

    answer = client.get(f"{product.get_absolute_url()}?size={name}")

    html = answer.content.decode()
    [chosen] = re.findall(r'<input type="radio" name="item" value="(\d+)" required\s+checked>', html)
    assert int(chosen) == StockItem.objects.get(size="L").pk
    assert "from $25.00" not in words_of(answer)
    assert re.search(r'data-chosen-price><span class="price">\s*\$28\.00', html)
    assert 'max="3"' in html
    assert f'<link rel="canonical" href="http://testserver{product.get_absolute_url()}">' in html


def test_the_address_of_a_sold_out_size_says_so_and_chooses_none(client: Client) -> None:
    product = on_shelf(stock={"S": 0, "M": 7, "L": 7})

    answer = client.get(f"{product.get_absolute_url()}?size=S")

    assert "Size S: sold out" in words_of(answer)
    assert "checked" not in answer.content.decode().split('id="size-picker"')[1].split("</fieldset>")[0]
    assert 'max="7"' not in answer.content.decode().split('id="add-to-cart"')[1].split("</div>")[0]


@pytest.mark.parametrize("query", ["size=", "size=XXL", "size=%00", "size=%3Cscript%3E", "size=S&size=no"])
def test_an_address_with_an_unknown_size_is_the_page_itself(client: Client, query: str) -> None:
    product = on_shelf()
    fragments.clear()
    client.get(product.get_absolute_url())
    kept = set(fragments._fragments)

    answer = client.get(f"{product.get_absolute_url()}?{query}")

    assert answer.status_code == 200
    assert not re.search(r'name="item"[^>]*checked', answer.content.decode())
    assert set(fragments._fragments) == kept


def test_a_redirect_to_the_right_slug_keeps_the_size(client: Client) -> None:
    product = on_shelf(metadata={"sizes": "S&M,3XL", "colors": "Black"})

    answer = client.get("/products/prod_balm/old-name/?size=S%26M&utm_source=mail")

    assert answer["Location"] == f"{product.get_absolute_url()}?size=S%26M&utm_source=mail"


def test_an_open_page_refreshes_with_its_size(client: Client) -> None:
    product = on_shelf(metadata={"sizes": "S&M,3XL", "colors": "Black"})

    html = client.get(f"{product.get_absolute_url()}?size=S%26M").content.decode()

    [stock_url] = re.findall(r'data-stock-url="([^"]+)"', html)
    assert stock_url == "/stock/prod_balm/?size=S%26M"
    picker = html.split('<div id="size-picker">')[1].split("</fieldset>")[0]
    assert picker in client.get(stock_url).content.decode()


def test_a_product_that_is_not_for_sale_says_so_once(client: Client) -> None:
    product = on_shelf(metadata={}, stock={"": None})

    assert words_of(client.get(product.get_absolute_url())).count("Not for sale at the moment") == 1


def test_the_quantity_is_limited_to_the_stock_if_counts_are_shown(client: Client) -> None:
    product = on_shelf(metadata={}, stock={"": 4})
    assert 'max="4"' in client.get(product.get_absolute_url()).content.decode()

    Storefront.objects.create(show_counts=False)

    assert 'max="10"' in client.get(product.get_absolute_url()).content.decode()


def test_a_link_names_its_host(client: Client) -> None:
    shirt = on_shelf(metadata={"link": "https://music.example/a"})
    album = on_shelf("prod_album", metadata={"link": "https://music.example/b"}, prices=(), stock={})

    assert "Also at music.example" in words_of(client.get(shirt.get_absolute_url()))
    assert "Visit music.example Opens another website." in words_of(client.get(album.get_absolute_url()))


def test_the_size_guide_is_on_the_page_once_and_opens_without_scripts(client: Client) -> None:
    product = on_shelf()
    SizeGuide.objects.create(name="Shirts", lines="S 27 1/2, 21 1/2, 34")

    html = client.get(product.get_absolute_url()).content.decode()

    assert html.count("27 1/2") == 1
    assert 'popovertarget="size-guide"' in html


@pytest.mark.parametrize("slug", ["", "wrong/", "balm-t-shirt-2/"])
def test_a_wrong_slug_redirects_to_the_right_one(client: Client, slug: str) -> None:
    product = on_shelf()

    answer = client.get(f"/products/prod_balm/{slug}")

    assert answer.status_code in {301, 302}
    # A cached redirect would loop if a product is renamed and then renamed back.
    assert "no-cache" in answer["Cache-Control"]
    assert answer["Location"] == product.get_absolute_url() == "/products/prod_balm/balm-t-shirt/"


def test_a_product_id_may_contain_a_slash(client: Client) -> None:
    product = on_shelf("shirts/balm")

    assert "BALM T-Shirt" in words_of(client.get(product.get_absolute_url()))
    assert [client.get(path).status_code for path in ("/", "/products/", "/stock/shirts/balm/")] == [200] * 3


@pytest.mark.parametrize("changes", [{"active": False}, {"deleted": True}])
def test_a_hidden_product_is_not_found_and_a_search_is_offered(client: Client, changes: Any) -> None:
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


def test_html_from_stripe_is_escaped(client: Client) -> None:
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


def test_the_size_guide_is_shown_in_inches_and_centimeters(client: Client) -> None:
    product = on_shelf()
    SizeGuide.objects.create(name="Shirts", lines="S 27 1/2, 21 1/2, 34")

    page = words_of(client.get(product.get_absolute_url()))

    assert "27 1/2" in page
    assert "70" in page


def test_the_size_guide_of_the_category_takes_precedence(client: Client) -> None:
    product = on_shelf()
    SizeGuide.objects.create(name="For all", lines="S 1, 1, 1")
    SizeGuide.objects.create(name="For clothing", category="Clothing", lines="S 2, 2, 2")

    page = words_of(client.get(product.get_absolute_url()))

    assert "For clothing" in page
    assert "For all" not in page


def test_a_product_with_only_a_link_has_no_purchase_form(client: Client) -> None:
    product = on_shelf(
        metadata={"streamUrl": "https://music.example/a"}, prices=(), default_price_id="", stock={}
    )

    html = client.get(product.get_absolute_url()).content.decode()

    assert 'href="https://music.example/a"' in html
    assert 'id="buy"' not in html


def test_without_a_stripe_key_the_page_is_shown_without_a_cart_button(
    client: Client, settings: Settings
) -> None:
    settings.STRIPE_SECRET_KEY = ""
    product = on_shelf()

    answer = client.get(product.get_absolute_url())

    assert answer.status_code == 200
    assert "Payment is not set up yet" in words_of(answer)
    assert "Add to cart" not in words_of(answer)


def test_a_product_with_only_invalid_data_breaks_no_page(client: Client) -> None:
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


# --- Storefront settings ----------------------------------------------------------------------


def test_the_name_and_the_announcement_are_shown(client: Client) -> None:
    Storefront.objects.create(name="Linden & Sons", announcement="Closed in August")

    page = words_of(client.get("/"))

    assert "Linden & Sons" in page
    assert "Closed in August" in page


def test_legal_texts_have_pages_unless_they_are_empty(client: Client) -> None:
    Storefront.objects.create(legal_notice="Linden, 1 Road")

    assert "Linden, 1 Road" in words_of(client.get("/legal/legal-notice/"))
    assert client.get("/legal/privacy/").status_code == 404
    assert 'href="/legal/legal-notice/"' in client.get("/").content.decode()


def test_the_sitemap_uses_the_site_url(client: Client) -> None:
    on_shelf()
    on_shelf("prod_archived", active=False)

    sitemap = client.get("/sitemap.xml", headers={"host": "127.0.0.1"}).content.decode()

    assert "<loc>http://testserver/products/prod_balm/balm-t-shirt/</loc>" in sitemap
    assert "prod_archived" not in sitemap
    assert "Sitemap: http://testserver/sitemap.xml" in client.get("/robots.txt").content.decode()


# --- All pages --------------------------------------------------------------------------------


def test_pages_contain_no_inline_script_or_style(client: Client) -> None:
    product = on_shelf()

    for path in ["/", "/products/", product.get_absolute_url(), "/no-such-page/"]:
        html = client.get(path).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=", html)
        assert not re.search(r"<script(?![^>]*(\bsrc=|application/(ld\+)?json))", html)


def test_origin_fault_14_pages_with_stock_are_not_stored_by_shared_caches(client: Client) -> None:
    product = on_shelf()

    for path in ["/", "/products/", product.get_absolute_url()]:
        assert "private" in client.get(path)["Cache-Control"]
        assert "no-cache" in client.get(path)["Cache-Control"]
    assert "no-store" in client.get("/stock/prod_balm/")["Cache-Control"]
    assert "no-store" in client.get("/api/products/")["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/products/", "/category/clothing/", "/products/prod_0/balm-t-shirt/"])
def test_a_page_needs_four_queries_for_any_number_of_products_and_sizes(
    client: Client, path: str, django_assert_max_num_queries: Any
) -> None:
    session = client.session
    session["event_seen"] = True
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


@pytest.mark.parametrize(
    ("old", "new"), [("imprint", "legal-notice"), ("privacy", "privacy"), ("terms", "terms")]
)
def test_old_addresses_of_legal_texts_are_redirected(client: Client, old: str, new: str) -> None:
    answer = client.get(f"/texts/{old}/")

    assert (answer.status_code, answer["Location"]) == (301, f"/legal/{new}/")
