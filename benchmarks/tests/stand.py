"""The control behind the webhooks of a fake Stripe with one shirt."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import stripe

from benchmarks.control.app import make_app
from benchmarks.judge import Verdict, judge
from benchmarks.records import happenings
from fake_stripe import Exchange, FakeStripe

SECRET = "whsec_control"
PRODUCT = "prod_shirt"
M, S = (PRODUCT, "stock_M"), (PRODUCT, "stock_S")


class Stand:
    """A fake Stripe with one shirt, and the control behind its webhooks. No port, no thread."""

    def __init__(self, count: int = 5) -> None:
        self.opened = {S: count, M: count}
        self.fake = FakeStripe("sk_test_control")
        client = stripe.StripeClient("sk_test_control", http_client=self.fake.http_client())
        self.app = make_app(client, SECRET)
        metadata = {"sizes": "S,M", "stock_S": str(count), "stock_M": str(count), "details": "Cotton"}
        price = {"unit_amount": 2500, "currency": "usd"}
        self.fake.add_product(id=PRODUCT, name="Shirt", metadata=metadata, prices=[price])
        self.fake.add_webhook_endpoint("http://control.test/", ["checkout.session.completed"], secret=SECRET)
        self.fake.deliver_to(self.post)

    def post(self, url: str, headers: dict[str, str], body: bytes, method: str = "POST") -> tuple[int, bytes]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_STRIPE_SIGNATURE": headers.get("Stripe-Signature", ""),
            "wsgi.input": io.BytesIO(body),
        }
        answered: list[str] = []
        text = b"".join(self.app(environ, lambda status, _: answered.append(status)))
        return int(answered[0].split()[0]), text

    def sell(self, **wants: int) -> None:
        """Pay for the given units of each size; the event waits for delivery."""
        self.fake.pay(self.open(**wants))

    def open(self, **wants: int) -> str:
        """Open a session as the control's shop does: without a check of the stock, with sizes in the metadata."""
        form = {"mode": "payment", "success_url": "http://shop.test/"}
        for i, (size, quantity) in enumerate(wants.items()):
            form |= {f"line_items[{i}][price]": self.fake.products[PRODUCT]["default_price"]}
            form |= {f"line_items[{i}][quantity]": str(quantity), f"metadata[item_{i}_size]": size}
            form |= {
                f"metadata[item_{i}_product_id]": PRODUCT,
                f"metadata[item_{i}_quantity]": str(quantity),
            }
        status, session = self.fake.call("POST", "/v1/checkout/sessions", urlencode(form))
        assert status == 200, session
        return str(session["id"])

    def once_read(self, act: Callable[[], object]) -> None:
        """Run `act` between the control's first read and its write."""

        def observe(call: Exchange) -> None:
            if call.method == "GET" and call.path == f"/v1/products/{PRODUCT}":
                self.fake.observers.remove(observe)
                act()

        self.fake.observers.append(observe)

    def verdict(self) -> Verdict:
        return judge(self.opened, happenings(self.fake.events.values(), self.fake.lines))

    def faults(self) -> tuple[int, int, int]:
        found = self.verdict()
        return found.lost, found.doubled, found.oversold
