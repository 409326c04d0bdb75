"""The commands of a guide to a shop, run by the real CLI."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from fake_stripe import FakeStripe
from proofs.clients.receiver import Receiver
from proofs.clients.stripe_cli import StripeCli

README = Path(__file__).parents[2] / "fake_stripe" / "README.md"


def answer(cli: StripeCli, *command: str) -> Any:
    """The JSON that a resource command prints."""
    return json.loads(cli.output(*command))


def test_a_product_is_created_sold_and_refunded(served: FakeStripe, cli: StripeCli) -> None:
    product = answer(cli, "products", "create", "--name=T-Shirt", "-d", "metadata[stock_M]=15")
    price = answer(
        cli, "prices", "create", f"--product={product['id']}", "--unit-amount=2500", "--currency=usd"
    )
    answer(cli, "products", "update", product["id"], "-d", f"default_price={price['id']}")
    session = answer(
        cli,
        *("checkout", "sessions", "create", "--mode=payment", "--success-url=https://shop.example/thanks"),
        *("-d", f"line_items[0][price]={price['id']}", "-d", "line_items[0][quantity]=2"),
    )
    served.pay(session["id"])

    paid = answer(cli, "checkout", "sessions", "retrieve", session["id"], "--expand=payment_intent")
    items = answer(cli, "checkout", "sessions", "list_line_items", session["id"])
    refund = answer(cli, "refunds", "create", f"--payment-intent={paid['payment_intent']['id']}")

    assert (paid["payment_status"], paid["payment_intent"]["amount_received"]) == ("paid", 5000)
    assert [line["quantity"] for line in items["data"]] == [2]
    assert refund["amount"] == 5000
    assert answer(cli, "products", "list", "--limit=3")["data"][0]["metadata"] == {"stock_M": "15"}
    assert answer(cli, "products", "retrieve", product["id"])["default_price"] == price["id"]


def test_events_and_webhook_endpoints(served: FakeStripe, cli: StripeCli) -> None:
    endpoint = answer(
        cli,
        *("webhook_endpoints", "create", "--url=https://shop.example/hook"),
        *("-d", "enabled_events[0]=product.created"),
    )
    answer(cli, "post", "/v1/products", "-d", "name=A")
    (event,) = answer(cli, "events", "list", "--type=product.created")["data"]

    assert endpoint["secret"].startswith("whsec_")
    assert answer(cli, "events", "retrieve", event["id"]) == event
    assert answer(cli, "get", "/v1/webhook_endpoints")["data"][0]["id"] == endpoint["id"]
    # `delete` prints two lines for people before the JSON.
    deleted = cli.output("webhook_endpoints", "delete", endpoint["id"], "--confirm").splitlines()[-1]
    assert json.loads(deleted)["deleted"] is True


def test_a_fixture_file_is_run(served: FakeStripe, cli: StripeCli, tmp_path: Path) -> None:
    steps = [
        {"name": "shirt", "path": "/v1/products", "method": "post", "params": {"name": "Shirt"}},
        {
            "name": "price",
            "path": "/v1/prices",
            "method": "post",
            "params": {"product": "${shirt:id}", "currency": "usd", "unit_amount": 2500},
        },
    ]
    file = tmp_path / "fixture.json"
    file.write_text(json.dumps({"_meta": {"template_version": 0}, "fixtures": steps}))

    cli.output("fixtures", str(file))

    (price,) = served.prices.values()
    assert served.products[price["product"]]["name"] == "Shirt"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("products", "retrieve", "prod_nothing"), 0),
        (("products", "create"), 0),
        (("get", "/v1/products/prod_nothing"), 0),
        (("trigger", "customer.created"), 1),
        (("trigger", "no.such.event"), 1),
        (("listen", "--events", "*", "--forward-to", "127.0.0.1:1"), 1),
    ],
)
def test_exit_codes_as_they_are(cli: StripeCli, command: tuple[str, ...], code: int) -> None:
    """Resource commands print the error and exit with 0."""
    done = cli.run(*command)

    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stdout + done.stderr


def test_every_command_of_the_readme_runs(
    older: FakeStripe, older_cli: StripeCli, receiver: Receiver
) -> None:
    commands = re.findall(r"^    stripe (.*)$", README.read_text(encoding="utf-8"), re.M)
    assert len(commands) >= 4
    receiver.secret = older_cli.output("listen", "--print-secret").strip()
    event = ""
    for line in commands:
        words = shlex.split(line)
        at = words.index("--api-base")
        assert words[at + 1].startswith("http://127.0.0.1:")
        del words[at : at + 2]
        words = [word.replace("127.0.0.1:8000", receiver.address.removeprefix("http://")) for word in words]
        words = [event if word == "evt_..." else word for word in words]
        if words[0] in ("listen", "logs"):
            with older_cli.listening(*words):
                older.call("POST", "/v1/products", "name=A")
            event = list(older.events)[-1]
        else:
            older_cli.output(*words)
