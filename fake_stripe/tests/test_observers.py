"""Observers of exchanges and events, of one fake or of every fake."""

from pathlib import Path
from typing import Any

import pytest
import stripe

from fake_stripe import Exchange, FakeStripe
from fake_stripe.recorder import Recorder, read


def test_an_observer_sees_each_exchange_and_each_event(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    exchanges: list[Exchange] = []
    events: list[Any] = []
    fake.observers.append(exchanges.append)
    fake.event_observers.append(events.append)

    client.v1.products.update("prod_shirt", {"metadata": {"stock_M": "1"}}, {"idempotency_key": "k"})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.retrieve("prod_nobody", {"expand": ["default_price"]})
    fake.faults.add("cut", when="after")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.products.list()

    update, missing, cut = exchanges
    assert (update.method, update.path, update.form) == (
        "POST",
        "/v1/products/prod_shirt",
        b"metadata[stock_M]=1",
    )
    assert (update.status, update.response["object"], update.idempotency_key) == (200, "product", "k")
    assert (missing.status, missing.query) == (404, b"expand[0]=default_price")
    assert (cut.status, cut.cut) == (200, True)
    assert [event["type"] for event in events] == ["product.updated"]


def test_a_global_observer_sees_every_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(FakeStripe, "everywhere", [lambda exchange: seen.append(exchange.path)])
    monkeypatch.setattr(FakeStripe, "events_everywhere", [lambda event: seen.append(event["type"])])

    for name in ("A", "B"):
        FakeStripe().call("POST", "/v1/products", f"name={name}")

    assert seen == ["product.created", "/v1/products"] * 2


def test_a_record_of_another_process_can_be_read(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, tmp_path: Path
) -> None:
    file, seen = str(tmp_path / "record.jsonl"), list[Any]()
    recorder = Recorder(file)
    recorder.watch(fake)
    fake.observers.append(seen.append)
    fake.event_observers.append(seen.append)

    client.v1.products.update("prod_shirt", {"name": "Größe Ä"})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.retrieve("prod_nobody")
    recorder.close()

    assert list(read(file)) == seen
    assert len(seen) == 3


def test_rolled_back_events_are_not_observed(fake: FakeStripe) -> None:
    events: list[Any] = []
    fake.event_observers.append(events.append)
    form = (
        "mode=payment&success_url=https://a.test&line_items[0][quantity]=1"
        "&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=1"
        "&line_items[0][price_data][product_data][name]=A"
    )

    status, answer = fake.call("POST", "/v1/checkout/sessions", form)

    assert (status, answer["error"]["code"]) == (400, "amount_too_small")
    assert events == []
    assert fake.deliveries() == []
