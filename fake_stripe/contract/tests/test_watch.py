"""The watch that checks every fake of a test run."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from fake_stripe import FakeStripe
from fake_stripe.api import Request
from fake_stripe.contract import Contract
from fake_stripe.contract.watch import Watch, watching_everywhere

SHOP = {"mode": "payment", "line_items[0][quantity]": "1", "success_url": "https://shop.example/thanks"}


@pytest.fixture
def watch(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Replaces the run's own watch, so that violations made here on purpose do not fail the run."""
    monkeypatch.setattr(FakeStripe, "everywhere", [])
    monkeypatch.setattr(FakeStripe, "events_everywhere", [])
    watch = Watch(contract)
    with watching_everywhere(watch):
        yield watch


@pytest.fixture
def fake(watch: Watch) -> FakeStripe:
    return FakeStripe()


def test_every_call_and_event_of_a_new_fake_is_checked(fake: FakeStripe, watch: Watch) -> None:
    shirt = fake.add_product(name="Shirt", prices=[{"unit_amount": 900, "currency": "usd"}], emit=True)
    form = SHOP | {"line_items[0][price]": shirt["default_price"]}
    _, session = fake.call("POST", "/v1/checkout/sessions", urlencode(form))
    fake.pay(session["id"])

    assert watch.take_broken() == []
    tallies = watch.contract.coverage.tallies
    assert (
        tallies["POST /v1/checkout/sessions"].requests,
        tallies["POST /v1/checkout/sessions"].answers,
    ) == (1, 1)
    assert tallies["event checkout.session.completed"].events == 1


def test_a_refused_request_is_not_checked_but_its_refusal_is(fake: FakeStripe, watch: Watch) -> None:
    assert fake.call("POST", "/v1/products", "color=red")[0] == 400

    assert watch.take_broken() == []
    tally = watch.contract.coverage.tallies["POST /v1/products"]
    assert (tally.requests, tally.refusals) == (0, 1)


def test_a_request_of_an_older_version_is_not_checked(fake: FakeStripe, watch: Watch) -> None:
    shirt = fake.add_product(name="Shirt", prices=[{"unit_amount": 900, "currency": "usd"}])
    form = SHOP | {"line_items[0][price]": shirt["default_price"], "ui_mode": "hosted"}

    status, _ = fake.call(
        "POST", "/v1/checkout/sessions", urlencode(form), stripe_version="2025-12-15.clover"
    )

    assert (status, watch.take_broken()) == (200, [])


def test_the_body_of_a_get_is_ignored(fake: FakeStripe, watch: Watch) -> None:
    headers = {"authorization": "Bearer sk_test_fake"}

    answer = fake.wsgi_app.answer(Request("GET", "/v1/products", b"limit=3", b"color=red", headers))

    assert (answer.status, watch.take_broken()) == (200, [])


def test_an_invalid_answer_is_reported_and_still_returned(fake: FakeStripe, watch: Watch) -> None:
    product = fake.add_product(name="Shirt")
    with fake.account.store.transaction():
        fake.account.change(product, images="none")

    status, answer = fake.call("GET", f"/v1/products/{product['id']}")

    assert (status, answer["images"]) == (200, "none")
    (broken,) = watch.take_broken()
    assert "images: a list was expected" in str(broken)
    assert watch.take_broken() == []


def test_an_invalid_event_is_reported(fake: FakeStripe, watch: Watch) -> None:
    product = fake.add_product(name="Shirt")
    with fake.account.store.transaction():
        fake.account.change(product, metadata={"stock_M": 15})
    fake.dashboard.edit_product(product["id"], name="Other")

    (broken,) = watch.take_broken()
    assert "the event product.updated" in str(broken)


def test_a_fake_created_after_the_watch_is_not_checked(watch: Watch) -> None:
    with watching_everywhere(Watch(watch.contract)):
        pass
    before = len(FakeStripe.everywhere)

    with watching_everywhere(watch):
        assert len(FakeStripe.everywhere) == before + 1

    assert len(FakeStripe.everywhere) == before
