"""Measure the fake's calls per second: `python -m fake_stripe.bench [seconds per line]`

Measures `FakeStripe.call`, the stripe library in-process and the library over HTTP, with the state in memory
and in a file, by wall-clock time and by processor time. Processor time is not affected by other processes and
excludes waits for the disk.
"""

import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import stripe

from fake_stripe.fake import FakeStripe
from fake_stripe.server import Server


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    with tempfile.TemporaryDirectory() as folder:
        for name, state in (("memory", None), ("a file", str(Path(folder) / "state.sqlite3"))):
            fake = _seeded(state)
            for what, act in _acts(fake).items():
                _print(what, name, act, seconds)
            with _served(fake):
                _print("library over HTTP: retrieve a product", name, _over_http(fake), seconds)
            fake.close()
    return 0


def _print(what: str, state: str, act: Callable[[], object], seconds: float) -> None:
    wall, processor = _rates(act, seconds)
    print(
        f"{what:<52} state in {state:<7} {wall:>7,.0f} calls/s {processor:>7,.0f} by processor time",
        flush=True,
    )


def _seeded(state: str | None) -> FakeStripe:
    fake = FakeStripe(state_path=state)
    metadata = {"sizes": "S,M,L", **{f"stock_{size}": "10" for size in "SML"}}
    fake.add_product(id="prod_1", name="A shirt", metadata=metadata, prices=[{"unit_amount": 2500}])
    fake.add_webhook_endpoint("https://shop.test/hook")
    fake.deliver_to(lambda url, headers, body: (200, b""))
    return fake


def _acts(fake: FakeStripe) -> dict[str, Callable[[], object]]:
    client = stripe.StripeClient(fake.secret_key, http_client=fake.http_client())
    price, count = fake.products["prod_1"]["default_price"], itertools.count()
    session = urlencode({"mode": "payment", "success_url": "https://shop.test/", **_line(price)})
    return {
        "no library: retrieve a product": lambda: fake.call("GET", "/v1/products/prod_1"),
        "no library: update metadata (and an event)": lambda: fake.call(
            "POST", "/v1/products/prod_1", f"metadata[stock_M]={next(count)}"
        ),
        "no library: open a session": lambda: fake.call("POST", "/v1/checkout/sessions", session),
        "library in-process: retrieve a product": lambda: client.v1.products.retrieve("prod_1"),
        "library in-process: update metadata (and an event)": lambda: client.v1.products.update(
            "prod_1", {"metadata": {"stock_M": str(next(count))}}
        ),
        "library in-process: open a session": lambda: _open(client, price),
        "a purchase: open, pay, deliver 4 events": lambda: (
            fake.pay(_open(client, price).id),
            fake.deliver_due(),
        ),
    }


def _line(price: str) -> dict[str, object]:
    line = {"price": price, "quantity": 2, "metadata][size": "M"}
    return {f"line_items[0][{name}]": value for name, value in line.items()}


def _open(client: stripe.StripeClient, price: str) -> stripe.checkout.Session:
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "success_url": "https://shop.test/",
            "line_items": [{"price": price, "quantity": 2, "metadata": {"size": "M"}}],
        }
    )


def _over_http(fake: FakeStripe) -> Callable[[], object]:
    client = stripe.StripeClient(fake.secret_key, base_addresses={"api": fake.base_url})
    return lambda: client.v1.products.retrieve("prod_1")


@contextmanager
def _served(fake: FakeStripe) -> Iterator[None]:
    server = Server(fake)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def _rates(act: Callable[[], object], seconds: float) -> tuple[float, float]:
    for _ in range(20):
        act()
    started, used, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < seconds:
        act()
        done += 1
    return done / (time.perf_counter() - started), done / (time.process_time() - used)


if __name__ == "__main__":
    raise SystemExit(main())
