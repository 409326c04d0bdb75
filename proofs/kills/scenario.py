"""A scenario that passes every fault point, and can be continued after its process was killed at any of them.

Every act is repeated after a kill, as it would be in reality: the customer clicks again, Stripe sends again, the
worker is restarted. Stripe's state is in a file of its own and survives.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone

from checkout.cart.cart import Cart
from checkout.models import CustomerRequest, Order
from checkout.orders import customer_requests
from checkout.orders.checkout import start_checkout
from checkout.orders.refund_requests import RefundedUnits, request_refund
from config import stripe_client
from config.stripe_client import InvalidRequest
from fake_stripe import FakeStripe
from fake_stripe.faults import Rule
from inventory import views, worker
from inventory.models import StockItem
from inventory.stock import ledger
from inventory.stripe_sync import catalog_sync, refresh
from proofs.state_machine.cast import without_type
from proofs.state_machine.clock import WorldClock

SHIRT = "prod_shirt"
OPENED = {"stock_S": 10, "stock_M": 15, "stock_L": 5}
# The final counts if every act below is counted once.
EXPECTED = {"stock_S": "15", "stock_M": "19", "stock_L": "4"}
START = 1_790_000_000.0
SECRET = "whsec_test"  # noqa: S105
Act = Callable[["Story"], object]


@dataclass
class Story:
    """The scenario as one process runs it. `notes` is the file that records its progress."""

    fake: FakeStripe
    notes: Path

    # --- acts

    def sync_catalog(self) -> None:
        catalog_sync.sync_catalog()
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
                Cart(_request(browser)).add(self.item(size), color="", quantity=units)
            self.keep("browsers", who, browser)
        try:
            order = start_checkout(Cart(_request(browser)), now=timezone.now())
        except InvalidRequest:
            # The session's expiry has come too near meanwhile: the cart is kept, and the customer tries again.
            order = start_checkout(Cart(_request(browser)), now=timezone.now())
        self.keep("orders", who, str(order.pk))

    def item(self, size: str) -> StockItem:
        return StockItem.objects.get(product=SHIRT, size=size)

    def receive(self, size: str, units: int, reference: str) -> None:
        ledger.receive(self.item(size).pk, units, reference=reference)

    def refund(self, who: str, size: str) -> None:
        order = Order.objects.get(pk=self.read("orders")[who])
        line = order.lines.get(size=size)
        units = [RefundedUnits(line.pk, quantity=1, restock=True)]
        request_refund(order.pk, units, amount=2500, token=f"refund of {who}", actor="owner")

    def cancel(self, who: str) -> None:
        order = Order.objects.get(pk=self.read("orders")[who])
        kind, now = CustomerRequest.Kind.CANCEL, timezone.now()
        request = order.requests.first() or customer_requests.ask(order.pk, kind, now=now)
        if request.state == CustomerRequest.State.REQUESTED:
            customer_requests.accept(request.pk, answer="", actor="owner", now=now)

    def session_of(self, who: str) -> str:
        order = self.read("orders")[who]
        # Looked up at Stripe, because the shop may not have received the session's id.
        sessions = [id for id, row in self.fake.sessions.items() if row["client_reference_id"] == order]
        return sessions[-1]

    def request_refresh(self) -> None:
        refresh.request_refresh([SHIRT])

    def heal(self) -> None:
        """Clear all faults and finish open work."""
        self.fake.faults.clear()
        for _round in range(4):
            for session, row in list(self.fake.sessions.items()):
                if row["status"] == "open":
                    self.fake.expire(session)
            self.deliver()
            self.work_hourly()
            self.fake.forward(1200)

    # --- the notes

    def read(self, chapter: str) -> dict[str, Any]:
        entries: dict[str, Any] = json.loads(self.notes.read_text()).get(chapter, {})
        return entries

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
    lambda story: story.sync_catalog(),
    # Ada buys three units and pays.
    lambda story: story.go_to_payment("Ada", M=2, S=1),
    lambda story: story.fake.pay(story.session_of("Ada")),
    lambda story: story.deliver(),
    lambda story: story.work(),
    # Bob leaves without paying.
    lambda story: story.go_to_payment("Bob", L=1),
    lambda story: story.fake.expire(story.session_of("Bob")),
    lambda story: story.deliver(),
    lambda story: story.work(),
    # A delivery is received, and M is edited at Stripe.
    lambda story: story.receive("S", 4, "delivery:1"),
    lambda story: story.work(),
    _edit(M="16"),
    lambda story: story.deliver(),
    lambda story: story.work(),
    # An edit whose event never reaches the shop.
    _fault("drop", times=1, types=("product.updated",)),
    _edit(L="4"),
    lambda story: story.request_refresh(),
    lambda story: story.receive("S", 1, "delivery:2"),
    lambda story: story.work(),
    # Stripe fails after, then before, applying an update.
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
    # Stripe creates Carol's session, but the answer is lost.
    _fault("cut", when="after", times=1, method="POST", path="/v1/checkout/sessions"),
    lambda story: story.go_to_payment("Carol", S=1, M=2),
    _pass_time(61),
    lambda story: story.work(),
    lambda story: story.fake.pay(story.session_of("Carol")),
    lambda story: story.deliver(),
    # Ada returns one of her two M.
    lambda story: story.refund("Ada", "M"),
    lambda story: story.deliver(),
    lambda story: story.work(),
    # Carol cancels her order, and the owner accepts: one S and two M go back to stock.
    lambda story: story.cancel("Carol"),
    lambda story: story.deliver(),
    lambda story: story.work_hourly(),
    lambda story: story.heal(),
]


def begin(folder: Path) -> None:
    """Set up Stripe with one product. The shop has read nothing yet."""
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


def tell(folder: Path, *, after_a_death: bool = False, only_one_act: bool = False) -> None:
    """Run the scenario from its recorded progress to the end, or only the next act."""
    fake = _stripe(folder)
    story = Story(fake, folder / "notes")
    clock = WorldClock(fake)
    fake.deliver_to(_to_the_shop)
    settings.CUSTOMER_MAILS_OFF = []
    with clock.patched_everywhere(), mock.patch.object(stripe_client, "http_client", fake.http_client):
        stripe_client._client.cache_clear()
        first = story.read("place").get("act", 0)
        if after_a_death:
            fake.forward(600)  # The leases of the killed process have expired.
            worker.start()
        else:
            fake.faults.rules = [Rule(**rule) for rule in story.read("faults").get("rules", [])]
        for place in range(first, first + 1 if only_one_act else len(ACTS)):
            story.keep("place", "act", place)
            fake.forward(3)
            ACTS[place](story)
        story.keep("place", "act", place + 1)
        story.keep("faults", "rules", fake.faults.listed())


def _to_the_shop(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    request = RequestFactory().post(
        "/stripe/webhook/", data=body, content_type="application/json", headers=without_type(headers)
    )
    answer = views.stripe_webhook(request)
    return answer.status_code, answer.content


def at_stripe(folder: Path) -> dict[str, str]:
    fake = _stripe(folder)
    metadata: dict[str, str] = fake.products[SHIRT]["metadata"]
    fake.close()
    return metadata


def _request(browser: dict[str, Any]) -> HttpRequest:
    request = HttpRequest()
    request.session = browser  # type: ignore[assignment]
    return request
