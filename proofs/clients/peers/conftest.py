"""Fixtures: an account that other programs copy."""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_stripe import FakeStripe
from proofs.clients.conftest import serving

README = Path(__file__).parents[3] / "fake_stripe" / "README.md"
# dj-stripe accepts only keys with 24 letters or digits.
KEY = "sk_test_" + "a1" * 12
SIGNING_SECRET = "whsec_test"

Json = dict[str, Any]


@pytest.fixture(scope="session")
def asked_for() -> None:
    if os.environ.get("STRIPE_PEERS") != "1":
        pytest.skip("the tests with other programs that copy a Stripe account run with STRIPE_PEERS=1")


@pytest.fixture
def account(asked_for: None) -> Iterator[FakeStripe]:
    """Twelve shirts, one of them sold twice, with a refund of one sale."""
    fake = FakeStripe(secret_key=KEY)
    for n in range(12):
        price = {"unit_amount": 2500, "currency": "usd"}
        fake.add_product(id=f"prod_{n}", name=f"Shirt {n}", metadata={"stock_M": "15"}, prices=[price])
    for quantity in (1, 2):
        line = {"price": fake.products["prod_1"]["default_price"], "quantity": quantity}
        fake.pay(fake.open_session(line_items=[line])["id"], email="ada@example.com")
    fake.refund(payment_intent=next(iter(fake.payment_intents)), amount=500)
    with serving(fake):
        yield fake


def change(account: FakeStripe) -> None:
    """What happens after the account was copied: a sale, counts, a refund, a new product and a deleted one."""
    # The sync engines ignore an event of the second in which they have last written the object.
    account.forward(2)
    line = {"price": account.products["prod_2"]["default_price"], "quantity": 1}
    paid = account.open_session(line_items=[line])["id"]
    account.pay(paid, email="bob@example.com")
    account.dashboard.edit_product("prod_2", metadata={"stock_M": "14"})
    account.dashboard.edit_product("prod_3", metadata={"stock_M": "77"})
    account.forward(2)
    account.refund(payment_intent=account.sessions[paid]["payment_intent"])
    for id in ("prod_new", "prod_gone"):
        assert account.call("POST", "/v1/products", f"id={id}&name=Cap")[0] == 200
    assert account.call("DELETE", "/v1/products/prod_gone")[0] == 200


def wrong(copy: dict[str, list[Json]], account: FakeStripe) -> list[str]:
    """What a copy has wrong. `copy`: the objects of each kind, as the program stores them."""
    kinds = ("products", "prices", "payment_intents", "charges", "refunds")
    real = {kind: facts(getattr(account, kind).values()) for kind in kinds}
    real["checkout_sessions"] = facts(account.sessions.values())
    copied = {kind: facts(rows) for kind, rows in copy.items()}
    assert set(copied) == set(real)
    return [
        f"{kind} {id}: {copied[kind].get(id)} instead of {real[kind].get(id)}"
        for kind in real
        for id in {**real[kind], **copied[kind]}
        if copied[kind].get(id) != real[kind].get(id)
    ]


def facts(objects: Iterable[Json]) -> dict[str, Json]:
    """What a copy must have right, by id."""
    names = ("active", "name", "metadata", "unit_amount", "payment_status", "status")
    amounts = ("amount_total", "amount_refunded", "amount")
    return {one["id"]: {name: one.get(name) for name in (*names, *amounts)} for one in objects}


def refused_paths(account: FakeStripe) -> set[str]:
    """The addresses of the API that programs asked for in vain."""
    return {call.path for call in account.calls if call.status >= 400}


def not_available(program: str) -> set[str]:
    """The addresses that fake_stripe/README.md lists as not available to a program."""
    (row,) = re.findall(rf"^\| {re.escape(program)} \|(.*)\|$", README.read_text(encoding="utf-8"), re.M)
    return set(re.findall(r"`(/v1/[a-z_/]+)`", row))


def until(condition: Callable[[], bool], timeout: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
