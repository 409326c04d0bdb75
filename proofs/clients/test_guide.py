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

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "fake_stripe" / "README.md"]
# Commands that a sentence only names, because they are incomplete, or refused on purpose.
MENTIONED = {"listen", "logs tail", "trigger", "trigger --api-version", "products create"}


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_the_documentation_runs(
    served: FakeStripe, cli: StripeCli, receiver: Receiver, page: Path
) -> None:
    commands = commands_of(page.read_text(encoding="utf-8"))
    receiver.secret = cli.output("listen", "--print-secret").strip()
    for command in commands:
        words = in_this_test(command, served, receiver)
        if words[0] in ("listen", "logs") and "--print-secret" not in words:
            with cli.listening(*words):
                served.call("POST", "/v1/products", "name=A")
                if words[0] == "listen":
                    receiver.wait_for("product.created")
        else:
            output = cli.output(*words)
            assert output
            # Resource commands exit with 0 even if they are refused.
            assert '"error": {' not in output, (command, output)
    assert receiver.refused == []


def test_the_documentation_has_the_commands_that_a_shop_needs() -> None:
    both = "\n".join("\n".join(commands_of(page.read_text(encoding="utf-8"))) for page in PAGES)

    for needed in (
        "listen --print-secret",
        "--all-snapshot --forward-to",
        "trigger --api-version",
        "events resend",
    ):
        assert needed in both
    assert "localhost:8000/stripe/webhook/" in both


def commands_of(text: str) -> list[str]:
    """Every `stripe ...` of a page, without the first word: lines of code, and spans of code in sentences."""
    spans = [" ".join(span.split()) for span in re.findall(r"`(?:stripe)\s([^`|]+)`", text)]
    return [
        *re.findall(r"^\s*(?:\$ )?stripe ([a-z].*)$", without_spans(text), re.M),
        *[span for span in spans if span not in MENTIONED],
    ]


def without_spans(text: str) -> str:
    return re.sub(r"(?<!`)`[^`]+`(?!`)", "", text)


def in_this_test(command: str, fake: FakeStripe, receiver: Receiver) -> list[str]:
    """The words of a command, with the addresses and objects of this test in place of the examples."""
    words = shlex.split(command, comments=True)
    if "--api-base" in words:
        at = words.index("--api-base")
        assert words[at + 1].startswith("http://127.0.0.1:")
        del words[at : at + 2]
    if {"evt_...", "prod_..."} & set(words) and not fake.products:
        fake.call("POST", "/v1/products", "name=A")
    shop = receiver.address.removeprefix("http://")
    words = [re.sub(r"(localhost|127\.0\.0\.1):8000", shop, word) for word in words]
    latest = {"evt_...": list(fake.events)[-1:], "prod_...": list(fake.products)[-1:]}
    return [latest[word][0] if word in latest else word for word in words]
