"""dj-stripe copies the account, and keeps the copy right by webhooks."""

import json
import shutil
import uuid
from pathlib import Path

import pytest

from fake_stripe import FakeStripe
from proofs.clients.npm import NotInstalled
from proofs.clients.peers.conftest import (
    KEY,
    Json,
    change,
    not_available,
    refused_paths,
    wrong,
)
from proofs.clients.peers.dj_stripe import DjStripe, install
from proofs.clients.ports import free_port
from proofs.clients.stripe_cli import Running

MODELS = {
    "Product": "products",
    "Price": "prices",
    "PaymentIntent": "payment_intents",
    "Charge": "charges",
    "Refund": "refunds",
    "Session": "checkout_sessions",
}


@pytest.fixture(scope="session")
def environment(asked_for: None) -> Path:
    try:
        return install()
    except NotInstalled as missing:
        pytest.fail(f"STRIPE_PEERS=1, but {missing}")


@pytest.fixture
def djstripe(environment: Path, account: FakeStripe, tmp_path: Path) -> DjStripe:
    database = tmp_path / "djstripe.sqlite3"
    shutil.copy(environment / "empty.sqlite3", database)
    return DjStripe(environment, database, {"STRIPE_HERE": account.base_url, "STRIPE_API_KEY": KEY})


def copied(djstripe: DjStripe) -> dict[str, list[Json]]:
    return {
        kind: [
            json.loads(row[0]) for row in djstripe.ask(f"SELECT stripe_data FROM djstripe_{model.lower()}")
        ]
        for model, kind in MODELS.items()
    }


def test_it_copies_what_a_shop_has(account: FakeStripe, djstripe: DjStripe) -> None:
    done = djstripe.run("djstripe_sync_models", "Account", *MODELS, "Event", "WebhookEndpoint")

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert wrong(copied(djstripe), account) == []
    assert refused_paths(account) == set()


def test_what_it_misses_is_listed(account: FakeStripe, djstripe: DjStripe) -> None:
    done = djstripe.run("djstripe_sync_models")

    assert done.returncode == 1
    assert wrong(copied(djstripe), account) == []
    assert refused_paths(account) == not_available("dj-stripe 2.11.0")


def test_webhooks_keep_the_copy_right(account: FakeStripe, djstripe: DjStripe) -> None:
    endpoint, port = uuid.uuid4(), free_port()
    address = f"http://127.0.0.1:{port}/stripe/webhook/{endpoint}/"
    form = f"url={address}&enabled_events[]=*&metadata[djstripe_uuid]={endpoint}"
    status, made = account.call("POST", "/v1/webhook_endpoints", form)
    assert status == 200
    assert djstripe.run("djstripe_sync_models", "Account", *MODELS, "WebhookEndpoint").returncode == 0
    # Stripe tells the secret only once, to the program that creates the endpoint.
    djstripe.ask("UPDATE djstripe_webhookendpoint SET secret = ?", made["secret"])
    server = Running(djstripe.command("runserver", "--noreload", str(port)), djstripe.env)
    try:
        server.wait_for("Quit the server")
        change(account)
        delivered = [id for id in account.events if account.deliveries(id)]
        for _ in delivered:
            server.wait_for('"POST /stripe/webhook/')
    finally:
        server.kill()

    answers = [line.split('"')[2].split()[0] for line in server.lines if '"POST /stripe/webhook/' in line]
    assert len(answers) == len(delivered) >= 11
    assert set(answers) == {"200"}
    # It has no handler for refund.created.
    assert [
        problem for problem in wrong(copied(djstripe), account) if not problem.startswith("refunds")
    ] == []
    assert djstripe.run("djstripe_sync_models", "Refund").returncode == 0
    assert wrong(copied(djstripe), account) == []
