"""How many calls a second does the fake answer? `python -m fake_stripe.bench [seconds per line]`

Three ways in: the stock library in-process, the library over HTTP, and the fake's own `call` without a library;
with the state in memory and in a file.
"""

import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fake_stripe.fake import FakeStripe
from fake_stripe.server import Server

if TYPE_CHECKING:
    import stripe


def main() -> int:
    """Print calls a second for each way in."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    with tempfile.TemporaryDirectory() as folder:
        for name, state in (("memory", None), ("a file", str(Path(folder) / "state.sqlite3"))):
            fake = _seeded(state)
            for what, act in _acts(fake).items():
                print(f"{what:<52} state in {name:<7} {_rate(act, seconds):>8,.0f} calls/s", flush=True)
            with _served(fake):
                act = _over_http(fake)
                print(
                    f"{'library over HTTP: retrieve':<52} state in {name:<7} {_rate(act, seconds):>8,.0f} calls/s"
                )
            fake.close()
    return 0


def _seeded(state: str | None) -> FakeStripe:
    fake = FakeStripe(state_path=state)
    metadata = {"sizes": "S,M,L", **{f"stock_{size}": "10" for size in "SML"}}
    fake.add_product(id="prod_1", name="A shirt", metadata=metadata, prices=[{"unit_amount": 2500}])
    fake.add_webhook_endpoint("https://shop.test/hook")
    fake.deliver_to(lambda url, headers, body: (200, b""))
    return fake


def _acts(fake: FakeStripe) -> dict[str, Callable[[], object]]:
    import stripe

    client = stripe.StripeClient(fake.secret_key, http_client=fake.http_client())
    price, count = fake.products["prod_1"]["default_price"], itertools.count()
    return {
        "library in-process: retrieve a product": lambda: client.v1.products.retrieve("prod_1"),
        "library in-process: update metadata (and an event)": lambda: client.v1.products.update(
            "prod_1", {"metadata": {"stock_M": str(next(count))}}
        ),
        "library in-process: open a session": lambda: _open(client, price),
        "no library: update metadata (and an event)": lambda: fake.call(
            "POST", "/v1/products/prod_1", f"metadata[stock_M]={next(count)}"
        ),
        "a purchase: open, pay, deliver 4 events": lambda: (
            fake.pay(_open(client, price).id),
            fake.deliver_due(),
        ),
    }


def _open(client: "stripe.StripeClient", price: str) -> "stripe.checkout.Session":
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "success_url": "https://shop.test/",
            "line_items": [{"price": price, "quantity": 2, "metadata": {"size": "M"}}],
        }
    )


def _over_http(fake: FakeStripe) -> Callable[[], object]:
    import stripe

    client = stripe.StripeClient(fake.secret_key, base_addresses={"api": fake.base_url})
    return lambda: client.v1.products.retrieve("prod_1")


@contextmanager
def _served(fake: FakeStripe) -> Iterator[None]:
    server = Server(fake)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def _rate(act: Callable[[], object], seconds: float) -> float:
    for _ in range(20):
        act()
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        act()
        done += 1
    return done / (time.perf_counter() - started)


if __name__ == "__main__":
    raise SystemExit(main())
