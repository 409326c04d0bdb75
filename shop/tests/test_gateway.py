"""Tests of fetching products, through the real stripe library and the fake."""

import pytest
from pytest_django import Settings

from config import stripe_client
from fake_stripe import FakeStripe
from shop.gateway import fetch_product, iter_products


def test_a_product_is_fetched_with_metadata_and_active_prices(fake: FakeStripe) -> None:
    fake.add_product(
        id="prod_balm",
        name="BALM T-Shirt",
        description="A shirt.",
        metadata={"sizes": "S,M", "stock_S": "3"},
        images=["https://cdn.example/balm.jpg"],
        prices=[
            {"unit_amount": 2500, "currency": "usd", "default": True},
            {"unit_amount": 2800, "currency": "usd", "metadata": {"size": "M"}},
        ],
    )

    product = fetch_product("prod_balm")

    assert product.name == "BALM T-Shirt"
    assert product.metadata == {"sizes": "S,M", "stock_S": "3"}
    assert product.images == ("https://cdn.example/balm.jpg",)
    assert sorted((price.unit_amount, price.size) for price in product.prices) == [(2500, ""), (2800, "M")]
    assert product.default_price_id in {price.id for price in product.prices}
    assert not product.deleted


def test_origin_fault_22_stripe_objects_are_not_used_as_dicts(fake: FakeStripe) -> None:
    fake.add_product(id="prod_bare", name="Bare")

    product = fetch_product("prod_bare")

    assert type(product.metadata) is dict
    assert (product.metadata, product.description, product.images) == ({}, "", ())
    assert (product.default_price_id, product.prices) == ("", ())


def test_a_product_unknown_to_stripe_is_deleted(fake: FakeStripe) -> None:
    product = fetch_product("prod_never")

    assert (product.id, product.deleted, product.active) == ("prod_never", True, False)


def test_origin_fault_13_more_than_a_hundred_products_are_read_page_by_page(fake: FakeStripe) -> None:
    for number in range(230):
        fake.add_product(
            id=f"prod_{number:03}",
            name=f"Shirt {number}",
            active=number % 10 != 0,
            prices=[{"unit_amount": 100 + number, "currency": "usd", "default": True}],
        )
    fake.forget_calls()

    products = list(iter_products())

    assert sorted(product.id for product in products) == [f"prod_{number:03}" for number in range(230)]
    assert {product.prices[0].unit_amount for product in products} == set(range(100, 330))
    assert sum(not product.active for product in products) == 23
    assert len(fake.calls) == 6  # three pages of prices, three of products


def test_without_a_key_the_error_names_the_setting(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""

    with pytest.raises(stripe_client.NotConfigured, match="STRIPE_SECRET_KEY"):
        fetch_product("prod_balm")


def test_with_a_wrong_key_the_error_names_the_setting(fake: FakeStripe, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"

    with pytest.raises(stripe_client.AuthenticationFailed, match="STRIPE_SECRET_KEY"):
        list(iter_products())


def test_characters_that_databases_cannot_store_are_replaced(fake: FakeStripe) -> None:
    # PostgreSQL rejects NUL, and every database rejects lone surrogates. Stripe's JSON may contain both.
    fake.add_product(
        id="prod_odd",
        name="Odd\x00",
        description="a\x00b",
        images=["https://cdn.example/\x00"],
        metadata={"category": "a\x00", "note\x00": "\ud800"},
        prices=[{"unit_amount": 2500, "currency": "usd", "metadata": {"size": "S\x00"}}],
    )

    product = fetch_product("prod_odd")

    assert (product.name, product.description, product.images) == ("Odd?", "a?b", ("https://cdn.example/?",))
    assert product.metadata == {"category": "a?", "note?": "?"}
    assert product.prices[0].size == "S?"
