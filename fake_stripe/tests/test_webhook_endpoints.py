"""Webhook endpoints and their secrets."""

from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.tests.conftest import Receiver

URL = "https://shop.test/stripe/webhook/"


def make(client: stripe.StripeClient, **more: Any) -> stripe.WebhookEndpoint:
    asked: Any = {"url": URL, "enabled_events": ["product.updated"]}
    asked.update(more)
    return client.v1.webhook_endpoints.create(asked)


def test_the_secret_is_shown_once(client: stripe.StripeClient) -> None:
    created = make(client, api_version="2026-10-28.endive")

    assert created.secret is not None
    assert created.secret.startswith("whsec_")
    assert (created.status, created.api_version) == ("enabled", "2026-10-28.endive")
    assert "secret" not in client.v1.webhook_endpoints.retrieve(created.id)
    assert "secret" not in client.v1.webhook_endpoints.list().data[0]
    assert "secret" not in client.v1.webhook_endpoints.update(created.id, {"description": "d"})


def test_an_endpoint_receives_only_its_event_types(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    (everything,) = fake.webhook_endpoints
    client.v1.webhook_endpoints.update(everything, {"enabled_events": ["price.updated"]})

    client.v1.products.update("prod_shirt", {"name": "B"})
    client.v1.prices.update(shirt["default_price"], {"nickname": "n"})
    fake.deliver_due()

    assert receiver.types() == ["price.updated"]


def test_a_disabled_endpoint_receives_nothing_until_it_is_enabled(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    (id,) = fake.webhook_endpoints
    assert client.v1.webhook_endpoints.update(id, {"disabled": True}).status == "disabled"
    client.v1.products.update("prod_shirt", {"name": "B"})
    client.v1.webhook_endpoints.update(id, {"disabled": False})
    client.v1.products.update("prod_shirt", {"name": "C"})
    fake.deliver_due()

    assert [event.data.object["name"] for event in receiver.events()] == ["C"]


def test_a_deleted_endpoint_receives_nothing(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    client.v1.products.update("prod_shirt", {"name": "B"})
    (id,) = fake.webhook_endpoints

    assert client.v1.webhook_endpoints.delete(id).deleted is True
    (attempt,) = fake.deliver_due()

    assert receiver.got == []
    assert attempt["ok"] is False
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.webhook_endpoints.retrieve(id)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"url": "ftp://shop.test"}, "url"),
        ({"url": None}, "url"),
        ({"enabled_events": None}, "enabled_events"),
        ({"enabled_events": []}, "enabled_events"),
        ({"enabled_events": ["*", "product.updated"]}, "enabled_events"),
        ({"enabled_events": ["Nonsense!"]}, "enabled_events[0]"),
        ({"enabled_events": ["price.updated", "checkout.session.complete"]}, "enabled_events[1]"),
        ({"api_version": "yesterday"}, "api_version"),
        ({"api_version": "2026-13-99"}, "api_version"),
    ],
)
def test_an_invalid_endpoint_is_refused(
    fake: FakeStripe, client: stripe.StripeClient, change: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        make(client, **change)

    assert refused.value.param == param
    assert len(fake.webhook_endpoints) == 0


def test_the_version_of_an_endpoint_cannot_be_changed(client: stripe.StripeClient) -> None:
    created = make(client)
    version: Any = {"api_version": "2026-10-28.endive"}

    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.webhook_endpoints.update(created.id, version)

    assert refused.value.code == "parameter_unknown"


def test_there_are_at_most_sixteen_endpoints(client: stripe.StripeClient) -> None:
    for _ in range(16):
        make(client)

    with pytest.raises(stripe.InvalidRequestError, match="maximum"):
        make(client)


def test_both_secrets_are_valid_after_a_roll(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    (id,) = fake.webhook_endpoints
    old, new = receiver.secret, fake.dashboard.roll_secret(id, both_valid_for=3600)

    client.v1.products.update("prod_shirt", {"name": "B"})
    fake.deliver_due()
    fake.forward(3600)
    client.v1.products.update("prod_shirt", {"name": "C"})
    fake.deliver_due()

    during, after = (headers["Stripe-Signature"] for _, headers, _ in receiver.got)
    assert during.count("v1=") == 2
    assert after.count("v1=") == 1
    for secret in (old, new):
        assert stripe.Webhook.construct_event(receiver.got[0][2], during, secret)
    assert stripe.Webhook.construct_event(receiver.got[1][2], after, new)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(receiver.got[1][2], after, old)
