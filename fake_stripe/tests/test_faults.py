"""Injected faults of calls and deliveries."""

import itertools
import threading
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.deliveries import SECONDS_PER_PLACE
from fake_stripe.tests.conftest import NOW, Receiver


def update(client: stripe.StripeClient, value: str) -> None:
    client.v1.products.update("prod_shirt", {"metadata": {"stock_M": value}})


def stock(fake: FakeStripe) -> str:
    return str(fake.products["prod_shirt"]["metadata"]["stock_M"])


def test_a_500_before_takes_no_effect_and_one_after_does(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.faults.add("error_500", when="before")
    with pytest.raises(stripe.APIError):
        update(client, "1")
    assert (stock(fake), len(fake.events)) == ("15", 0)

    fake.faults.add("error_500", when="after")
    with pytest.raises(stripe.APIError):
        update(client, "2")
    assert (stock(fake), len(fake.events)) == ("2", 1)


def test_a_500_that_is_not_stored_lets_the_same_key_run(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.faults.add("error_500", stored=False)
    key: Any = {"idempotency_key": "k"}
    with pytest.raises(stripe.APIError):
        client.v1.products.update("prod_shirt", {"name": "B"}, key)

    assert client.v1.products.update("prod_shirt", {"name": "B"}, key).name == "B"


def test_a_connection_is_cut_before_or_after_the_effect(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    for when, value, stands in (("before", "1", "15"), ("after", "2", "2")):
        fake.faults.add("cut", when=when)
        with pytest.raises(stripe.APIConnectionError):
            update(client, value)
        assert stock(fake) == stands
        assert fake.calls[-1].cut is True


def test_an_outage_affects_replays_and_the_answer_stays_stored(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    key: Any = {"idempotency_key": "k"}
    client.v1.products.update("prod_shirt", {"name": "B"}, key)
    for kind, error in (
        ("cut", stripe.APIConnectionError),
        ("error_500", stripe.APIError),
        ("error_429", stripe.RateLimitError),
    ):
        fake.faults.add(kind)
        with pytest.raises(error):
            client.v1.products.update("prod_shirt", {"name": "B"}, key)

    again = client.v1.products.update("prod_shirt", {"name": "B"}, key)

    assert fake.calls[-1].replayed is True
    assert again.name == "B"


def test_latency_delays_the_call_but_does_not_lock_the_account(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, monkeypatch: Any
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("fake_stripe.api.time.sleep", waited.append)
    fake.faults.add("latency", seconds=1.5, times=None)
    fake.faults.add("latency", seconds=0.5, when="after", method="POST")

    client.v1.products.retrieve("prod_shirt")
    update(client, "1")

    assert waited == [1.5, 1.5, 0.5]


def test_a_rule_matches_only_its_calls_and_is_used_up(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.faults.add("error_429", method="POST", path="/v1/products/*", times=2)

    client.v1.products.retrieve("prod_shirt")
    client.v1.products.create({"name": "A"})
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            update(client, "1")
    update(client, "1")

    (rule,) = fake.faults.listed()
    assert (rule["used"], rule["times"]) == (2, 2)


def test_rules_can_be_removed(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    id = fake.faults.add("cut", times=None)
    fake.faults.add("error_429", times=None)
    assert fake.faults.remove(id) is True
    assert fake.faults.remove(id) is False
    fake.faults.clear()

    update(client, "1")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("explode", {}),
        ("cut", {"when": "sometimes"}),
        ("cut", {"probability": 2}),
        ("cut", {"times": 0}),
        ("cut", {"color": "red"}),
        ("latency", {"seconds": -1}),
        ("latency", {"seconds": "long"}),
        ("duplicate", {"copies": 0}),
    ],
)
def test_an_invalid_rule_is_refused(fake: FakeStripe, kind: str, options: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        fake.faults.add(kind, **options)

    assert fake.faults.listed() == []


def failures(seed: object) -> list[bool]:
    fake = FakeStripe(seed=seed, now=NOW)
    fake.faults.add("error_429", probability=0.3, times=None)
    return [fake.call("GET", "/v1/products")[0] == 429 for _ in range(200)]


def test_the_same_seed_gives_the_same_failures() -> None:
    assert failures(1) == failures(1)
    assert failures(1) != failures(2)
    assert 30 < sum(failures(1)) < 90


def test_a_delivery_may_be_duplicated(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    fake.faults.add("duplicate", copies=3)
    update(client, "1")
    fake.deliver_due()

    assert len({event.id for event in receiver.events()}) == 1
    assert len(receiver.got) == 3


def test_duplicates_may_arrive_at_the_same_moment(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.add_webhook_endpoint("https://shop.test/")
    together = threading.Barrier(8)

    def post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        together.wait(5)
        return 200, b""

    fake.deliver_to(post)
    fake.faults.add("duplicate", copies=8, parallel=True)
    update(client, "1")

    assert [attempt["ok"] for attempt in fake.deliver_due()] == [True] * 8


def test_twin_events_come_from_one_request(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    fake.faults.add("twin", types=["product.updated"])
    update(client, "1")
    fake.deliver_due()

    first, second = receiver.events()
    assert first.id != second.id
    assert first.request is not None
    assert second.request is not None
    assert first.request.id == second.request.id
    assert first.data.to_dict() == second.data.to_dict()
    assert len(client.v1.events.list().data) == 2


def test_a_delivery_may_be_late(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    fake.faults.add("delay", seconds=3600, types=["product.*"])
    update(client, "1")
    update(client, "2")

    fake.deliver_due()
    assert [e.data.object["metadata"]["stock_M"] for e in receiver.events()] == ["2"]
    fake.forward(3600)
    fake.deliver_due()

    assert [e.data.object["metadata"]["stock_M"] for e in receiver.events()] == ["2", "1"]


def test_a_dropped_event_is_still_listed(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    fake.faults.add("drop")
    update(client, "1")
    fake.forward(3 * 24 * 3600)

    assert fake.deliver_due() == []
    (event,) = client.v1.events.list({"delivery_success": False}).data
    fake.dashboard.resend(event.id)
    assert len(fake.deliver_due()) == 1


def arrivals(seed: object) -> list[str]:
    fake = FakeStripe(seed=seed, now=NOW)
    fake.add_product(id="prod_shirt", name="A", metadata={"stock_M": "0"})
    receiver = Receiver(secret=fake.add_webhook_endpoint("https://shop.test/")["secret"])
    fake.deliver_to(receiver)
    fake.faults.add("reorder", window=10, times=None)
    client = stripe.StripeClient("sk_test_fake", http_client=fake.http_client())
    for n in range(20):
        update(client, str(n + 1))
    fake.deliver_due()
    return [event.data.object["metadata"]["stock_M"] for event in receiver.events()]


def test_deliveries_are_reordered_reproducibly() -> None:
    once = arrivals(5)

    assert once == arrivals(5)
    assert once != arrivals(6)
    assert once != sorted(once, key=int)
    assert sorted(once, key=int) == [str(n + 1) for n in range(20)]
    assert all(abs(int(a) - int(b)) <= 21 for a, b in itertools.pairwise(once))


def test_deliveries_are_reordered_on_a_running_clock() -> None:
    fake = FakeStripe(seed=5)
    fake.add_product(id="prod_shirt", name="A", metadata={"stock_M": "0"})
    receiver = Receiver(secret=fake.add_webhook_endpoint("https://shop.test/")["secret"])
    fake.deliver_to(receiver)
    fake.faults.add("reorder", window=10, times=None)
    for n in range(20):
        fake.dashboard.edit_product("prod_shirt", metadata={"stock_M": f"{n:02}"})

    fake.forward(10 * SECONDS_PER_PLACE)
    fake.deliver_due()

    came = [event.data.object["metadata"]["stock_M"] for event in receiver.events()]
    assert came != sorted(came)
    assert sorted(came) == [f"{n:02}" for n in range(20)]


def test_a_stale_form_posts_every_key_back(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    form = fake.dashboard.read_form("prod_shirt")
    client.v1.products.update("prod_shirt", {"metadata": {"stock_M": "13", "mark": "shop/prod_shirt/1"}})

    fake.dashboard.save_stale_form("prod_shirt", {**form, "stock_S": "9"})

    assert fake.products["prod_shirt"]["metadata"] == {
        **form,
        "stock_S": "9",
        "stock_M": "15",
        "mark": "shop/prod_shirt/1",
    }
    event = list(fake.events.values())[-1]
    assert event["data"]["previous_attributes"]["metadata"] == {"stock_S": "4", "stock_M": "13"}
    assert event["request"]["idempotency_key"] is None


def test_a_dashboard_edit_may_name_a_request_or_none(fake: FakeStripe, shirt: Any) -> None:
    fake.dashboard.edit_product("prod_shirt", metadata={"stock_M": "20"})
    fake.dashboard.names_requests = False
    fake.dashboard.edit_product("prod_shirt", metadata={"stock_M": "21"}, name="Renamed")

    named, unnamed = (event["request"] for event in fake.events.values())
    assert named["id"].startswith("req_")
    assert unnamed == {"id": None, "idempotency_key": None}


def test_every_change_is_made_once_despite_cuts_and_500s(fake: FakeStripe, shirt: Any) -> None:
    """Eight retrying clients at once. A third of the answers is lost or broken, half of those after the effect."""
    fake.faults.add("cut", when="after", probability=0.15, times=None)
    fake.faults.add("cut", when="before", probability=0.1, times=None)
    fake.faults.add("error_500", stored=False, probability=0.1, times=None)

    def work(n: int) -> None:
        client = stripe.StripeClient("sk_test_fake", http_client=fake.http_client(), max_network_retries=50)
        for step in range(10):
            client.v1.products.update("prod_shirt", {"metadata": {f"k{n}": str(step)}})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [fake.products["prod_shirt"]["metadata"][f"k{n}"] for n in range(8)] == ["9"] * 8
    assert len(fake.events) == 80
    assert len(fake.calls) > 80
