"""rotate_webhook_secret: every event around the exchange of the endpoints is counted once."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from checkout.tests.conftest import Customer, order_for, sold
from inventory import gateway
from inventory.setup import endpoint
from inventory.worker import drain
from shop.models import Product

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db


@pytest.fixture
def secret_file(fake: FakeStripe, settings: Settings, tmp_path: Path, running_shop: None) -> Path:
    """A connected shop; the file has its signing secret."""
    for old in list(fake.webhook_endpoints):
        fake.call("DELETE", f"/v1/webhook_endpoints/{old}")
    settings.STRIPE_WEBHOOK_SECRETS = [endpoint.apply(endpoint.plan([]))]
    return tmp_path / "secret"


def rotate(file: Path, *options: str) -> str:
    printed = StringIO()
    call_command("rotate_webhook_secret", "--secret-file", str(file), *options, stdout=printed)
    return printed.getvalue()


def restart(settings: Settings, file: Path) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = file.read_text().strip().split(",")


def buy(fake: FakeStripe, shirt: Product) -> None:
    fake.pay(order_for(Customer(), shirt, quantity=1).session_id or "")


def test_no_sale_is_lost_or_counted_twice_at_any_moment(
    fake: FakeStripe, shirt: Product, secret_file: Path, settings: Settings
) -> None:
    [old] = settings.STRIPE_WEBHOOK_SECRETS
    buy(fake, shirt)
    fake.deliver_due()
    rotate(secret_file)
    buy(fake, shirt)  # The new endpoint sends nothing yet, and the shop does not know its secret.
    fake.deliver_due()
    restart(settings, secret_file)
    assert settings.STRIPE_WEBHOOK_SECRETS[0] == old
    buy(fake, shirt)  # Not delivered before its endpoint is deleted.

    printed = rotate(secret_file)
    buy(fake, shirt)
    fake.deliver_due()
    restart(settings, secret_file)
    buy(fake, shirt)
    assert all(attempt["status"] == 200 for attempt in fake.deliver_due())
    drain()

    assert sold(shirt) == [("M", 1)] * 5
    assert "has replaced" in printed
    [remaining] = gateway.webhook_endpoints()
    assert [old] != settings.STRIPE_WEBHOOK_SECRETS
    assert endpoint.has_configured_secret(remaining) and remaining.enabled


def test_the_second_step_waits_until_the_running_shop_knows_the_secret(
    fake: FakeStripe, secret_file: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate(secret_file)
    restart(settings, secret_file)
    monkeypatch.setattr(endpoint, "ping", lambda secret: "it answers 400: no secret matches.")
    before = dict(fake.webhook_endpoints)

    with pytest.raises(CommandError, match="does not accept the new secret yet"):
        rotate(secret_file)

    assert dict(fake.webhook_endpoints) == before


def test_the_second_step_needs_the_new_secret_in_the_settings(fake: FakeStripe, secret_file: Path) -> None:
    rotate(secret_file)

    with pytest.raises(CommandError, match="does not contain the secret of we_"):
        rotate(secret_file)


def test_a_rotation_can_be_aborted(fake: FakeStripe, secret_file: Path, settings: Settings) -> None:
    before = (list(settings.STRIPE_WEBHOOK_SECRETS), dict(fake.webhook_endpoints))
    rotate(secret_file)
    restart(settings, secret_file)

    rotate(secret_file, "--abort")

    restart(settings, secret_file)
    assert (settings.STRIPE_WEBHOOK_SECRETS, dict(fake.webhook_endpoints)) == before


def test_connect_stripe_leaves_a_rotation_alone(fake: FakeStripe, secret_file: Path) -> None:
    rotate(secret_file)

    assert endpoint.plan(gateway.webhook_endpoints()).changes_nothing


def test_without_an_endpoint_there_is_nothing_to_rotate(fake: FakeStripe, secret_file: Path) -> None:
    for endpoint_id in list(fake.webhook_endpoints):
        fake.call("DELETE", f"/v1/webhook_endpoints/{endpoint_id}")

    with pytest.raises(CommandError, match=r"Run manage\.py connect_stripe first"):
        rotate(secret_file)
