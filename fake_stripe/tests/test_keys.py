"""API keys, permissions, modes, versions, other accounts and unknown paths."""

import base64
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.tests.conftest import open_session


def client_of(fake: FakeStripe, key: str) -> stripe.StripeClient:
    return stripe.StripeClient(key, http_client=fake.http_client())


def test_a_wrong_key_is_a_401_with_the_key_masked(fake: FakeStripe) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        client_of(fake, "sk_test_wrong_but_secret_1234").v1.products.list()

    assert refused.value.http_status == 401
    assert "secret" not in str(refused.value.user_message)
    assert "1234" in str(refused.value.user_message)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Digest x", "Basic !!!", "Basic /w==", "Basic"])
def test_no_key_is_a_401(fake: FakeStripe, header: str) -> None:
    status, answer = fake.call("GET", "/v1/products", authorization=header)

    assert (status, answer["error"]["type"]) == (401, "invalid_request_error")


def test_a_key_may_be_sent_with_basic_authentication(fake: FakeStripe) -> None:
    header = "Basic " + base64.b64encode(b"sk_test_fake:").decode()

    assert fake.call("GET", "/v1/products", authorization=header)[0] == 200


def test_a_restricted_key_has_only_its_permissions(fake: FakeStripe, shirt: Any) -> None:
    fake.keys.add("rk_test_1", {"products": "read", "checkout_sessions": "write"})
    restricted = client_of(fake, "rk_test_1")

    assert restricted.v1.products.retrieve("prod_shirt").id == "prod_shirt"
    assert open_session(restricted, shirt["default_price"]).status == "open"
    assert restricted.v1.checkout.sessions.list().data
    with pytest.raises(stripe.PermissionError) as refused:
        restricted.v1.products.update("prod_shirt", {"name": "B"})
    assert refused.value.http_status == 403
    with pytest.raises(stripe.PermissionError):
        restricted.v1.events.list()
    assert fake.products["prod_shirt"]["name"] == "BALM T-Shirt"


def test_a_revoked_key_is_a_401(fake: FakeStripe) -> None:
    fake.keys.revoke("sk_test_fake")

    with pytest.raises(stripe.AuthenticationError):
        client_of(fake, "sk_test_fake").v1.products.list()


def test_test_and_live_mode_are_separate(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    fake.keys.add("sk_live_1")
    live = client_of(fake, "sk_live_1")
    product = live.v1.products.create({"name": "Live"})

    assert [p.id for p in live.v1.products.list()] == [product.id]
    assert [p.id for p in client.v1.products.list()] == ["prod_shirt"]
    assert [e.type for e in live.v1.events.list()] == ["product.created"]
    assert client.v1.events.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="exists in test mode"):
        live.v1.products.retrieve("prod_shirt")
    with pytest.raises(stripe.InvalidRequestError, match="exists in live mode"):
        client.v1.products.retrieve(product.id)


def test_a_live_account_creates_live_objects() -> None:
    fake = FakeStripe("sk_live_mine")
    product = fake.add_product(name="A", prices=[{"unit_amount": 500}])
    client = client_of(fake, "sk_live_mine")

    session = open_session(client, product["default_price"])
    paid = fake.pay(session.id)
    client.v1.refunds.create({"payment_intent": paid["payment_intent"]})

    assert session.id.startswith("cs_live_")
    assert session.livemode is True
    assert len(client.v1.refunds.list().data) == 1
    assert {event["livemode"] for event in fake.events.values()} == {True}


def test_an_invalid_version_is_refused(fake: FakeStripe) -> None:
    assert fake.call("GET", "/v1/products", stripe_version="2025-09-30.clover")[0] == 200
    for version in ("latest", "2099-13-99", "2026-00-10", "2026-10-28.", "٢٠٢٦-10-28"):
        assert fake.call("GET", "/v1/products", stripe_version=version)[0] == 400


def test_other_accounts_are_refused(fake: FakeStripe) -> None:
    status, answer = fake.call("GET", "/v1/products", stripe_account="acct_1")

    assert (status, answer["error"]["code"]) == (403, "account_invalid")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/balance"),
        ("POST", "/v1/customers"),
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("PUT", "/v1/products"),
        ("DELETE", "/v1/prices/price_1"),
        ("GET", "/v1/products/prod_shirt/nothing"),
        ("POST", "/v1/products/"),
        ("GET", "/v2/core/events"),
    ],
)
def test_an_unknown_path_is_a_404(fake: FakeStripe, method: str, path: str) -> None:
    status, answer = fake.call(method, path)

    assert status == 404
    assert answer["error"]["type"] == "invalid_request_error"
    assert answer["error"]["message"].startswith(f"Unrecognized request URL ({method}: {path})")
