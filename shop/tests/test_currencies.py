"""Tests of the choice of a currency: when it is offered, what is shown in it, and what stays in the shop's own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from config.stripe_client import stripe_client
from shop.gateway import fetch_product
from shop.mirror import upsert_product
from shop.models import Product, ShippingRate
from shop.prices import CurrencyOption
from shop.shipping import refresh_shipping_rates
from shop.storefront import load_storefront
from shop.tests.factories import names_on, on_shelf, price, words_of

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db

SHIRT = "/products/prod_balm/balm-t-shirt/"
EUR, BHD, JPY = CurrencyOption("eur", 2300), CurrencyOption("bhd", 9500), CurrencyOption("jpy", 3900)


@pytest.fixture
def others(settings: Settings) -> None:
    settings.SHOP_CURRENCIES = ["eur", "bhd", "jpy"]


@pytest.fixture
def euros(client: Client) -> Client:
    """A visitor who has chosen euros."""
    client.cookies["currency"] = "eur"
    return client


def two_shirts() -> None:
    """One of 25.00 USD or 23.00 EUR; another that is cheaper in dollars and more expensive in euros."""
    sized = price("price_l", 2800, size="L", options=(CurrencyOption("eur", 2600),))
    on_shelf(prices=(price(options=(EUR,)), sized), images=("https://cdn.example/1.jpg",))
    other = price("price_other", 1900, options=(CurrencyOption("eur", 2900), JPY))
    on_shelf("prod_other", name="Other", default_price_id="price_other", prices=(other,))


def offered() -> list[str]:
    return load_storefront().currencies


@pytest.mark.usefixtures("others")
def test_a_currency_is_offered_while_every_price_on_sale_has_an_amount_in_it() -> None:
    assert offered() == ["usd"]  # An empty shop.
    two_shirts()
    assert offered() == ["usd", "eur"]

    on_shelf("prod_free", metadata={"link": "https://music.example"}, prices=(), default_price_id="")
    unused = price("price_old", 1, active=False)
    on_shelf("prod_two", default_price_id="price_e", prices=(price("price_e", 5, options=(EUR,)), unused))
    assert offered() == ["usd", "eur"]  # A link has no price, and nothing is sold at an archived one.

    on_shelf("prod_usd", default_price_id="price_usd", prices=(price("price_usd", 900),))
    assert offered() == ["usd"]
    assert "The price of S, M, L has no amount in EUR." in Product.objects.get(pk="prod_usd").problems

    Product.objects.filter(pk="prod_usd").update(active=False)
    assert offered() == ["usd", "eur"]


@pytest.mark.usefixtures("others")
def test_one_size_without_an_amount_is_enough_to_end_the_offer() -> None:
    on_shelf(prices=(price(options=(EUR, JPY)), price("price_l", 2800, size="L", options=(JPY,))))

    assert offered() == ["usd", "jpy"]
    assert "The price of L has no amount in EUR." in Product.objects.get().problems


@pytest.mark.usefixtures("others")
def test_a_currency_is_offered_only_where_the_shipping_rates_have_it_too(settings: Settings) -> None:
    settings.SHIPPING_COUNTRIES, settings.SHIPPING_RATES = ["DE"], ["shr_1"]
    two_shirts()
    assert offered() == ["usd"]  # The rate was not read yet.

    rate = ShippingRate(id="shr_1", name="Post", currency="usd", amount=500, fetched_at=timezone.now())
    rate.save()
    assert offered() == ["usd"]
    rate.options = {"eur": 450}
    rate.save()
    assert offered() == ["usd", "eur"]


def test_a_shop_with_one_currency_does_not_ask_stripe_for_others(
    fake: FakeStripe, settings: Settings
) -> None:
    fake.add_product(
        id="prod_balm",
        name="BALM",
        metadata={"stock": "4"},
        prices=[{"unit_amount": 2500, "currency": "usd", "currency_options": {"eur": {"unit_amount": 2300}}}],
    )
    upsert_product(fetch_product("prod_balm"))

    [row] = Product.objects.get().prices
    assert "options" not in row and Product.objects.get().amounts == {}
    assert not any("expand" in str(call) for call in fake.calls)


@pytest.mark.usefixtures("others")
def test_amounts_of_shipping_rates_are_copied(fake: FakeStripe, settings: Settings) -> None:
    fixed: Any = {"amount": 500, "currency": "usd", "currency_options": {"eur": {"amount": 450}}}
    rate = stripe_client().v1.shipping_rates.create(
        {"display_name": "Post", "type": "fixed_amount", "fixed_amount": fixed}
    )
    settings.SHIPPING_RATES = [rate.id]

    assert refresh_shipping_rates(timezone.now()) == 1
    assert ShippingRate.objects.get().options == {"eur": 450}
    assert refresh_shipping_rates(timezone.now()) == 0


@pytest.mark.usefixtures("others")
def test_the_choice_is_made_by_address_and_remembered(client: Client) -> None:
    two_shirts()
    answer = client.get(f"{SHIRT}?size=M&currency=eur")

    assert (answer.status_code, answer["Location"]) == (302, f"{SHIRT}?size=M")
    assert "no-store" in answer["Cache-Control"]
    cookie = answer.cookies["currency"]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("eur", True, "Lax")
    assert "€23.00" in words_of(client.get(f"{SHIRT}?size=M"))
    client.get("/?currency=usd")
    assert "$25.00" in words_of(client.get(f"{SHIRT}?size=M"))


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("given", ["", "gbp", "EUR", "e" * 5000, "<script>", "eur\n", "ｅｕｒ"])
def test_other_values_of_the_address_change_nothing(client: Client, given: str) -> None:
    two_shirts()

    answer = client.get("/", {"currency": given})

    assert answer.status_code == 200 and "currency" not in answer.cookies


@pytest.mark.usefixtures("others")
def test_an_address_of_another_host_cannot_be_led_to(client: Client) -> None:
    for path in ("//evil.example/", "/\\evil.example/", "///evil.example"):
        answer = client.get(path + "?currency=eur")
        assert answer.status_code != 302 or re.match(r"/([^/\\]|\Z)", answer["Location"]), path


@pytest.mark.usefixtures("others")
def test_pages_show_the_chosen_currency_and_each_visitor_their_own(euros: Client) -> None:
    two_shirts()

    for path in ("/", "/products/", SHIRT, f"{SHIRT}?size=L", "/stock/prod_balm/"):
        dollars = words_of(Client().get(path))
        assert "€" in (text := words_of(euros.get(path))), path
        assert "€2" in text and "$2" not in text, path
        assert "$2" in dollars and "€2" not in dollars, path
    assert "€26.00" in words_of(euros.get(f"{SHIRT}?size=L"))
    assert 'data-price="€23.00"' in euros.get(SHIRT).content.decode()


@pytest.mark.usefixtures("others")
def test_lists_are_sorted_and_filtered_by_the_amounts_of_the_chosen_currency(euros: Client) -> None:
    two_shirts()
    on_shelf("prod_link", name="Song", metadata={"link": "https://m.example"}, prices=(), default_price_id="")
    shirt, other, song = "BALM T-Shirt", "Other", "Song"

    assert names_on(Client().get("/products/?sort=price")) == [other, shirt, song]
    assert names_on(euros.get("/products/?sort=price")) == [shirt, other, song]
    assert names_on(euros.get("/products/?sort=-price")) == [other, shirt, song]
    assert names_on(Client().get("/products/?to=24")) == [other]
    assert names_on(euros.get("/products/?to=24")) == [shirt]
    assert names_on(euros.get("/products/?from=26.01")) == [other]
    assert names_on(euros.get("/products/?from=29&to=29&in_stock=1")) == [other]


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    ("currency", "shown"), [("bhd", "BHD\N{NO-BREAK SPACE}9.500"), ("jpy", "¥3,900"), ("eur", "€23.00")]
)
def test_amounts_have_the_decimals_of_their_currency(client: Client, currency: str, shown: str) -> None:
    on_shelf(prices=(price(options=(EUR, BHD, JPY)),))

    client.cookies["currency"] = currency

    assert shown in client.get(SHIRT).content.decode()


@pytest.mark.usefixtures("others")
def test_what_other_programs_read_stays_in_the_currency_of_the_shop(euros: Client) -> None:
    two_shirts()

    html = euros.get(SHIRT).content.decode()
    graph = json.loads(re.findall(r'ld\+json">(.*?)</script>', html)[0])
    offers = [variant["offers"] for variant in graph["@graph"][0]["hasVariant"]]
    assert [(offer["priceCurrency"], offer["price"]) for offer in offers] == [
        ("USD", "25.00"),
        ("USD", "25.00"),
        ("USD", "28.00"),
    ]
    feed = b"".join(euros.get("/feeds/google.tsv").streaming_content).decode()  # type: ignore[attr-defined]
    assert "25.00 USD" in feed and "EUR" not in feed
    products = {product["id"]: product for product in euros.get("/api/products/").json()["products"]}
    assert products["prod_balm"]["prices"] == {"S": "25.00", "M": "25.00", "L": "28.00"}
    assert products["prod_balm"]["currency"] == "usd"


@pytest.mark.usefixtures("others")
def test_a_choice_that_is_no_longer_offered_ends_with_a_message(euros: Client) -> None:
    two_shirts()
    assert "€23.00" in words_of(euros.get(SHIRT))

    on_shelf("prod_usd", default_price_id="price_usd", prices=(price("price_usd", 900),))
    answer = euros.get(SHIRT)

    text = words_of(answer)
    assert "We no longer sell in EUR. Prices are in USD now." in text
    assert "$25.00" in text and "€" not in text
    assert answer.cookies["currency"]["max-age"] == 0
    assert "no longer sell" not in words_of(euros.get(SHIRT))


def test_a_choice_of_a_setting_that_was_removed_ends_with_a_message(euros: Client) -> None:
    two_shirts()

    assert "We no longer sell in EUR." in words_of(euros.get(SHIRT))
    assert "We no longer sell" not in words_of(euros.get(SHIRT))


@pytest.mark.parametrize("given", ["<b>", "eu", "EUR", "éur", "usd; x", "e" * 3000])
def test_a_cookie_that_the_shop_did_not_write_is_ignored(client: Client, given: str) -> None:
    on_shelf()
    client.cookies["currency"] = given

    answer = client.get(SHIRT)

    assert "$25.00" in words_of(answer) and "no longer" not in words_of(answer)


def test_a_shop_with_one_currency_has_no_switch(client: Client) -> None:
    on_shelf()

    for path in ("/", SHIRT, "/cart/"):
        assert "currency=" not in client.get(path).content.decode()
    answer = client.get(SHIRT + "?currency=eur")
    assert answer.status_code == 200 and "currency" not in answer.cookies


@pytest.mark.usefixtures("others")
def test_the_switch_names_each_currency_and_marks_the_chosen_one(euros: Client, settings: Settings) -> None:
    settings.SHOP_LANGUAGES = ["en", "de"]
    two_shirts()

    html = euros.get(f"/de{SHIRT}?size=M").content.decode()

    links = re.findall(
        r'<a href="([^"]*currency=(\w+))" rel="nofollow"\s*(aria-current)?[^>]*>([^<]*)</a>', html
    )
    assert links == [
        (f"/de{SHIRT}?size=M&amp;currency=usd", "usd", "", "USD $"),
        (f"/de{SHIRT}?size=M&amp;currency=eur", "eur", "aria-current", "EUR €"),
    ]


@pytest.mark.usefixtures("others")
def test_a_currency_costs_no_query(euros: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    two_shirts()

    for visitor in (Client(), euros):
        visitor.get(SHIRT)
        with django_assert_num_queries(2):
            visitor.get(SHIRT)
