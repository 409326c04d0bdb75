"""Switching over from the previous function, with sales before, during and after: each is counted once.

The function is the real one of benchmarks/control. It stands behind a webhook endpoint of the fake, with the faults that
deliveries have: refused, answered too late, cut off after the first line, or under way while its endpoint is disabled.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from benchmarks.control.app import make_app
from checkout.management.commands import adopt
from checkout.models import Order
from checkout.recovery.backfill import apply_undelivered
from fake_stripe import FakeStripe, deliveries
from inventory import heartbeat, worker
from inventory.models import Heartbeat, Issue, Movement, StockItem
from inventory.stock import ledger
from inventory.stripe_sync.catalog_sync import sync_catalog

pytestmark = pytest.mark.django_db

SHIRT = "prod_shirt"
FUNCTION, SHOP = "https://label.example/.netlify/functions/webhook", "http://testserver/stripe/webhook/"
START = 200


class Label:
    """A label's Stripe account, its old shop with the function, and this shop beside it."""

    def __init__(self, fake: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake = fake
        self.sold = {"S": 0, "M": 0}
        self.refuses = self.answers_too_late = self.stops_after_a_line = False
        client = stripe.StripeClient(fake.secret_key, http_client=fake.http_client())
        self.function = make_app(client, "whsec_function")
        for endpoint in list(fake.webhook_endpoints):
            fake.call("DELETE", f"/v1/webhook_endpoints/{endpoint}")
        self.endpoint = fake.add_webhook_endpoint(
            FUNCTION, ["checkout.session.completed"], secret="whsec_function"
        )["id"]
        metadata = {"category": "clothing", "sizes": "S, M", "stock_S": str(START), "stock_M": str(START)}
        price = {"unit_amount": 2500, "currency": "usd"}
        fake.add_product(id=SHIRT, name="BALM T-Shirt", metadata=metadata, prices=[price])
        fake.deliver_to(self.post)
        self.while_waiting: list[Callable[[], object]] = []
        monkeypatch.setattr("checkout.management.commands.adopt.time.sleep", self.wait)

    def post(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if url == SHOP:
            small = {name: value for name, value in headers.items() if name.lower() != "content-type"}
            answer = Client().post(SHOP, data=body, content_type="application/json", headers=small)
            return answer.status_code, answer.content
        if self.refuses:
            return 502, b""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_STRIPE_SIGNATURE": headers["Stripe-Signature"],
            "wsgi.input": io.BytesIO(body),
        }
        status: list[str] = []
        if self.stops_after_a_line:
            self.fake.observers.append(self._fail_the_second_update)
        b"".join(self.function(environ, lambda line, _headers: status.append(line)))
        return (504, b"") if self.answers_too_late else (int(status[0].split()[0]), b"")

    def _fail_the_second_update(self, call: Any) -> None:
        if call.method == "POST":
            self.fake.observers.remove(self._fail_the_second_update)
            self.fake.faults.add("error_500", method="POST", path=f"/v1/products/{SHIRT}")

    def wait(self, seconds: float) -> None:
        """Time passes for the account; the machine's own clock falls behind."""
        for act in self.while_waiting:
            act()
        self.fake.forward(seconds)

    def open(self, **wants: int) -> str:
        """Open a session as the old shop does."""
        form = {"mode": "payment", "success_url": "https://label.example/"}
        for number, (size, quantity) in enumerate(wants.items()):
            form |= {
                f"line_items[{number}][price]": self.fake.products[SHIRT]["default_price"],
                f"line_items[{number}][quantity]": str(quantity),
                f"metadata[item_{number}_size]": size,
                f"metadata[item_{number}_product_id]": SHIRT,
                f"metadata[item_{number}_quantity]": str(quantity),
            }
        status, session = self.fake.call("POST", "/v1/checkout/sessions", urlencode(form))
        assert status == 200, session
        return str(session["id"])

    def pay(self, session_id: str, wants: dict[str, int], *, delayed: bool = False) -> None:
        self.fake.pay(session_id, delayed=delayed)
        for size, quantity in wants.items():
            self.sold[size] += quantity

    def sell(self, **wants: int) -> None:
        self.pay(self.open(**wants), wants)

    def switch(self) -> str:
        out = io.StringIO()
        call_command("adopt", "--switch", self.endpoint, stdout=out)
        return out.getvalue()

    def connect(self) -> None:
        """What follows the switch: the shop's endpoint, and its worker."""
        self.fake.add_webhook_endpoint(SHOP, ["*"], secret="whsec_test")
        apply_undelivered(timezone.now())
        self.settle()

    def settle(self) -> None:
        for _round in range(20):
            delivered = self.fake.deliver_due()
            if not worker.drain() and not delivered:
                return

    def counts(self) -> dict[str, int]:
        metadata = self.fake.products[SHIRT]["metadata"]
        return {size: int(metadata[f"stock_{size}"]) for size in self.sold}

    def must_be_right(self) -> None:
        assert self.counts() == {size: START - units for size, units in self.sold.items()}
        assert not ledger.find_drift()
        assert not Movement.objects.filter(published_at=None).exists()


@pytest.fixture
def label(fake: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> Label:
    return Label(fake, monkeypatch)


def test_sales_before_during_and_after_are_counted_once(label: Label) -> None:
    label.sell(M=2)
    label.fake.deliver_due()
    waiting = label.open(S=1, M=1)
    label.while_waiting.append(lambda: label.sell(M=3))
    assert label.counts() == {"S": 200, "M": 198}

    said = label.switch()

    assert "Counted by the function: 1 sessions." in said
    assert "3 × BALM T-Shirt M" in said
    label.sell(S=4)
    label.connect()
    label.pay(waiting, {"S": 1, "M": 1})
    label.sell(M=5)
    label.settle()
    label.must_be_right()
    assert label.sold == {"S": 5, "M": 11}
    assert not Issue.objects.exists()


def test_without_the_switch_a_sale_is_counted_twice(label: Label) -> None:
    """The test can fail: with both endpoints at work the function and the shop both count."""
    sync_catalog()
    label.fake.forward(10)
    label.connect()

    label.sell(M=2)
    label.settle()

    assert label.counts()["M"] == START - 4


def test_a_sale_that_the_function_refused_is_counted_here(label: Label) -> None:
    label.refuses = True
    label.sell(S=2)
    label.fake.deliver_due()

    said = label.switch()

    assert "Counted here, because the function had not" in said
    label.connect()
    label.must_be_right()


def test_a_sale_whose_answer_came_too_late_is_not_counted_again(label: Label) -> None:
    label.answers_too_late = True
    label.sell(S=2, M=1)
    label.fake.deliver_due()

    said = label.switch()

    assert "Counted by the function: 1 sessions." in said
    label.connect()
    label.must_be_right()


def test_a_sale_of_which_the_function_counted_one_line_gets_the_other(label: Label) -> None:
    label.stops_after_a_line = True
    label.sell(S=2, M=1)
    label.fake.deliver_due()
    assert label.counts() == {"S": 198, "M": 200}

    said = label.switch()

    assert "the function had lowered stock_S by 2" in said
    label.connect()
    label.must_be_right()


def test_a_delivery_under_way_while_the_endpoint_is_disabled(label: Label) -> None:
    label.sell(S=2)
    [under_way] = deliveries.take_due(label.fake.account)
    event = label.fake.events[under_way["event"]]

    label.while_waiting.append(lambda: _call_function(label, event))

    said = label.switch()

    assert "Counted by the function: 1 sessions." in said
    label.connect()
    label.must_be_right()


def _call_function(label: Label, event: dict[str, Any]) -> None:
    body = json.dumps(event).encode()
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec_function")
    assert label.post(FUNCTION, {"Stripe-Signature": str(header)}, body)[0] == 200


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_bank_debit_that_the_function_counted_before_it_was_paid(label: Label, succeeds: bool) -> None:
    session = label.open(M=2)
    label.pay(session, {"M": 2 if succeeds else 0}, delayed=True)
    label.fake.deliver_due()
    assert label.counts()["M"] == 198

    label.switch()
    label.connect()
    assert StockItem.objects.get(size="M").available == 198

    label.fake.settle_delayed(session, succeeded=succeeds)
    label.settle()

    label.must_be_right()


def test_the_catalog_may_have_been_read_long_before(label: Label) -> None:
    sync_catalog()
    label.fake.forward(2)
    label.sell(M=2)
    label.fake.deliver_due()

    label.switch()
    label.connect()

    label.must_be_right()
    assert StockItem.objects.get(size="M").on_hand == 198


def test_an_interrupted_switch_is_repeated(label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    label.sell(M=2)
    label.fake.deliver_due()
    label.refuses = True
    label.sell(S=1)
    label.fake.deliver_due()

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("checkout.recovery.adoption.catalog_sync.sync_catalog", interrupted)
        with pytest.raises(CommandError, match=r"Stopped\. Run the command again"):
            label.switch()
    monkeypatch.setattr(adopt, "MAX_CLOCK_SKEW", timedelta(minutes=5))  # Only the account's clock moves here.
    label.switch()
    label.connect()
    label.must_be_right()


def test_a_switch_that_is_repeated_when_the_shop_sells_changes_nothing(
    label: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    label.sell(M=2)
    label.fake.deliver_due()
    label.switch()
    label.connect()
    label.sell(M=3)
    label.settle()

    monkeypatch.setattr(adopt, "MAX_CLOCK_SKEW", timedelta(minutes=5))
    said = label.switch()
    label.settle()

    assert "given back" not in said
    label.must_be_right()


@pytest.mark.parametrize("seed", range(12))
def test_random_sales_around_the_switch(label: Label, seed: int) -> None:
    chance = random.Random(seed)
    opened: list[tuple[str, dict[str, int]]] = []

    def something_happens() -> None:
        sizes = chance.sample(["S", "M"], chance.choice([1, 1, 2]))
        wants = {size: chance.randint(1, 4) for size in sizes}
        label.refuses = chance.random() < 0.2
        label.answers_too_late = chance.random() < 0.2
        if chance.random() < 0.3:
            opened.append((label.open(**wants), wants))
        elif opened and chance.random() < 0.5:
            session, wanted = opened.pop()
            label.pay(session, wanted)
        else:
            label.sell(**wants)

    if chance.random() < 0.5:
        sync_catalog()
        label.fake.forward(2)
    for _ in range(chance.randint(2, 8)):
        something_happens()
        if chance.random() < 0.8:
            label.fake.deliver_due()
    label.while_waiting += [something_happens] * chance.randint(0, 4)
    label.switch()
    for _ in range(chance.randint(0, 3)):
        something_happens()
    label.connect()
    for _ in range(chance.randint(1, 4)):
        something_happens()
    label.settle()
    label.must_be_right()


# --- Dry run and refusals -----------------------------------------------------------------------


def test_a_dry_run_names_the_function_and_changes_nothing(label: Label) -> None:
    label.sell(M=2)
    label.fake.forget_calls()
    out = io.StringIO()

    call_command("adopt", stdout=out)

    said = out.getvalue()
    assert f"If {FUNCTION} (enabled) is the function that counts now:" in said
    assert f"manage.py adopt --switch {label.endpoint}" in said
    assert "Sessions completed in the last 4 days: 1, of which 1 are not delivered everywhere." in said
    assert {call.method for call in label.fake.calls} == {"GET"}
    assert not StockItem.objects.exists() and not Order.objects.exists()


def test_a_running_worker_is_refused_because_it_would_count_the_same_sales(label: Label) -> None:
    heartbeat.beat(timezone.now())

    with pytest.raises(CommandError, match="Stop this shop's worker"):
        label.switch()

    assert label.fake.webhook_endpoints[label.endpoint]["status"] == "enabled"
    Heartbeat.objects.all().delete()


def test_an_endpoint_that_is_not_the_functions_is_refused(label: Label) -> None:
    shop = label.fake.add_webhook_endpoint(SHOP, ["*"], secret="whsec_test")["id"]

    for wrong in (shop, "we_nothing"):
        with pytest.raises(CommandError, match="is no endpoint of another program"):
            call_command("adopt", "--switch", wrong)
    assert label.fake.webhook_endpoints[shop]["status"] == "enabled"


def test_a_clock_that_is_wrong_is_named(label: Label) -> None:
    label.fake.forward(60)

    with pytest.raises(
        CommandError, match=r"Set this machine's clock: it differs from Stripe's by -(59|60) s"
    ):
        label.switch()


def test_a_wait_that_is_too_short_is_refused(label: Label) -> None:
    with pytest.raises(CommandError, match="--wait is at least 30"):
        call_command("adopt", "--switch", label.endpoint, "--wait", "5")


def test_an_account_without_another_endpoint_has_nothing_to_switch(label: Label) -> None:
    label.fake.call("DELETE", f"/v1/webhook_endpoints/{label.endpoint}")
    out = io.StringIO()

    call_command("adopt", stdout=out)

    assert "There is nothing to switch over." in out.getvalue()
