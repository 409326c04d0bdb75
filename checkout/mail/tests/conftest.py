"""Fixtures of the mail tests: mails turned on, a real mail server, and a paid order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from checkout.mail.tests.catcher import Catcher, catching
from checkout.models import Order


@pytest.fixture
def mails_on(settings: Settings) -> None:
    settings.CUSTOMER_MAILS_OFF = []


@pytest.fixture
def catcher(settings: Settings, mails_on: None) -> Iterator[Catcher]:
    """A real mail server that takes the shop's mails."""
    with catching() as caught:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", caught.port
        yield caught


@pytest.fixture
def order(db: None) -> Order:
    """Two shirts in M and a poster, paid and delivered to Berlin."""
    order = Order.objects.create(
        state=Order.State.PAID,
        paid_at=datetime(2026, 11, 28, 10, tzinfo=UTC),
        email="ada@example.com",
        name="Ada Lovelace",
        address={"name": "Ada Lovelace", "line1": "Torstr. 1", "postal_code": "10115", "city": "Berlin"},
        currency="usd",
        subtotal=6200,
        shipping=500,
        total=6700,
    )
    order.lines.create(position=0, name="BALM T-Shirt", size="M", color="Black", quantity=2, unit_amount=2500)
    order.lines.create(position=1, name="Poster", quantity=1, unit_amount=1200)
    return order
