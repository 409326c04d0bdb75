"""What do all tests share? The fake Stripe in place of the real one, wired to the shop as Stripe would be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest
from django.test import Client

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

# What this machine has to test with: the browser, the database, what CI may not skip. And: whatever the shop asks
# and the fake answers is held against Stripe's own document.
pytest_plugins = ["config.tests.machine", "fake_stripe.contract.pytest_plugin"]

# A shared machine is slow now and then; that is not what a property says.
hypothesis.settings.register_profile("shop", deadline=None)
hypothesis.settings.load_profile("shop")

WEBHOOK_PATH = "/stripe/webhook/"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, settings: object) -> Iterator[FakeStripe]:
    """A Stripe of this test's own, in this process, behind the real library's transport.

    Its deliveries reach the shop's webhook when the test calls `fake.deliver_due()`.
    """
    from config import stripe_client
    from fake_stripe import FakeStripe

    stripe = FakeStripe(secret_key="sk_test_fake", seed=0, base_url="http://stripe.test")
    monkeypatch.setattr(stripe_client, "http_client", stripe.http_client)
    stripe_client._client.cache_clear()
    stripe.add_webhook_endpoint(f"http://testserver{WEBHOOK_PATH}", secret="whsec_test")
    stripe.deliver_to(_to_the_shop)
    yield stripe
    stripe_client._client.cache_clear()


def _to_the_shop(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    answer = Client().post(
        WEBHOOK_PATH,
        data=body,
        content_type="application/json",
        headers={name: value for name, value in headers.items() if name.lower() != "content-type"},
    )
    return answer.status_code, answer.content
