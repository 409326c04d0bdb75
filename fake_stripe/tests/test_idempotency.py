"""Idempotency keys: replay, mismatch, concurrent use and expiry."""

import threading
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe

KEY = {"idempotency_key": "shop/prod_shirt/7"}


def set_stock(client: stripe.StripeClient, value: str, options: Any = KEY) -> stripe.Product:
    return client.v1.products.update("prod_shirt", {"metadata": {"stock_M": value}}, options)


def test_the_first_answer_is_replayed(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    first = set_stock(client, "13")
    client.v1.products.update("prod_shirt", {"metadata": {"stock_M": "99"}})
    again = set_stock(client, "13")

    assert again.metadata["stock_M"] == "13"
    assert fake.products["prod_shirt"]["metadata"]["stock_M"] == "99"
    assert first.last_response is not None
    assert again.last_response is not None
    assert "idempotent-replayed" not in first.last_response.headers
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert again.last_response.headers["original-request"] == first.last_response.request_id
    assert again.last_response.request_id != first.last_response.request_id
    assert len(fake.events) == 2


def test_other_parameters_under_the_same_key_are_refused(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    set_stock(client, "13")

    with pytest.raises(stripe.IdempotencyError) as refused:
        set_stock(client, "12")
    with pytest.raises(stripe.IdempotencyError):
        client.v1.products.create({"name": "A"}, KEY)  # type: ignore[arg-type]

    assert refused.value.http_status == 400
    assert fake.products["prod_shirt"]["metadata"]["stock_M"] == "13"


def test_an_executed_400_is_replayed(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    def default(price: str) -> None:
        client.v1.products.update("prod_shirt", {"default_price": price}, KEY)  # type: ignore[arg-type]

    with pytest.raises(stripe.InvalidRequestError):
        default("price_later")
    with pytest.raises(stripe.InvalidRequestError) as again:
        default("price_later")

    assert again.value.headers is not None
    assert again.value.headers["idempotent-replayed"] == "true"
    assert [call.replayed for call in fake.calls] == [False, True]


def test_a_400_before_execution_is_not_stored(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.update("prod_shirt", {"active": "maybe"}, KEY)  # type: ignore[arg-type]

    assert set_stock(client, "13").metadata["stock_M"] == "13"


def test_a_refusal_for_metadata_limits_is_not_stored(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    """The limit is only checked after the merge, but nothing ran: the same key works once there is room."""
    client.v1.products.update("prod_shirt", {"metadata": {f"k{n}": "1" for n in range(46)}})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.update("prod_shirt", {"metadata": {"one more": "1"}}, KEY)  # type: ignore[arg-type]
    client.v1.products.update("prod_shirt", {"metadata": {"k0": ""}})

    updated = client.v1.products.update("prod_shirt", {"metadata": {"one more": "1"}}, KEY)  # type: ignore[arg-type]

    assert len(updated.metadata.to_dict()) == 50
    assert fake.calls[-1].replayed is False


def test_a_stored_500_is_replayed_whether_it_took_effect_or_not(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    for when, stands in (("before", "15"), ("after", "13")):
        fake.faults.add("error_500", when=when, path="/v1/products/*")
        options = {"idempotency_key": when}
        for _ in range(2):
            with pytest.raises(stripe.APIError) as failed:
                set_stock(client, "13", options)
            assert failed.value.http_status == 500
        assert fake.products["prod_shirt"]["metadata"]["stock_M"] == stands
        assert fake.calls[-1].replayed is True


def test_a_429_is_not_stored(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    fake.faults.add("error_429")

    with pytest.raises(stripe.RateLimitError):
        set_stock(client, "13")

    assert set_stock(client, "13").metadata["stock_M"] == "13"


def test_after_a_cut_the_same_key_returns_the_answer(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.faults.add("cut", when="after")
    with pytest.raises(stripe.APIConnectionError):
        set_stock(client, "13")

    assert fake.products["prod_shirt"]["metadata"]["stock_M"] == "13"
    set_stock(client, "13")
    assert len(fake.events) == 1


def test_the_library_recovers_from_a_cut(fake: FakeStripe, shirt: Any, monkeypatch: Any) -> None:
    waits: list[float] = []
    monkeypatch.setattr("stripe._http_client.time.sleep", waits.append)
    client = stripe.StripeClient("sk_test_fake", http_client=fake.http_client(), max_network_retries=2)
    fake.faults.add("cut", when="after")
    fake.faults.add("lock_timeout")

    set_stock(client, "13", {})

    assert fake.products["prod_shirt"]["metadata"]["stock_M"] == "13"
    assert len(fake.events) == 1
    assert len(fake.calls) == 3
    assert waits == [0, 0]


def test_a_second_request_while_the_first_runs_is_a_409(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, monkeypatch: Any
) -> None:
    inside, release = threading.Event(), threading.Event()

    def held(seconds: float) -> None:
        inside.set()
        assert release.wait(5)

    monkeypatch.setattr("fake_stripe.api.time.sleep", held)
    fake.faults.add("latency", seconds=1)
    first = threading.Thread(target=set_stock, args=(client, "13"))
    first.start()
    assert inside.wait(5)

    with pytest.raises(stripe.APIError) as busy:
        set_stock(client, "13")
    release.set()
    first.join(5)

    assert busy.value.error is not None
    assert (busy.value.http_status, busy.value.error.code) == (409, "idempotency_key_in_use")
    assert set_stock(client, "13").metadata["stock_M"] == "13"
    assert len(fake.events) == 1


def test_a_key_expires_after_a_day(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    set_stock(client, "13")
    set_stock(client, "9", {})

    fake.forward(24 * 3600 - 1)
    set_stock(client, "13")
    assert fake.products["prod_shirt"]["metadata"]["stock_M"] == "9"
    fake.forward(1)
    set_stock(client, "13")

    assert fake.products["prod_shirt"]["metadata"]["stock_M"] == "13"
    assert len(fake.account.store.table("idempotency").rows) == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_1_to_255_characters(fake: FakeStripe, key: str) -> None:
    status, answer = fake.call("POST", "/v1/products", "name=A", idempotency_key=key)

    assert (status, answer["error"]["type"]) == (400, "idempotency_error")


def test_a_get_ignores_the_key(fake: FakeStripe, shirt: Any) -> None:
    for _ in range(2):
        assert fake.call("GET", "/v1/products/prod_shirt", idempotency_key="k")[0] == 200
    assert not any(call.replayed for call in fake.calls)


def test_the_same_key_in_the_other_mode_is_another_key(fake: FakeStripe) -> None:
    fake.keys.add("sk_live_1")
    for key in ("sk_test_fake", "sk_live_1"):
        client = stripe.StripeClient(key, http_client=fake.http_client())
        client.v1.products.create({"name": "A"}, KEY)  # type: ignore[arg-type]

    assert len(fake.products) == 2


def test_a_reused_key_does_not_delay_the_expiry_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The machine's clock is patched, because `forward` would delete the first key before it is used again."""
    hour = 3600.0
    time = [1_800_000_000.0]
    monkeypatch.setattr("fake_stripe.clock.time.time", lambda: time[0])
    fake = FakeStripe()
    for key, passes in (("first", hour), ("second", 23.5 * hour), ("first", hour)):
        fake.call("POST", "/v1/products", "name=A", idempotency_key=key)
        time[0] += passes

    fake.forward(0)

    assert list(fake.account.store.table("idempotency").rows) == ["test:first"]
