"""Rate limits and lock timeouts."""

import threading
import time
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe


def test_a_sandbox_allows_25_calls_per_second(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.api.limits.enforced = True
    for n in range(25):
        if n % 2:
            client.v1.products.retrieve("prod_shirt")
        else:
            client.v1.prices.list()

    with pytest.raises(stripe.RateLimitError) as limited:
        client.v1.events.list()

    assert limited.value.headers is not None
    assert limited.value.headers["stripe-rate-limited-reason"] == "global-rate"
    assert "stripe-should-retry" not in limited.value.headers
    assert limited.value.error is not None
    assert limited.value.error.code == "rate_limit"
    fake.clock.forward(1)
    assert client.v1.events.list().data == []


def test_live_mode_allows_100_calls_but_25_per_endpoint() -> None:
    fake = FakeStripe("sk_live_1", now=0)
    fake.api.limits.enforced = True
    client = stripe.StripeClient("sk_live_1", http_client=fake.http_client())
    for calls in (client.v1.products, client.v1.prices, client.v1.events):
        for _ in range(25):
            calls.list()

    with pytest.raises(stripe.RateLimitError) as limited:
        client.v1.products.list()

    assert limited.value.headers is not None
    assert limited.value.headers["stripe-rate-limited-reason"] == "endpoint-rate"


def test_on_a_frozen_clock_only_forward_allows_more_calls(
    fake: FakeStripe, client: stripe.StripeClient, monkeypatch: Any
) -> None:
    fake.api.limits.enforced = True
    for _ in range(25):
        client.v1.products.list()
    later = time.time() + 3600
    monkeypatch.setattr("fake_stripe.clock.time.time", lambda: later)

    with pytest.raises(stripe.RateLimitError):
        client.v1.products.list()
    fake.forward(1)
    client.v1.products.list()


def test_limits_are_off_by_default(fake: FakeStripe, client: stripe.StripeClient) -> None:
    for _ in range(200):
        client.v1.products.list()


def test_a_second_change_of_an_object_times_out_and_allows_a_retry(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, monkeypatch: Any
) -> None:
    inside, release = threading.Event(), threading.Event()

    def held(seconds: float) -> None:
        inside.set()
        assert release.wait(5)

    monkeypatch.setattr("fake_stripe.api.time.sleep", held)
    fake.api.locks.patience = 0.01
    other = fake.add_product(name="Other")["id"]
    fake.faults.add("latency", seconds=1)
    first = threading.Thread(target=client.v1.products.update, args=("prod_shirt", {"name": "First"}))
    first.start()
    assert inside.wait(5)

    with pytest.raises(stripe.RateLimitError) as timed_out:
        client.v1.products.update("prod_shirt", {"name": "Second"})
    client.v1.products.update(other, {"name": "Not in the way"})
    assert client.v1.products.retrieve("prod_shirt").name == "BALM T-Shirt"
    release.set()
    first.join(5)

    assert timed_out.value.headers is not None
    assert timed_out.value.headers["stripe-should-retry"] == "true"
    assert timed_out.value.error is not None
    assert timed_out.value.error.code == "lock_timeout"
    assert fake.products["prod_shirt"]["name"] == "First"


def test_parallel_changes_of_different_keys_are_all_kept(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    def change(n: int) -> None:
        for step in range(20):
            client.v1.products.update("prod_shirt", {"metadata": {f"k{n}": str(step)}})

    threads = [threading.Thread(target=change, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    metadata = fake.products["prod_shirt"]["metadata"]
    assert {metadata[f"k{n}"] for n in range(8)} == {"19"}
    assert len(fake.events) == 160
