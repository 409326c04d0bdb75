"""Webhook deliveries: signatures, order, retries, resending, and the record of attempts."""

import itertools
import threading
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.deliveries import LIVE_GAPS, SANDBOX_GAPS
from fake_stripe.errors import StripeError
from fake_stripe.tests.conftest import NOW, Receiver


def rename(client: stripe.StripeClient, *names: str) -> None:
    for name in names:
        client.v1.products.update("prod_shirt", {"name": name})


def names(receiver: Receiver) -> list[str]:
    return [event.data.object["name"] for event in receiver.events()]


def test_events_are_sent_in_the_order_of_their_creation(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    rename(client, "A", "B", "C")

    attempts = fake.deliver_due()

    assert names(receiver) == ["A", "B", "C"]
    assert [attempt["status"] for attempt in attempts] == [200, 200, 200]
    assert fake.deliver_due() == []


def test_a_delivery_has_stripes_headers_and_signature(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    rename(client, "A")
    fake.deliver_due()

    ((url, headers, body),) = receiver.got
    assert url == "https://shop.test/stripe/webhook/"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["User-Agent"].startswith("Stripe/1.0")
    assert b'"pending_webhooks": 1' in body


@pytest.mark.parametrize(
    ("key", "gaps"), [("sk_test_1", SANDBOX_GAPS), ("sk_live_1", LIVE_GAPS)], ids=["a sandbox", "live"]
)
def test_a_failed_delivery_is_retried_after_growing_intervals(key: str, gaps: tuple[int, ...]) -> None:
    fake = FakeStripe(key, now=NOW)
    fake.add_webhook_endpoint("https://shop.test/")
    fake.deliver_to(Receiver(500))
    fake.add_product(name="A", emit=True)

    tried_at = []
    for gap in (0, *gaps):
        fake.forward(gap)
        tried_at += [attempt["at"] for attempt in fake.deliver_due()]
        assert fake.deliver_due() == []

    waited = [later - earlier for earlier, later in itertools.pairwise(tried_at)]
    assert waited == list(gaps) == sorted(waited)
    (delivery,) = fake.deliveries()
    assert delivery["state"] == "failed"
    assert len(delivery["attempts"]) == len(gaps) + 1


def test_a_sandbox_retries_three_times_and_live_mode_for_days() -> None:
    assert len(SANDBOX_GAPS) == 3
    assert sum(SANDBOX_GAPS) < 5 * 3600
    assert 2 * 24 * 3600 < sum(LIVE_GAPS) < 3 * 24 * 3600


def test_a_redirect_and_no_answer_are_failures(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    receiver.status = 301
    rename(client, "A")
    (redirected,) = fake.deliver_due()

    def unreachable(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        raise ConnectionRefusedError("connection refused")

    fake.deliver_to(unreachable)
    fake.forward(2)
    (lost,) = fake.deliver_due()

    assert (redirected["ok"], redirected["status"]) == (False, 301)
    assert (lost["ok"], lost["status"]) == (False, None)
    assert "connection refused" in lost["error"]


def test_the_record_keeps_what_the_endpoint_answered(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    receiver.status = 503
    rename(client, "A")
    fake.deliver_due()
    receiver.status = 200
    fake.forward(2)
    fake.deliver_due()

    (event_id,) = fake.events
    (delivery,) = fake.deliveries(event_id)
    assert [(a["status"], a["body"]) for a in delivery["attempts"]] == [(503, "noted"), (200, "noted")]
    assert delivery["state"] == "delivered"
    assert fake.events[event_id]["pending_webhooks"] == 0


def test_an_event_can_be_resent(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    rename(client, "A")
    fake.deliver_due()
    (event_id,) = fake.events

    fake.dashboard.resend(event_id)
    fake.deliver_due()

    first, second = receiver.events()
    assert first.id == second.id == event_id


def test_an_event_is_only_resent_to_subscribed_endpoints(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    (listening,) = fake.webhook_endpoints
    deaf = fake.add_webhook_endpoint("https://deaf.test/", ["price.updated"])["id"]
    fake.keys.add("sk_live_1")
    live = stripe.StripeClient("sk_live_1", http_client=fake.http_client())
    elsewhere = live.v1.webhook_endpoints.create({"url": "https://live.test/", "enabled_events": ["*"]}).id
    rename(client, "A")
    fake.deliver_due()
    (event_id,) = fake.events

    assert [d["endpoint"] for d in fake.dashboard.resend(event_id)] == [listening]
    assert [d["endpoint"] for d in fake.dashboard.resend(event_id, listening)] == [listening]
    for endpoint in (deaf, elsewhere, "we_nobody"):
        with pytest.raises(StripeError, match=endpoint):
            fake.dashboard.resend(event_id, endpoint)
    assert len(fake.deliveries(event_id)) == 3


def test_pending_webhooks_counts_endpoints(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    good, bad = "https://good.test/", "https://bad.test/"
    for url in (good, bad):
        fake.add_webhook_endpoint(url)
    fake.deliver_to(lambda url, headers, body: (200 if url == good else 500, b""))
    rename(client, "A")

    (event_id,) = fake.events
    assert fake.events[event_id]["pending_webhooks"] == 2
    fake.deliver_due()

    assert fake.events[event_id]["pending_webhooks"] == 1


def test_a_second_success_at_one_endpoint_is_not_counted_for_another(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    good, bad = "https://good.test/", "https://bad.test/"
    for url in (good, bad):
        fake.add_webhook_endpoint(url)
    fake.deliver_to(lambda url, headers, body: (200 if url == good else 500, b""))
    fake.faults.add("duplicate", copies=3)
    rename(client, "A")
    fake.deliver_due()

    (event_id,) = fake.events
    assert fake.events[event_id]["pending_webhooks"] == 1


def test_a_live_event_is_not_sent_to_a_test_endpoint(fake: FakeStripe, receiver: Receiver) -> None:
    fake.keys.add("sk_live_1")
    live = stripe.StripeClient("sk_live_1", http_client=fake.http_client())

    product = live.v1.products.create({"name": "Live"})

    assert product.livemode is True
    assert fake.deliver_due() == []


def test_a_receiver_that_raises_is_a_failure_and_nothing_is_lost(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    def broken(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        raise RuntimeError("a bug in the shop")

    fake.deliver_to(broken)
    rename(client, "A")
    (attempt,) = fake.deliver_due()
    fake.deliver_to(receiver)
    fake.forward(2)
    fake.deliver_due()

    assert "a bug in the shop" in attempt["error"]
    assert names(receiver) == ["A"]


def test_the_delivery_thread_survives_its_own_errors(
    fake: FakeStripe, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        fake.account.on_tick.remove(broken)
        raise RuntimeError("a bug")

    fake.account.on_tick.append(broken)
    fake.courier.start()
    fake.add_product(name="A", emit=True)

    (event_id,) = fake.events
    assert fake.courier.wait_for(event_id, 5)
    fake.courier.stop()
    assert "RuntimeError: a bug" in caplog.text


def test_a_delivery_thread_sends_events(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    arrived = threading.Event()

    def post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        arrived.set()
        return 200, b""

    fake.deliver_to(post)
    fake.courier.start()
    rename(client, "A")

    assert arrived.wait(5)
    (event_id,) = fake.events
    assert fake.courier.wait_for(event_id, 5)
