"""connect_stripe: a key, its permissions, and the webhook endpoint in every state in which it can be found."""

from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from config.stripe_events import EVENTS
from inventory import gateway
from inventory.setup import endpoint
from shop.models import Product

if TYPE_CHECKING:
    from pytest_django import Settings

    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db
URL = "http://testserver/stripe/webhook/"


@pytest.fixture
def account(fake: FakeStripe, settings: Settings) -> FakeStripe:
    """An account without an endpoint, and a shop that has only the key."""
    for old in list(fake.webhook_endpoints):
        fake.call("DELETE", f"/v1/webhook_endpoints/{old}")
    settings.STRIPE_WEBHOOK_SECRETS = []
    fake.add_product(id="prod_balm", name="BALM T-Shirt", metadata={"sizes": "M", "stock_M": "15"})
    return fake


def connect(*options: str) -> str:
    printed = StringIO()
    call_command("connect_stripe", "--yes", *options, stdout=printed, stderr=StringIO())
    return printed.getvalue()


def endpoints(fake: FakeStripe) -> list[dict[str, object]]:
    return list(fake.webhook_endpoints.values())


def test_an_empty_account_gets_an_endpoint_and_the_shop_its_catalog(
    account: FakeStripe, tmp_path: Path
) -> None:
    env = tmp_path / ".env"
    env.write_text("SHOP_NAME=Ours\n# STRIPE_WEBHOOK_SECRET=\n")

    printed = connect("--env", str(env))

    [made] = endpoints(account)
    assert (made["url"], made["status"], made["api_version"]) == (URL, "enabled", gateway.library_version())
    assert set(made["enabled_events"]) == set(EVENTS)  # type: ignore[call-overload]
    lines = env.read_text().splitlines()
    assert lines[0] == "SHOP_NAME=Ours"
    assert lines[1].startswith("STRIPE_WEBHOOK_SECRET=whsec_")
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert "test mode" in printed and "whsec_" not in printed
    assert Product.objects.filter(id="prod_balm").exists()


def test_without_a_file_the_secret_is_printed_once(account: FakeStripe) -> None:
    assert connect().count("whsec_") == 1


def test_the_secret_can_have_a_file_of_its_own(account: FakeStripe, tmp_path: Path) -> None:
    connect("--secret-file", str(tmp_path / "secret"))

    assert (tmp_path / "secret").read_text().startswith("whsec_")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_dry_run_changes_nothing(account: FakeStripe) -> None:
    printed = connect("--dry-run")

    assert "will create the webhook endpoint" in printed
    assert endpoints(account) == []
    assert not Product.objects.exists()


def test_a_second_run_changes_nothing(account: FakeStripe, settings: Settings, tmp_path: Path) -> None:
    connect("--secret-file", str(tmp_path / "secret"))
    settings.STRIPE_WEBHOOK_SECRETS = [(tmp_path / "secret").read_text().strip()]
    before = endpoints(account)

    assert "as it should be" in connect()
    assert endpoints(account) == before


@pytest.mark.parametrize(
    "change", ["disabled=true", "enabled_events[]=product.updated", "enabled_events[]=*"]
)
def test_an_endpoint_with_the_known_secret_is_adopted(
    change: str, account: FakeStripe, settings: Settings
) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [endpoint.apply(endpoint.plan([]))]
    [before] = endpoints(account)
    account.call("POST", f"/v1/webhook_endpoints/{before['id']}", change)

    printed = connect()

    assert endpoints(account) == [before]
    assert "whsec_" not in printed


def test_an_endpoint_whose_secret_nobody_knows_is_replaced(account: FakeStripe) -> None:
    old = account.add_webhook_endpoint(URL)

    printed = connect()

    [made] = endpoints(account)
    assert made["id"] != old["id"]
    assert "a secret that the shop does not know" in printed and printed.count("whsec_") == 1


def test_of_two_endpoints_that_with_the_known_secret_stays(account: FakeStripe, settings: Settings) -> None:
    account.add_webhook_endpoint(URL)
    settings.STRIPE_WEBHOOK_SECRETS = [secret := endpoint.apply(endpoint.plan([]))]
    account.add_webhook_endpoint(URL.rstrip("/"))

    connect()

    [kept] = gateway.webhook_endpoints()
    assert kept.fingerprint == gateway.fingerprint(secret)


def test_an_endpoint_of_another_version_is_replaced(account: FakeStripe, settings: Settings) -> None:
    account.call(
        "POST", "/v1/webhook_endpoints", f"url={URL}&api_version=2024-06-20&enabled_events[]=product.updated"
    )
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_old"]

    printed = connect()

    [made] = endpoints(account)
    assert made["api_version"] == gateway.library_version()
    assert "another API version" in printed


def test_endpoints_of_other_programs_stay(account: FakeStripe) -> None:
    other = account.add_webhook_endpoint("https://other.example/hook")

    connect()

    assert other["id"] in account.webhook_endpoints


def test_a_key_that_lacks_permissions_changes_nothing(account: FakeStripe, settings: Settings) -> None:
    account.keys.add("rk_test_shop", {"products": "read", "webhook_endpoints": "read"})
    settings.STRIPE_SECRET_KEY = "rk_test_shop"

    with pytest.raises(CommandError, match=r"Products: write.*Webhook Endpoints: write.*Grant it at"):
        connect()

    assert endpoints(account) == []


def test_a_revoked_key_is_told(account: FakeStripe) -> None:
    account.keys.revoke("sk_test_fake")

    with pytest.raises(CommandError, match="Stripe does not accept the key"):
        connect()


def test_without_a_key_and_a_terminal_it_says_so(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""

    with pytest.raises(CommandError, match="STRIPE_SECRET_KEY is not set"):
        connect()


def test_without_a_terminal_it_asks_for_yes(account: FakeStripe) -> None:
    with pytest.raises(CommandError, match="add --yes"):
        call_command("connect_stripe", stdout=StringIO())

    assert endpoints(account) == []


@pytest.mark.parametrize("name", [*gateway.PERMISSIONS, gateway.WEBHOOK_PERMISSION])
def test_each_right_that_the_key_lacks_is_named_and_nothing_is_changed(
    name: str, account: FakeStripe, settings: Settings
) -> None:
    names = [*gateway.PERMISSIONS, gateway.WEBHOOK_PERMISSION]
    may = {_resource(each): each.split(": ")[1] for each in names if each != name}
    if name == gateway.WEBHOOK_PERMISSION:
        may["webhook_endpoints"] = "read"
    account.keys.add("rk_test_shop", may)
    settings.STRIPE_SECRET_KEY = "rk_test_shop"

    with pytest.raises(CommandError) as caught:
        connect()

    assert str(caught.value).startswith(f"The key lacks: {name}. Grant it at https://")
    assert endpoints(account) == []
    assert not Product.objects.exists()


def _resource(name: str) -> str:
    return {"PaymentIntents": "payment_intents"}.get(
        resource := name.split(": ")[0], resource.lower().replace(" ", "_")
    )


@pytest.mark.parametrize("kind", ["error_500", "cut"])
def test_while_stripe_is_away_it_says_so_and_changes_nothing(kind: str, account: FakeStripe) -> None:
    account.faults.add(kind, when="before")

    with pytest.raises(CommandError):
        connect()

    account.faults.clear()
    assert endpoints(account) == []


def test_an_endpoint_that_another_program_deleted_is_made_again(
    account: FakeStripe, settings: Settings
) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [endpoint.apply(endpoint.plan([]))]
    [made] = endpoints(account)
    account.call("DELETE", f"/v1/webhook_endpoints/{made['id']}")

    printed = connect()

    assert "will create the webhook endpoint" in printed and printed.count("whsec_") == 1
    assert len(endpoints(account)) == 1
