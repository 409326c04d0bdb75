"""Fixtures of all tests: a fake Stripe that replaces the real one and delivers to the shop's webhook."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING

import hypothesis
import pytest
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.test import Client
from django.urls import clear_url_caches

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

# The first skips tests for which the browser or the database is missing. The last validates every exchange between the
# shop and the fake against Stripe's OpenAPI document.
pytest_plugins = [
    "config.tests.environment_plugin",
    "config.tests.database_plugin",
    "fake_stripe.contract.pytest_plugin",
]

# No deadline: a shared machine is slow at times.
hypothesis.settings.register_profile("shop", deadline=None)
hypothesis.settings.load_profile("shop")

WEBHOOK_PATH = "/stripe/webhook/"


@pytest.hookimpl(tryfirst=True)  # Before environment_plugin excludes what is there from garbage collection.
def pytest_collection_finish() -> None:
    """Import the URLconf and its views before a test changes a setting that one of them reads when it is imported."""
    import_module(settings.ROOT_URLCONF)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, settings: object) -> Iterator[FakeStripe]:
    """A new fake Stripe in this process, behind the real library's transport.

    It delivers events to the shop's webhook when the test calls `fake.deliver_due()`.
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


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> None:
    """A line that an earlier test has logged is logged again, and its logins do not count."""
    from config import attempts, logs

    logs._repeated.clear()
    attempts._attempts.clear()


@receiver(setting_changed)
def forget_addresses(setting: str, **_more: object) -> None:
    """Django keeps the addresses of each language, which begin with another prefix after this change."""
    if setting == "SHOP_LANGUAGES":
        clear_url_caches()


@pytest.fixture(autouse=True)
def no_cached_feeds() -> None:
    """Products of two tests may have the same id and time of fetching."""
    from shop.feeds import cache

    cache.clear()


@pytest.fixture
def running_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop answers at SITE_URL: what setup.endpoint.ping posts goes to the test client."""
    import requests

    def post(url: str, body: bytes, *, headers: dict[str, str], **options: object) -> SimpleNamespace:
        status, text = _to_the_shop(url, headers, body)
        return SimpleNamespace(status_code=status, text=text.decode())

    monkeypatch.setattr(requests, "post", post)


def _to_the_shop(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    answer = Client().post(
        WEBHOOK_PATH,
        data=body,
        content_type="application/json",
        headers={name: value for name, value in headers.items() if name.lower() != "content-type"},
    )
    return answer.status_code, answer.content
