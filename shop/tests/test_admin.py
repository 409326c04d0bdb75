"""Tests of the shop's admin."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from shop.models import Product, SizeGuide, Storefront
from shop.tests.factories import on_shelf, price, words_of

pytestmark = pytest.mark.django_db


def test_products_are_listed_with_their_problems_and_cannot_be_changed(admin_client: Client) -> None:
    on_shelf(
        metadata={"sizes": "S,,M", "Category": "art"}, prices=(price(), price("price_eu", currency="eur"))
    )

    page = admin_client.get("/admin/shop/product/").content.decode()
    detail = admin_client.get("/admin/shop/product/prod_balm/change/").content.decode()

    for text in [page, detail]:
        assert "“sizes” has an empty entry between its commas." in text
        assert "The key “Category” is ignored" in text
        assert "it is in EUR, but the shop sells in USD." in text
    assert admin_client.get("/admin/shop/product/add/").status_code == 403
    assert admin_client.post("/admin/shop/product/prod_balm/change/", {"name": "x"}).status_code == 403
    assert Product.objects.get().name == "BALM T-Shirt"


def test_what_a_product_lacks_for_a_feed_is_named_with_its_sizes(admin_client: Client) -> None:
    on_shelf(
        metadata={"sizes": f"S,{'X' * 21}", "gtin_S": "4006381333931", "gender": "female"},
        prices=(price(), price("price_s", 0, size="S")),
    )

    page = admin_client.get("/admin/shop/product/prod_balm/change/")

    for sentence in [
        "Google: not in the feed (S): its price is 0.",
        "Google: not in the feed: it has no image as JPEG, PNG or WebP.",
        f"Google: may be shown less often ({'X' * 21}): it has no “gtin” and no “mpn”.",
        "Google: may be shown less often: clothing needs age_group, color.",
        "Stripe: not in the feed: it has no “category”.",
        f"Stripe: not in the feed ({'X' * 21}): the name of the size is longer than 20 characters.",
    ]:
        assert sentence in words_of(page)


def test_a_product_that_is_only_a_link_lacks_nothing_for_feeds(admin_client: Client) -> None:
    on_shelf(metadata={"link": "https://music.example/a"}, prices=(), default_price_id="")

    assert "not in the feed" not in words_of(admin_client.get("/admin/shop/product/prod_balm/change/"))


def test_products_can_be_filtered_by_problems(admin_client: Client) -> None:
    on_shelf("prod_good", name="Good One")
    on_shelf("prod_bad", name="Bad One", prices=())

    page = admin_client.get("/admin/shop/product/?problems=yes").content.decode()

    assert "Bad One" in page
    assert "Good One" not in page


def test_products_can_be_searched_by_id_and_by_text(admin_client: Client) -> None:
    on_shelf("prod_mug", name="Mug", description="Stoneware")
    on_shelf("prod_tee", name="Tee")

    for search in ["stoneware", "prod_mug"]:
        page = admin_client.get(f"/admin/shop/product/?q={search}").content.decode()

        assert ">Mug<" in page
        assert ">Tee<" not in page


def test_counts_are_not_shown_in_the_metadata_of_a_product(admin_client: Client) -> None:
    stock = {"stock_S": "4711", "inventory_version": "shop/prod_balm/3", "supplier": "Linden"}
    on_shelf(metadata={"sizes": "S", **stock})

    detail = admin_client.get("/admin/shop/product/prod_balm/change/").content.decode()

    assert "supplier: Linden" in detail
    assert "stock_S: a count, shown by its stock item" in detail
    assert "4711" not in detail and "inventory_version" not in detail


def test_a_product_links_to_the_dashboard_in_the_mode_of_the_key(admin_client: Client) -> None:
    on_shelf()

    detail = admin_client.get("/admin/shop/product/prod_balm/change/").content.decode()

    assert 'href="https://dashboard.stripe.com/test/products/prod_balm"' in detail


def test_html_from_stripe_is_escaped_in_the_admin(admin_client: Client) -> None:
    on_shelf(name="<script>alert(1)</script>", metadata={"sizes": "S", "x": "<script>alert(2)</script>"})

    for path in ["/admin/shop/product/", "/admin/shop/product/prod_balm/change/"]:
        assert "<script>alert" not in admin_client.get(path).content.decode()


def test_a_size_guide_is_validated_and_saved(admin_client: Client) -> None:
    guide = {"name": "Shirts", "category": "", "unit": "in", "columns": "Length, Width", "note": ""}

    rejected = admin_client.post("/admin/shop/sizeguide/add/", {**guide, "lines": "S 27 1/2"})
    assert "“S 27 1/2” must be a size and 2 measures" in rejected.content.decode()
    assert not SizeGuide.objects.exists()

    admin_client.post("/admin/shop/sizeguide/add/", {**guide, "lines": "S 27 1/2, 21"})
    assert SizeGuide.objects.get().lines == "S 27 1/2, 21"


def test_only_one_storefront_can_be_created(admin_client: Client) -> None:
    texts = dict.fromkeys(
        ["tagline", "announcement", "logo", "about", "legal_notice", "privacy", "terms", "background"], ""
    )

    admin_client.post("/admin/shop/storefront/add/", {**texts, "name": "Linden", "accent": "#1f4b3f"})

    assert Storefront.objects.get().name == "Linden"
    assert admin_client.get("/admin/shop/storefront/add/").status_code == 403


@pytest.mark.parametrize("color", ["red", "#12345", "1f4b3f", "url(x)", "#1f4b;}"])
def test_an_invalid_color_is_rejected(admin_client: Client, color: str) -> None:
    answer = admin_client.post("/admin/shop/storefront/add/", {"name": "Linden", "accent": color})

    assert "Enter a color like #1f4b3f." in answer.content.decode()
    assert not Storefront.objects.exists()


def test_all_errors_of_the_storefront_are_shown_together(admin_client: Client) -> None:
    answer = admin_client.post(
        "/admin/shop/storefront/add/", {"background": "#222222", "logo": "ftp://x/logo.svg"}
    )

    page = answer.content.decode()
    assert "Text would be hard to read on this background" in page
    assert "its URL does not begin with https://." in page
    assert not Storefront.objects.exists()


def test_the_logo_has_a_single_line_input(admin_client: Client) -> None:
    page = admin_client.get("/admin/shop/storefront/add/").content.decode()

    assert '<input type="text" name="logo"' in page


def test_the_list_of_products_shows_what_is_in_no_feed(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    on_shelf("prod_bare", name="Bare")
    on_shelf("prod_good", name="Good", images=("https://cdn.example/1.jpg",))
    page = admin_client.get("/admin/shop/product/?q=Bare").content.decode()
    assert "Google: not in the feed: it has no image as JPEG, PNG or WebP." in page
    assert "not in the feed" not in admin_client.get("/admin/shop/product/?q=Good").content.decode()

    with CaptureQueriesContext(connection) as of_two:
        admin_client.get("/admin/shop/product/")
    for number in range(6):
        on_shelf(f"prod_{number}")
    with django_assert_max_num_queries(len(of_two)):
        admin_client.get("/admin/shop/product/")
