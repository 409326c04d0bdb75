"""Stripe's and Supabase's sync engines copy the account to PostgreSQL, and keep the copy right by events.

They have no setting for Stripe's address, so their requests are rerouted: see reroute.cjs.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from fake_stripe import FakeStripe
from fake_stripe.contract import document
from fake_stripe.courier import delivery_headers
from proofs.clients.npm import NotInstalled, install
from proofs.clients.peers.conftest import (
    KEY,
    SIGNING_SECRET,
    Json,
    change,
    not_available,
    refused_paths,
    until,
    wrong,
)
from proofs.clients.stripe_cli import Running
from script.postgres import find_binaries, private_postgres

HERE = Path(__file__).parent
KINDS = ("products", "prices", "payment_intents", "charges", "refunds", "checkout_sessions")
CLI = "node_modules/@stripe/sync-engine/dist/cli/index.js"


@pytest.fixture(scope="session")
def packages(asked_for: None) -> Path:
    try:
        return install(HERE)
    except NotInstalled as missing:
        pytest.fail(f"STRIPE_PEERS=1, but {missing}")


@pytest.fixture(scope="session")
def postgres(asked_for: None) -> Iterator[str]:
    binaries = find_binaries()
    if binaries is None:
        pytest.fail("STRIPE_PEERS=1, but PostgreSQL is not installed")
    with private_postgres(binaries) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            # The owner of Supabase's databases, whom its migrations name.
            connection.execute("CREATE ROLE postgres")
        yield url


@pytest.fixture
def database(postgres: str, tmp_path: Path) -> str:
    name = f"copy_{os.urandom(4).hex()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgres.rpartition("/")[0] + f"/{name}"


@pytest.fixture
def env(account: FakeStripe, database: str, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "NODE_OPTIONS": f"--require={HERE / 'reroute.cjs'}",
        "STRIPE_HERE": account.base_url,
        "STRIPE_API_KEY": KEY,
        "SIGNING_SECRET": SIGNING_SECRET,
        "DATABASE_URL": database,
    }


def copied(database: str) -> dict[str, list[Json]]:
    with psycopg.connect(database) as connection:
        return {
            kind: [
                row[0] for row in connection.execute(f"SELECT to_jsonb(t) FROM stripe.{kind} AS t".encode())
            ]
            for kind in KINDS
        }


@pytest.fixture
def tables(tmp_path: Path) -> None:
    """Stripe's engine makes its tables from Stripe's document of 2020-08-27, which it fetches from GitHub once a machine.

    It finds the document that the contract checks use in its cache instead.
    """
    file = document.installed()
    assert file
    module = ModuleType("_stripe_openapi_document")
    SourceFileLoader(module.__name__, str(file)).exec_module(module)
    cache = tmp_path / "stripe-sync-openapi-cache"
    cache.mkdir()
    (cache / "2020-08-27.spec3.json").write_text(json.dumps(module.sspec))


def run(command: list[str], folder: Path, env: dict[str, str], given: str = "") -> str:
    done = subprocess.run(
        command, cwd=folder, env=env, input=given, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def except_intents(problems: list[str]) -> list[str]:
    """Of two events in one second both engines keep the first, so a new payment intent stays as it was created."""
    return [problem for problem in problems if not problem.startswith("payment_intents")]


@pytest.mark.usefixtures("tables")
def test_stripes_engine_copies_the_account(account: FakeStripe, packages: Path, env: dict[str, str]) -> None:
    run(["node", CLI, "sync"], packages, env)

    assert wrong(copied(env["DATABASE_URL"]), account) == []
    assert refused_paths(account) == not_available("@stripe/sync-engine 1.0.32")


@pytest.mark.usefixtures("tables")
def test_stripes_engine_listens_on_the_websocket(
    account: FakeStripe, packages: Path, env: dict[str, str]
) -> None:
    run(["node", CLI, "sync"], packages, env)
    engine = Running(
        ["node", CLI, "sync", "--listen-only", "--listen-mode", "websocket"], {**os.environ, **env}, packages
    )
    try:
        engine.wait_for("Connected to Stripe WebSocket")
        change(account)
        engine.wait_for("product.deleted")
        until(lambda: not except_intents(wrong(copied(env["DATABASE_URL"]), account)))
        assert except_intents(wrong(copied(env["DATABASE_URL"]), account)) == []
        # Every event was acknowledged.
        assert until(lambda: not account.account.store.table("kept_event").rows)
    finally:
        engine.kill()


def test_supabases_engine_copies_the_account_and_follows_its_webhooks(
    account: FakeStripe, packages: Path, env: dict[str, str]
) -> None:
    def supabase(*kinds: str, webhooks: str = "") -> dict[str, str | None]:
        output = run(["node", str(HERE / "supabase.cjs"), str(packages), *kinds], packages, env, webhooks)
        return {one["name"]: one["problem"] for one in map(json.loads, output.splitlines())}

    assert supabase("all") == {"all": None}
    assert refused_paths(account) == not_available("@supabase/stripe-sync-engine 0.48.5")
    assert supabase("refund", "checkout_sessions") == {"refund": None, "checkout_sessions": None}
    assert wrong(copied(env["DATABASE_URL"]), account) == []

    known = set(account.events)
    change(account)
    bodies = [json.dumps(event) for id, event in account.events.items() if id not in known]
    signed = [
        (body, delivery_headers(body.encode(), [SIGNING_SECRET])["Stripe-Signature"]) for body in bodies
    ]
    lines = [json.dumps({"body": body, "signature": signature}) for body, signature in signed]
    answers = supabase(webhooks="\n".join(lines))

    assert len(answers) >= 9
    assert {name: problem for name, problem in answers.items() if problem} == {}
    assert except_intents(wrong(copied(env["DATABASE_URL"]), account)) == []
