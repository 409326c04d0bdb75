"""Behavior of both the fake and Stripe itself.

Each test runs against the fake; with STRIPE_CONTRACT_KEY set to the secret key of a sandbox (sk_test_...) each
also runs against Stripe. The tests use new ids, do not depend on the content of the account, and archive or
delete what they create.
"""

import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe

KEY = os.environ.get("STRIPE_CONTRACT_KEY", "")
THANKS = "https://example.com/thanks?session={CHECKOUT_SESSION_ID}"


@dataclass
class Tried:
    """The account under test: the client, how long to wait for events, and the created products."""

    client: stripe.StripeClient
    patience: float
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    products: list[str] = field(default_factory=list)

    def product(self, **params: Any) -> stripe.Product:
        asked: Any = {"name": f"Contract {self.run}", **params}
        created = self.client.v1.products.create(asked)
        self.products.append(created.id)
        return created

    def priced(self, amount: int = 1500) -> str:
        created = self.product(default_price_data={"currency": "usd", "unit_amount": amount})
        return str(created.default_price)

    def session(self, price: str, **params: Any) -> Any:
        lines = [{"price": price, "quantity": 2, "metadata": {"size": "M"}}]
        asked: Any = {"mode": "payment", "success_url": THANKS, "line_items": lines, **params}
        return self.client.v1.checkout.sessions.create(asked)

    def payment(self, amount: int) -> stripe.PaymentIntent:
        return self.client.v1.payment_intents.create(
            {
                "amount": amount,
                "currency": "usd",
                "confirm": True,
                "payment_method": "pm_card_visa",
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            }
        )

    def events(self, type: str, object_id: str, count: int = 1) -> list[stripe.Event]:
        """Wait for `count` events of `type` about an object; returns them oldest first."""
        until = time.monotonic() + self.patience
        while True:
            listed = self.client.v1.events.list({"type": type, "limit": 100}).data
            found = [event for event in reversed(listed) if event.data.object["id"] == object_id]
            if len(found) >= count or time.monotonic() > until:
                return found
            time.sleep(1)

    def clean(self) -> None:
        for id in self.products:
            try:
                self.client.v1.products.delete(id)
            except stripe.InvalidRequestError:
                self.client.v1.products.update(id, {"active": False})


@pytest.fixture(
    params=[
        "fake",
        pytest.param(
            "sandbox",
            marks=[
                pytest.mark.enable_socket,
                pytest.mark.skipif(not KEY, reason="STRIPE_CONTRACT_KEY is not set"),
            ],
        ),
    ]
)
def account(request: pytest.FixtureRequest) -> Iterator[Tried]:
    if request.param == "fake":
        fake = FakeStripe()
        tried = Tried(stripe.StripeClient("sk_test_fake", http_client=fake.http_client()), patience=0)
    else:
        if not KEY.startswith(("sk_test_", "rk_test_")):
            pytest.fail("STRIPE_CONTRACT_KEY must be the key of a sandbox: these tests write.")
        tried = Tried(stripe.StripeClient(KEY, max_network_retries=2), patience=20)
    yield tried
    tried.clean()


# metadata


def test_metadata_merges_by_key(account: Tried) -> None:
    product = account.product(metadata={"stock_S": "4", "stock_M": "15"})

    updated = account.client.v1.products.update(product.id, {"metadata": {"stock_M": "13", "mark": "1"}})

    assert updated.metadata.to_dict() == {"stock_S": "4", "stock_M": "13", "mark": "1"}


def test_an_empty_value_unsets_one_key_and_empty_metadata_unsets_all(account: Tried) -> None:
    product = account.product(metadata={"a": "1", "b": "2"})

    one = account.client.v1.products.update(product.id, {"metadata": {"a": ""}})
    none = account.client.v1.products.update(product.id, {"metadata": ""})

    assert one.metadata.to_dict() == {"b": "2"}
    assert none.metadata.to_dict() == {}


@pytest.mark.parametrize("metadata", [{"k" * 41: "v"}, {"k": "v" * 501}, {f"k{n}": "v" for n in range(51)}])
def test_metadata_has_limits(account: Tried, metadata: dict[str, str]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        account.product(metadata=metadata)

    assert refused.value.http_status == 400


def test_an_update_event_has_the_old_values_of_the_changed_keys(account: Tried) -> None:
    product = account.product(metadata={"stock_S": "4", "stock_M": "15"})
    key = f"{account.run}/7"

    account.client.v1.products.update(
        product.id, {"metadata": {"stock_M": "13", "stock_S": "4", "mark": "1"}}, {"idempotency_key": key}
    )

    (event,) = account.events("product.updated", product.id)
    event_data = event.data.to_dict()
    assert event_data["previous_attributes"]["metadata"] == {"stock_M": "15", "mark": None}
    assert event_data["object"]["metadata"] == {"stock_S": "4", "stock_M": "13", "mark": "1"}
    assert event.request is not None
    assert event.request.idempotency_key == key
    assert event.request.id is not None
    assert event.request.id.startswith("req_")


# idempotency


def test_a_key_makes_a_request_run_once(account: Tried) -> None:
    product = account.product(metadata={"n": "0"})
    options: Any = {"idempotency_key": f"{account.run}/once"}
    change: Any = {"metadata": {"n": "1"}}

    first = account.client.v1.products.update(product.id, change, options)
    account.client.v1.products.update(product.id, {"metadata": {"n": "2"}})
    again = account.client.v1.products.update(product.id, change, options)

    assert again.metadata["n"] == "1"
    assert account.client.v1.products.retrieve(product.id).metadata["n"] == "2"
    assert first.last_response is not None
    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert again.last_response.headers["original-request"] == first.last_response.request_id


def test_a_key_cannot_be_reused_with_other_parameters(account: Tried) -> None:
    product = account.product()
    options: Any = {"idempotency_key": f"{account.run}/other"}
    account.client.v1.products.update(product.id, {"metadata": {"n": "1"}}, options)

    with pytest.raises(stripe.IdempotencyError) as refused:
        account.client.v1.products.update(product.id, {"metadata": {"n": "2"}}, options)

    assert refused.value.http_status == 400


def test_a_refusal_is_stored_under_its_key(account: Tried) -> None:
    """A refusal that depends on the state counts as executed, so it is replayed after the state has changed."""
    product = account.product(default_price_data={"currency": "usd", "unit_amount": 1500})
    price, prices = str(product.default_price), account.client.v1.prices
    options: Any = {"idempotency_key": f"{account.run}/refused"}
    with pytest.raises(stripe.InvalidRequestError) as first:
        prices.update(price, {"active": False}, options)
    other = prices.create({"product": product.id, "currency": "usd", "unit_amount": 1600})
    account.client.v1.products.update(product.id, {"default_price": other.id})

    with pytest.raises(stripe.InvalidRequestError) as again:
        prices.update(price, {"active": False}, options)

    assert (first.value.http_status, again.value.http_status) == (400, 400)
    assert again.value.headers is not None
    assert again.value.headers["idempotent-replayed"] == "true"
    assert prices.update(price, {"active": False}).active is False


# lists


def test_pages_are_listed_newest_first(account: Tried) -> None:
    url = f"https://example.com/{account.run}"
    created = [account.product(url=url).id for _ in range(3)]
    products = account.client.v1.products

    first = products.list({"url": url, "limit": 2})
    rest = products.list({"url": url, "limit": 2, "starting_after": first.data[-1].id})
    back = products.list({"url": url, "limit": 2, "ending_before": rest.data[0].id})

    assert (len(first.data), first.has_more) == (2, True)
    assert (len(rest.data), rest.has_more) == (1, False)
    assert sorted(p.id for p in [*first.data, *rest.data]) == sorted(created)
    assert [p.id for p in back] == [p.id for p in first]


def test_ids_cannot_be_combined_with_a_cursor(account: Tried) -> None:
    ids = [account.product().id for _ in range(2)]

    with pytest.raises(stripe.InvalidRequestError) as refused:
        account.client.v1.products.list({"ids": ids, "starting_after": ids[0]})

    assert refused.value.http_status == 400


@pytest.mark.parametrize(
    "params", [{"limit": 101}, {"limit": 0}, {"starting_after": "prod_0"}, {"color": "red"}]
)
def test_a_list_refuses_unknown_parameters(account: Tried, params: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        account.client.v1.products.list(params)

    assert refused.value.http_status == 400


def test_an_unknown_product_is_a_404(account: Tried) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        account.client.v1.products.retrieve(f"prod_{account.run}")

    assert (missing.value.http_status, missing.value.code, missing.value.param) == (
        404,
        "resource_missing",
        "id",
    )
    assert str(missing.value.user_message) == f"No such product: 'prod_{account.run}'"


# sessions


def test_a_session_has_totals_and_the_metadata_of_its_lines(account: Tried) -> None:
    session = account.session(account.priced(1500), metadata={"order": account.run})

    (line,) = account.client.v1.checkout.sessions.line_items.list(
        session.id, {"expand": ["data.price.product"]}
    ).data

    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 3000)
    assert session.metadata.to_dict() == {"order": account.run}
    assert line.metadata is not None
    assert (line.quantity, line.amount_total, line.metadata.to_dict()) == (2, 3000, {"size": "M"})
    assert line.price is not None
    assert isinstance(line.price.product, stripe.Product)


@pytest.mark.parametrize("seconds", [29 * 60, 24 * 3600 + 120])
def test_a_session_expires_after_half_an_hour_to_a_day(account: Tried, seconds: int) -> None:
    price = account.priced()

    with pytest.raises(stripe.InvalidRequestError) as refused:
        account.session(price, expires_at=int(time.time()) + seconds)

    assert refused.value.param == "expires_at"


def test_an_open_session_expires_once(account: Tried) -> None:
    session = account.session(account.priced())
    sessions = account.client.v1.checkout.sessions

    expired = sessions.expire(session.id)

    assert (expired.status, expired.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError) as again:
        sessions.expire(session.id)
    assert again.value.http_status == 400
    assert len(account.events("checkout.session.expired", session.id)) == 1


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"ui_mode": "hosted"}, "ui_mode"),
        ({"nonsense": "1"}, "nonsense"),
    ],
)
def test_the_current_version_refuses_removed_values(account: Tried, change: Any, param: str) -> None:
    price = account.priced()

    with pytest.raises(stripe.InvalidRequestError) as refused:
        account.session(price, **change)

    assert refused.value.param == param


# refunds


def test_refunds_cannot_exceed_the_payment(account: Tried) -> None:
    intent = account.payment(3000)
    refunds = account.client.v1.refunds

    part = refunds.create({"payment_intent": intent.id, "amount": 1000, "metadata": {"stock_M": "1"}})
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        refunds.create({"payment_intent": intent.id, "amount": 2001})
    refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        refunds.create({"payment_intent": intent.id})

    charge = account.client.v1.charges.retrieve(str(intent.latest_charge))
    assert part.metadata is not None
    assert part.metadata.to_dict() == {"stock_M": "1"}
    assert (charge.amount_refunded, charge.refunded) == (3000, True)
    assert too_much.value.http_status == 400
    assert nothing_left.value.code == "charge_already_refunded"


def test_a_partial_refund_emits_charge_refunded(account: Tried) -> None:
    intent = account.payment(3000)
    for amount in (1000, 2000):
        account.client.v1.refunds.create({"payment_intent": intent.id, "amount": amount})

    events = account.events("charge.refunded", str(intent.latest_charge), count=2)

    before = [event.data.to_dict()["previous_attributes"]["amount_refunded"] for event in events]
    assert sorted(before) == [0, 1000]
