"""`stripe listen`, `stripe logs tail` and `stripe events resend` of the real CLI."""

import json
import time
from pathlib import Path

from fake_stripe import FakeStripe
from proofs.clients.conftest import serving
from proofs.clients.npm import CLI
from proofs.clients.receiver import Receiver
from proofs.clients.stripe_cli import TIMEOUT, StripeCli


def forward(receiver: Receiver) -> tuple[str, ...]:
    return ("listen", "--all-snapshot", "--forward-to", f"{receiver.address}/stripe/webhook/")


def make_products(fake: FakeStripe, names: list[str]) -> None:
    for name in names:
        assert fake.call("POST", "/v1/products", f"name={name}")[0] == 200


def wait_for_acknowledgement(fake: FakeStripe, timeout: float = TIMEOUT) -> None:
    """The CLI prints the receiver's answer before it acknowledges the event."""
    deadline = time.monotonic() + timeout
    while fake.account.store.table("kept_event").rows:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_secret_is_known_before_the_start_and_after_another(
    cli: StripeCli, clients: Path, tmp_path: Path
) -> None:
    printed = cli.output("listen", "--print-secret").strip()
    with serving(FakeStripe(seed=9)) as other:
        again = StripeCli(clients / CLI, tmp_path, other.base_url).output("listen", "--print-secret").strip()

    assert printed.startswith("whsec_")
    assert again == printed


def test_events_are_forwarded_with_valid_signatures(
    served: FakeStripe, cli: StripeCli, receiver: Receiver
) -> None:
    receiver.secret = cli.output("listen", "--print-secret").strip()
    with cli.listening(*forward(receiver)) as listen:
        assert "[2026-10-28.endive]" in listen.lines[-1]
        make_products(served, ["A"])
        event = receiver.wait_for("product.created")
        listen.wait_for("<--")

    assert event == json.loads(json.dumps(served.events[event["id"]]))
    assert receiver.headers[0]["User-Agent"].startswith("Stripe/1.0")
    assert receiver.refused == []


def test_an_event_can_be_sent_again(served: FakeStripe, cli: StripeCli, receiver: Receiver) -> None:
    receiver.secret = cli.output("listen", "--print-secret").strip()
    with cli.listening(*forward(receiver)):
        make_products(served, ["A"])
        event = receiver.wait_for("product.created")
        again = cli.output("events", "resend", event["id"])

        assert receiver.wait_until(lambda: len(receiver.events) == 2)
    assert json.loads(again)["id"] == event["id"]
    assert receiver.ids == [event["id"]] * 2


def test_an_event_can_be_sent_again_to_an_endpoint(
    served: FakeStripe, cli: StripeCli, receiver: Receiver
) -> None:
    make_products(served, ["A"])
    endpoint = served.add_webhook_endpoint(receiver.address, secret="whsec_test")
    receiver.secret = "whsec_test"

    cli.output("events", "resend", next(iter(served.events)), "--webhook-endpoint", endpoint["id"])

    assert receiver.wait_for("product.created")


def test_an_event_that_the_receiver_refuses_is_not_sent_again(
    served: FakeStripe, cli: StripeCli, receiver: Receiver
) -> None:
    receiver.secret, receiver.status = cli.output("listen", "--print-secret").strip(), 500
    with cli.listening(*forward(receiver)) as listen:
        make_products(served, ["A"])
        assert "[500]" in listen.wait_for("<--")
        make_products(served, ["B"])
        listen.wait_for("<--")
        wait_for_acknowledgement(served)

    assert len(receiver.events) == 2


def test_every_client_gets_every_event(served: FakeStripe, cli: StripeCli, receiver: Receiver) -> None:
    receiver.secret = cli.output("listen", "--print-secret").strip()
    other = Receiver()
    other.secret = receiver.secret
    with cli.listening(*forward(receiver)), cli.listening(*forward(other)):
        make_products(served, ["A", "B"])

        assert receiver.wait_until(lambda: len(receiver.events) == 2)
        assert other.wait_until(lambda: len(other.events) == 2)
    other.close()


def test_one_of_two_clients_of_the_same_address_may_be_killed(
    served: FakeStripe, cli: StripeCli, receiver: Receiver
) -> None:
    receiver.secret = cli.output("listen", "--print-secret").strip()
    with cli.listening(*forward(receiver)) as first, cli.listening(*forward(receiver)):
        make_products(served, [f"before {n}" for n in range(20)])
        first.kill()
        make_products(served, [f"after {n}" for n in range(20)])

        assert receiver.wait_until(lambda: set(receiver.ids) == set(served.events))
    assert receiver.refused == []


def test_events_wait_for_the_client_to_return(served: FakeStripe, cli: StripeCli, receiver: Receiver) -> None:
    receiver.secret = cli.output("listen", "--print-secret").strip()
    with cli.listening(*forward(receiver)) as listen:
        make_products(served, ["A"])
        listen.wait_for("<--")
        wait_for_acknowledgement(served)
    make_products(served, ["B", "C"])
    with cli.listening(*forward(receiver)):
        assert receiver.wait_until(lambda: len(receiver.events) >= 3)

    names = [event["data"]["object"]["name"] for event in receiver.events]
    assert sorted(names) == ["A", "B", "C"]


def test_the_paths_of_the_webhook_endpoints_are_used(
    served: FakeStripe, cli: StripeCli, receiver: Receiver
) -> None:
    served.add_webhook_endpoint("https://shop.example/stripe/webhook/", enabled_events=["product.created"])
    receiver.secret = cli.output("listen", "--print-secret").strip()
    with cli.listening("listen", "--all-snapshot", "-a", "--forward-to", receiver.address):
        make_products(served, ["A"])

        assert receiver.wait_for("product.created")


def test_listen_wants_to_know_which_events(cli: StripeCli, receiver: Receiver) -> None:
    done = cli.run("listen", "--forward-to", receiver.address)

    assert done.returncode == 1
    assert "--all-snapshot" in done.stdout + done.stderr


def test_logs_are_shown_and_filtered(served: FakeStripe, cli: StripeCli) -> None:
    with (
        cli.listening("logs", "tail") as every,
        cli.listening("logs", "tail", "--filter-status-code-type", "4XX") as failed,
    ):
        make_products(served, ["A"])
        assert "[200] POST /v1/products" in every.wait_for("/v1/products")

        assert served.call("GET", "/v1/products/prod_nothing")[0] == 404
        assert "[404] GET /v1/products/prod_nothing" in every.wait_for("prod_nothing")
        assert "[404] GET /v1/products/prod_nothing" in failed.wait_for("/v1/products")


def test_a_wrong_key_ends_listen_with_a_reason(served: FakeStripe, clients: Path, tmp_path: Path) -> None:
    unknown = StripeCli(clients / CLI, tmp_path, served.base_url, key="sk_test_unknown_key")

    done = unknown.run("listen", "--print-secret")

    assert done.returncode == 1
    assert "Invalid API Key" in done.stdout + done.stderr
