"""What happens in the shop before, while and after a process dies? One story that passes every fault point.

Each act is what somebody would do again if the shop's process died under it: a customer clicks once more, Stripe
sends once more, the worker is started once more. Stripe keeps its own file, so it survives the shop's death.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone

from checkout.cart import Cart
from checkout.start import start_checkout
from config import stripe_client
from config.stripe_client import Refused
from fake_stripe import FakeStripe
from inventory import ledger, look, sync, webhooks, worker
from inventory.models import StockItem
from proofs.state_machine.clock import WorldClock
from proofs.state_machine.world import without_type

SHIRT = "prod_shirt"
OPENED = {"stock_S": 10, "stock_M": 15, "stock_L": 5}
# What the acts below add up to, each of them once.
EXPECTED = {"stock_S": "14", "stock_M": "16", "stock_L": "4"}
START = 1_790_000_000.0
SECRET = "whsec_test"  # noqa: S105
Act = Callable[["Story"], object]


@dataclass
class Story:
    """One process's hold on the story. `notes` is the file in which is written how far it has come."""

    fake: FakeStripe
    notes: Path

    # --- acts

    def look(self) -> None:
        sync.look_at_all()
        worker.drain(hourly=True)

    def work(self) -> None:
        worker.drain()

    def work_hourly(self) -> None:
        worker.drain(hourly=True)

    def deliver(self) -> None:
        while self.fake.deliver_due():
            pass

    def go_to_payment(self, who: str, **sizes: int) -> None:
        browser = self.read("browsers").get(who)
        if browser is None:
            browser = {}
            for size, units in sizes.items():
                Cart(_request(browser)).add(item=str(self.item(size).pk), colour="", quantity=str(units))
            self.keep("browsers", who, browser)
        try:
            order = start_checkout(Cart(_request(browser)), now=timezone.now())
        except Refused:
            # It took so long that the page's time had come too near: the cart is kept, and she tries again.
            order = start_checkout(Cart(_request(browser)), now=timezone.now())
        self.keep("orders", who, str(order.pk))

    def item(self, size: str) -> StockItem:
        return StockItem.objects.get(product=SHIRT, size=size)

    def receive(self, size: str, units: int, reference: str) -> None:
        ledger.receive(self.item(size).pk, units, reference=reference)

    def session_of(self, who: str) -> str:
        """By Stripe's own list: the shop may not have heard."""
        order = self.read("orders")[who]
        found = [id for id, row in self.fake.sessions.items() if row["client_reference_id"] == order]
        return found[-1]

    def look_is_wanted(self) -> None:
        look.want([SHIRT])

    # --- the notes

    def read(self, chapter: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.notes.read_text()).get(chapter, {})
        return found

    def keep(self, chapter: str, name: str, value: Any) -> None:
        everything = json.loads(self.notes.read_text())
        everything.setdefault(chapter, {})[name] = value
        self.notes.write_text(json.dumps(everything))


def _edit(**counts: str) -> Act:
    metadata = {f"stock_{size}": text for size, text in counts.items()}
    return lambda story: story.fake.dashboard.edit_product(SHIRT, metadata=metadata)


def _fault(kind: str, **options: Any) -> Act:
    return lambda story: story.fake.faults.add(kind, **options)


def _pass_time(seconds: float) -> Act:
    return lambda story: story.fake.forward(seconds)


WRITES = {"method": "POST", "path": "/v1/products/*"}
ACTS: list[Act] = [
    lambda story: story.look(),
    # Ada buys three, and pays.
    lambda story: story.go_to_payment("Ada", M=2, S=1),
    lambda story: story.fake.pay(story.session_of("Ada")),
    lambda story: story.deliver(),
    lambda story: story.work(),
    # Bob walks away.
    lambda story: story.go_to_payment("Bob", L=1),
    lambda story: story.fake.expire(story.session_of("Bob")),
    lambda story: story.deliver(),
    lambda story: story.work(),
    # A delivery comes in; somebody at Stripe counts three more in M.
    lambda story: story.receive("S", 4, "delivery:1"),
    lambda story: story.work(),
    _edit(M="16"),
    lambda story: story.deliver(),
    lambda story: story.work(),
    # An edit of which no event reaches the shop.
    _fault("drop", times=1, types=("product.updated",)),
    _edit(L="4"),
    lambda story: story.look_is_wanted(),
    lambda story: story.receive("S", 1, "delivery:2"),
    lambda story: story.work(),
    # Stripe fails after, and before, it has written.
    _pass_time(61),
    lambda story: story.receive("S", 1, "delivery:3"),
    _fault("error_500", when="after", times=1, **WRITES),
    lambda story: story.work(),
    _pass_time(61),
    lambda story: story.receive("M", 2, "delivery:4"),
    _fault("error_500", when="before", times=1, **WRITES),
    lambda story: story.work(),
    _pass_time(61),
    lambda story: story.work(),
    # Carol's payment page: Stripe opened it, the answer was lost.
    _fault("cut", when="after", times=1, method="POST", path="/v1/checkout/sessions"),
    lambda story: story.go_to_payment("Carol", S=1, M=2),
    _pass_time(61),
    lambda story: story.work(),
    lambda story: story.fake.pay(story.session_of("Carol")),
    lambda story: story.deliver(),
    lambda story: story.work_hourly(),
]


def begin(folder: Path) -> None:
    """Stripe has a shirt, and the shop has heard of nothing yet."""
    fake = _stripe(folder)
    counts = {key: str(count) for key, count in OPENED.items()}
    fake.add_product(
        id=SHIRT,
        name="BALM T-Shirt",
        metadata={"sizes": "S,M,L", "details": "soft", **counts},
        prices=[{"unit_amount": 2500, "currency": "usd", "default": True}],
    )
    fake.add_webhook_endpoint("http://shop.test/stripe/webhook/", secret=SECRET)
    fake.close()
    (folder / "notes").write_text(json.dumps({}))


def _stripe(folder: Path) -> FakeStripe:
    return FakeStripe(
        "sk_test_fake", state_path=str(folder / "stripe"), base_url="http://stripe.test", now=START
    )


def tell(folder: Path, *, after_a_death: bool = False) -> None:
    """Go on with the story from where it was left, to its end; then everything heals."""
    fake = _stripe(folder)
    story = Story(fake, folder / "notes")
    clock = WorldClock(fake)
    fake.deliver_to(_to_the_shop)
    with clock.told_to_everybody(), mock.patch.object(stripe_client, "http_client", fake.http_client):
        stripe_client._client.cache_clear()
        if after_a_death:
            fake.forward(600)  # Whatever the dead process had claimed is free again.
            worker.start()
        for place in range(story.read("place").get("act", 0), len(ACTS)):
            story.keep("place", "act", place)
            fake.forward(3)
            ACTS[place](story)
        _heal(fake, story)


def _heal(fake: FakeStripe, story: Story) -> None:
    fake.faults.clear()
    for _round in range(4):
        for session, row in list(fake.sessions.items()):
            if row["status"] == "open":
                fake.expire(session)
        story.deliver()
        story.work_hourly()
        fake.forward(1200)


def _to_the_shop(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    request = RequestFactory().post(
        "/stripe/webhook/", data=body, content_type="application/json", headers=without_type(headers)
    )
    answer = webhooks.receive(request)
    return answer.status_code, answer.content


def at_stripe(folder: Path) -> dict[str, str]:
    """The product's metadata at the end."""
    fake = _stripe(folder)
    found: dict[str, str] = fake.products[SHIRT]["metadata"]
    fake.close()
    return found


def _request(browser: dict[str, Any]) -> HttpRequest:
    request = HttpRequest()
    request.session = browser  # type: ignore[assignment]
    return request
