"""Tests of storing products fetched from Stripe."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from fake_stripe import FakeStripe
from shop import gateway
from shop.mirror import category_slug, dry_run_outcome, upsert_product
from shop.models import Product
from shop.tests.factories import LONG_AGO, price, stripe_product

pytestmark = pytest.mark.django_db

LATER = LONG_AGO + timedelta(minutes=1)


def problems_after(**changes: Any) -> list[str]:
    upsert_product(stripe_product(**changes))
    return list(Product.objects.get().problems)


def test_a_new_product_is_created_with_its_prices() -> None:
    outcome = upsert_product(stripe_product(prices=(price(), price("price_3xl", 2800, size="L"))))

    product = Product.objects.get()
    assert outcome == "created"
    assert product.sizes == ["S", "M", "L"]
    assert product.price_for("M").id == "price_std"  # type: ignore[union-attr]
    assert product.price_for("L").unit_amount == 2800  # type: ignore[union-attr]
    assert (product.lowest_amount, product.highest_amount) == (2500, 2800)
    assert product.problems == []


def test_an_unchanged_product_is_not_written() -> None:
    upsert_product(stripe_product())

    with CaptureQueriesContext(connection) as queries:
        outcome = upsert_product(stripe_product(fetched_at=LATER))

    assert outcome == "unchanged"
    assert not [query for query in queries if query["sql"].startswith(("UPDATE", "INSERT"))]


def test_a_changed_product_is_updated() -> None:
    upsert_product(stripe_product())

    assert dry_run_outcome(stripe_product(name="BALM Tee", fetched_at=LATER)) == "updated"
    assert upsert_product(stripe_product(name="BALM Tee", fetched_at=LATER)) == "updated"
    assert Product.objects.get().name == "BALM Tee"


def test_older_data_never_overwrites_newer_data() -> None:
    upsert_product(stripe_product(name="new", fetched_at=LATER))

    assert dry_run_outcome(stripe_product(name="old", fetched_at=LONG_AGO)) == "unchanged"
    assert upsert_product(stripe_product(name="old", fetched_at=LONG_AGO)) == "unchanged"
    assert Product.objects.get().name == "new"


def test_an_archived_product_is_kept_but_not_visible() -> None:
    upsert_product(stripe_product(active=False))

    assert Product.objects.get().active is False
    assert not Product.objects.visible()


def test_a_deleted_product_keeps_its_data() -> None:
    upsert_product(stripe_product())

    outcome = upsert_product(stripe_product(deleted=True, name="", metadata={}, fetched_at=LATER))

    product = Product.objects.get()
    assert (outcome, product.deleted, product.name) == ("updated", True, "BALM T-Shirt")
    assert not Product.objects.visible()


def test_a_deleted_product_that_was_never_stored_creates_no_row() -> None:
    assert upsert_product(stripe_product(deleted=True)) == "unchanged"
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"active": False}, "it is archived."),
        ({"recurring": True}, "it is recurring; the shop takes one-time payments only."),
        ({"tiered": True, "unit_amount": None}, "it is tiered; the shop needs a single amount."),
        ({"custom": True, "unit_amount": None}, "its amount is chosen by the customer."),
        ({"unit_amount": None}, "it has no amount in whole minor units."),
        ({"currency": "eur"}, "it is in EUR, but the shop sells in USD."),
    ],
)
def test_an_unusable_price_is_a_problem_and_not_used(changes: dict[str, Any], problem: str) -> None:
    problems = problems_after(prices=(price(**changes),))

    assert problems == [f"The price price_std cannot be used: {problem}", "There is no price for S, M, L."]
    assert Product.objects.get().price_for("S") is None


def test_a_price_with_a_misspelled_size_key_is_a_problem(fake: FakeStripe) -> None:
    """It would be for every size, and size L would have the default price without notice."""
    prices = [
        {"unit_amount": 2500, "currency": "usd", "default": True},
        {"unit_amount": 2900, "currency": "usd", "metadata": {"Size": "L"}},
    ]
    made = fake.add_product(id="prod_a", name="Tee", metadata={"sizes": "M,L"}, prices=prices)
    large = next(id for id in fake.prices if id != made["default_price"])

    upsert_product(gateway.fetch_product("prod_a"))

    assert Product.objects.get().problems == [
        f"The key “Size” of the price {large} is ignored; it must be “size”."
    ]


def test_the_currency_of_the_shop_is_a_setting(settings: Settings) -> None:
    settings.SHOP_CURRENCY = "jpy"

    assert problems_after(prices=(price(currency="jpy", unit_amount=2500),)) == []


def test_an_image_from_another_origin_is_a_problem_and_not_stored(settings: Settings) -> None:
    settings.ALLOWED_IMAGE_ORIGINS = ["https://cdn.example"]

    problems = problems_after(images=("https://cdn.example/1.jpg", "https://else.example/2.jpg"))

    assert Product.objects.get().images == ["https://cdn.example/1.jpg"]
    assert len(problems) == 1


def test_origin_fault_18_images_come_from_the_product_not_from_its_id() -> None:
    for id in ("prod_test_mode", "prod_live_mode"):
        upsert_product(stripe_product(id, images=("https://cdn.example/balm.jpg",)))

    assert {tuple(product.images) for product in Product.objects.all()} == {("https://cdn.example/balm.jpg",)}


def test_a_product_with_a_link_needs_no_price() -> None:
    metadata = {"category": "music", "streamUrl": "https://music.example/album"}

    assert problems_after(metadata=metadata, prices=(), default_price_id="") == []
    assert Product.objects.get().link == "https://music.example/album"


def test_a_product_with_only_invalid_data_is_still_stored() -> None:
    problems = problems_after(
        name=" ",
        metadata={"sizes": ",", "Colors": "Black", "link": "javascript:alert(1)"},
        images=("ftp://x",),
        prices=(),
        default_price_id="",
    )

    assert len(problems) >= 5


def test_texts_are_cut_to_the_length_of_their_columns() -> None:
    # “ﷺ” is one character, and eighteen in a slug. PostgreSQL enforces the length, SQLite does not.
    upsert_product(stripe_product(name="x" * 5001, metadata={"category": "ﷺ" * 100, "sizes": "S"}))

    product = Product.objects.get()
    texts = [field for field in Product._meta.concrete_fields if field.max_length]
    assert [
        field.name for field in texts if len(getattr(product, field.name)) > (field.max_length or 0)
    ] == []
    assert product.category_slug and product.category_slug == category_slug("ﷺ" * 100)
