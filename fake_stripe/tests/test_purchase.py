"""A complete purchase, from the product to the delivered event."""

from typing import Any

import stripe

from fake_stripe import FakeStripe
from fake_stripe.tests.conftest import Receiver, open_session


def test_a_purchase_ends_with_a_paid_session_and_a_signed_event(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    session = open_session(client, shirt["default_price"], 2, metadata={"order": "o1"})

    fake.pay(session.id, email="ada@example.com")
    fake.deliver_due()

    paid = client.v1.checkout.sessions.retrieve(session.id)
    assert (paid.status, paid.payment_status, paid.amount_total) == ("complete", "paid", 5000)
    assert paid.url is None
    assert receiver.types() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    completed = receiver.events()[-1]
    assert completed.data.object["metadata"].to_dict() == {"order": "o1"}
    assert completed.data.object["customer_details"]["email"] == "ada@example.com"


def test_the_completed_event_has_no_line_items_and_names_no_request(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    session = open_session(client, shirt["default_price"])

    fake.pay(session.id)
    fake.deliver_due()

    completed = receiver.events()[-1]
    assert "line_items" not in completed.data.object
    assert completed.request is not None
    assert (completed.request.id, completed.request.idempotency_key) == (None, None)


def test_lowering_the_stock_changes_only_that_key(client: stripe.StripeClient, shirt: Any) -> None:
    product = client.v1.products.update("prod_shirt", {"metadata": {"stock_M": "13"}})

    assert product.metadata.to_dict() == {
        "category": "clothing",
        "sizes": "S,M",
        "stock_S": "4",
        "stock_M": "13",
    }


def test_the_same_seed_gives_the_same_ids() -> None:
    ids = []
    for _ in range(2):
        fake = FakeStripe(seed="s", now=0)
        client = stripe.StripeClient("sk_test_fake", http_client=fake.http_client())
        ids.append([client.v1.products.create({"name": "A"}).id for _ in range(3)])

    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


def test_calls_are_recorded_with_their_parameters(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.forget_calls()

    client.v1.products.update(
        "prod_shirt", {"metadata": {"stock_M": "13"}}, {"idempotency_key": "shop/prod/1"}
    )

    (call,) = fake.calls
    assert (call.method, call.path, call.status) == ("POST", "/v1/products/prod_shirt", 200)
    assert call.params == {"metadata": {"stock_M": "13"}}
    assert call.idempotency_key == "shop/prod/1"
    assert call.request_id.startswith("req_")


def test_reading_returns_copies(fake: FakeStripe, shirt: Any) -> None:
    fake.products["prod_shirt"]["metadata"]["stock_M"] = "99"

    assert fake.products["prod_shirt"]["metadata"]["stock_M"] == "15"
    assert list(fake.products) == ["prod_shirt"]
    assert len(fake.prices) == 1


def test_actions_return_copies(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    paid = fake.pay(open_session(client, shirt["default_price"]).id)
    edited = fake.dashboard.edit_product("prod_shirt", metadata={"stock_M": "9"})
    paid["metadata"]["order"] = edited["metadata"]["stock_M"] = shirt["metadata"]["stock_M"] = "lost"

    assert fake.sessions[paid["id"]]["metadata"] == {}
    assert fake.products["prod_shirt"]["metadata"]["stock_M"] == "9"
    assert "lost" not in str([*fake.events.values()])
