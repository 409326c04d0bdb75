"""The calls that `stripe trigger` makes, and their results.

The fixtures are those of the Stripe CLI: a product without metadata and a price of 15.00, bought twice.
"""

import stripe

from fake_stripe import FakeStripe
from fake_stripe.tests.conftest import Receiver

ELSEWHERE = "https://httpbin.test/post"
MADE = "(created by Stripe CLI)"


def opened(client: stripe.StripeClient) -> str:
    product = client.v1.products.create({"name": "myproduct", "description": MADE})
    price = client.v1.prices.create({"product": product.id, "unit_amount": 1500, "currency": "usd"})
    session = client.v1.checkout.sessions.create(
        {
            "success_url": ELSEWHERE,
            "cancel_url": ELSEWHERE,
            "mode": "payment",
            "line_items": [{"price": price.id, "quantity": 2}],
        }
    )
    return session.id


def test_trigger_checkout_session_completed(
    fake: FakeStripe, client: stripe.StripeClient, receiver: Receiver
) -> None:
    session_id = opened(client)
    fake.pay(session_id, email="stripe@example.com", name="Jenny Rosen")
    fake.deliver_due()

    assert receiver.types() == [
        "product.created",
        "price.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    session = receiver.events()[-1].data.object
    assert (session["amount_total"], session["metadata"].to_dict()) == (3000, {})
    (line,) = client.v1.checkout.sessions.line_items.list(session_id).data
    assert line.quantity == 2
    assert line.metadata is not None
    assert line.metadata.to_dict() == {}


def test_trigger_checkout_session_expired(
    fake: FakeStripe, client: stripe.StripeClient, receiver: Receiver
) -> None:
    client.v1.checkout.sessions.expire(opened(client))
    fake.deliver_due()

    assert receiver.types() == ["product.created", "price.created", "checkout.session.expired"]
    assert receiver.events()[-1].data.object["payment_intent"] is None


def test_trigger_product_updated(fake: FakeStripe, client: stripe.StripeClient, receiver: Receiver) -> None:
    product = client.v1.products.create({"name": "myproduct", "description": MADE})
    client.v1.products.update(product.id, {"metadata": {"foo": "bar"}})
    fake.deliver_due()

    assert receiver.types() == ["product.created", "product.updated"]
    event = receiver.events()[-1].data.to_dict()
    assert event["previous_attributes"] == {"metadata": {"foo": None}}
    assert event["object"]["metadata"] == {"foo": "bar"}


def test_trigger_charge_refunded(fake: FakeStripe, client: stripe.StripeClient, receiver: Receiver) -> None:
    charge = client.v1.charges.create(
        {"source": "tok_visa", "amount": 100, "currency": "usd", "description": MADE}
    )
    client.v1.refunds.create({"charge": charge.id})
    fake.deliver_due()

    assert receiver.types() == ["charge.succeeded", "refund.created", "charge.refunded"]
    refunded = receiver.events()[-1].data.object
    assert (refunded["refunded"], refunded["payment_intent"]) == (True, None)
    assert client.v1.checkout.sessions.list().data == []


def test_trigger_payment_intent_succeeded_and_failed(
    fake: FakeStripe, client: stripe.StripeClient, receiver: Receiver
) -> None:
    client.v1.payment_intents.create(
        {"amount": 2000, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
    )
    declined = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    try:
        client.v1.payment_intents.confirm(declined.id, {"payment_method": "pm_card_chargeDeclined"})
    except stripe.CardError as error:
        assert (error.http_status, error.code) == (402, "card_declined")
    else:
        raise AssertionError("a declined card answers 402")
    fake.deliver_due()

    assert receiver.types() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
