"""The demo fills an empty Stripe account once, and keeps later changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from demo.account import prepare
from demo.catalog import SAMPLES
from demo.stripe_api import StripeApi, StripeSaid
from fake_stripe import FakeStripe
from fake_stripe.server import Server

IMAGES = "http://127.0.0.1:8002"
WEBHOOK = "http://127.0.0.1:8000/stripe/webhook/"


@pytest.fixture
def account() -> FakeStripe:
    return FakeStripe(secret_key="sk_test_of_this_test")


@pytest.fixture
def stripe(account: FakeStripe) -> Iterator[StripeApi]:
    server = Server(account)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield StripeApi(account.base_url, account.secret_key)
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_empty_account_gets_the_catalog_with_its_prices(stripe: StripeApi, account: FakeStripe) -> None:
    prepare(stripe, image_origin=IMAGES, webhook_url=WEBHOOK)

    assert {product["name"] for product in account.products.values()} == {sample.name for sample in SAMPLES}
    balm = account.products["prod_balm_tshirt"]
    assert balm["metadata"]["stock_M"] == "15"
    assert balm["images"][0] == f"{IMAGES}/tee/balm/White.svg"
    amounts = {
        price["metadata"].get("size", "default"): price["unit_amount"]
        for price in account.prices.values()
        if price["product"] == "prod_balm_tshirt"
    }
    assert amounts == {"default": 2500, "3XL": 2800}
    assert account.products["prod_slow_weather"]["default_price"] is None


def test_a_second_start_changes_nothing(stripe: StripeApi, account: FakeStripe) -> None:
    prepare(stripe, image_origin=IMAGES, webhook_url=WEBHOOK)
    account.dashboard.edit_product("prod_balm_tshirt", metadata={"stock_M": "7"})
    before = dict(account.products)

    prepare(stripe, image_origin=IMAGES, webhook_url=WEBHOOK)

    assert dict(account.products) == before
    assert stripe.stock("prod_balm_tshirt", "M") == "7"


def test_own_images_follow_their_port_and_other_images_stay(stripe: StripeApi, account: FakeStripe) -> None:
    prepare(stripe, image_origin=IMAGES, webhook_url=WEBHOOK)
    stripe.post("/v1/products/prod_fern", {"images": ["https://pictures.example/fern.jpg"]})

    prepare(stripe, image_origin="http://127.0.0.1:9002", webhook_url=WEBHOOK)

    assert account.products["prod_balm_tshirt"]["images"][0] == "http://127.0.0.1:9002/tee/balm/White.svg"
    assert account.products["prod_fern"]["images"] == ["https://pictures.example/fern.jpg"]


def test_an_endpoint_on_the_port_of_an_earlier_run_is_deleted(stripe: StripeApi, account: FakeStripe) -> None:
    account.add_webhook_endpoint("http://127.0.0.1:7999/stripe/webhook/")
    account.add_webhook_endpoint(WEBHOOK)

    prepare(stripe, image_origin=IMAGES, webhook_url=WEBHOOK)

    assert [endpoint["url"] for endpoint in account.webhook_endpoints.values()] == [WEBHOOK]


def test_an_error_names_the_request_and_stripes_answer(stripe: StripeApi) -> None:
    with pytest.raises(StripeSaid, match=r"GET /v1/products/prod_nowhere: 404 .*No such product"):
        stripe.stock("prod_nowhere", "M")
