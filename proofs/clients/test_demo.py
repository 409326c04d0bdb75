"""The demo's shop behind `stripe listen`: every event of the triggers is answered with 200, and a count arrives."""

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.__main__ import WELCOME
from demo.kept import ANY_PORTS, open_folder
from demo.running import Demo
from fake_stripe.listeners import signing_secret
from proofs.clients.conftest import OLDER_VERSION
from proofs.clients.npm import CLI
from proofs.clients.stripe_cli import TIMEOUT, Running, StripeCli

TRIGGERS = ("checkout.session.completed", "checkout.session.expired", "product.updated", "product.deleted")
OLDER_TRIGGERS = (
    "charge.captured",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
)


@pytest.fixture
def demo(clients: Path, tmp_path: Path, contract_folder: Path) -> Iterator[Demo]:
    kept = open_folder(tmp_path / "demo", ports=ANY_PORTS)
    demo = Demo(tmp_path / "demo", kept, record=contract_folder / f"clients-{tmp_path.name}")
    with demo.running():
        yield demo


def test_the_shop_fulfills_what_the_cli_forwards(demo: Demo, clients: Path, tmp_path: Path) -> None:
    cli = StripeCli(clients / CLI, tmp_path, demo.stripe_url, key=demo.kept.stripe_key)
    assert cli.output("listen", "--print-secret").strip() == signing_secret(demo.kept.stripe_key)
    # Without its webhook endpoint the shop gets nothing but what the CLI forwards.
    (endpoint,) = json.loads(cli.output("webhook_endpoints", "list"))["data"]
    cli.output("webhook_endpoints", "delete", endpoint["id"], "--confirm")
    product, key = counted_product(cli)
    with cli.listening(*printed_command(demo, cli)) as listen:
        before = set(event_ids(cli))
        for name in TRIGGERS:
            cli.output("trigger", name)
        for name in OLDER_TRIGGERS:
            cli.output("trigger", name, "--api-version", OLDER_VERSION)
        cli.output("products", "update", product, "-d", f"metadata[{key}]=77")
        events = [event for event in event_ids(cli) if event not in before]
        wait_for_answers(listen, events)
        cli.output("events", "resend", events[0])
        wait_for_answers(listen, events[:1])
        # The worker confirms the count under its own version.
        wait_for_version(cli, product)

    answers = [line for line in listen.lines if "<--" in line]
    assert len(events) >= 30
    assert [line for line in answers if "[200]" not in line] == []
    assert json.loads(cli.output("products", "retrieve", product))["metadata"][key] == "77"


def printed_command(demo: Demo, cli: StripeCli) -> list[str]:
    """The words after `stripe` of the line that the demo prints, without the address and key that `cli` adds."""
    assert "{listen}" in WELCOME
    key, program, *words = shlex.split(demo.listen_command())
    assert (key, program) == (f"STRIPE_API_KEY={demo.kept.stripe_key}", "stripe")
    at = words.index("--api-base")
    assert words.pop(at + 1) == cli.address
    del words[at]
    return words


def counted_product(cli: StripeCli) -> tuple[str, str]:
    """A product that the shop counts, and one of its metadata keys with a count."""
    for product in json.loads(cli.output("products", "list", "--limit=100"))["data"]:
        for key in product["metadata"]:
            if key.startswith("stock_"):
                return product["id"], key
    raise AssertionError("the demo has no counted product")


def event_ids(cli: StripeCli) -> list[str]:
    """The newest hundred events."""
    return [event["id"] for event in json.loads(cli.output("events", "list", "--limit=100"))["data"]]


def wait_for_answers(listen: Running, events: list[str]) -> None:
    """Wait for the next answer to each event."""
    waiting = set(events)
    while waiting:
        line = listen.wait_for("<--")
        waiting = {event for event in waiting if event not in line}


def wait_for_version(cli: StripeCli, product: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while "inventory_version" not in json.loads(cli.output("products", "retrieve", product))["metadata"]:
        assert time.monotonic() < deadline, "the shop has not written its version"
