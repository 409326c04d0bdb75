"""From an empty folder and a fake account to the first sale: `python -m benchmarks.first_sale [--json]`.

Runs the commands of README.md in a new clone, with an empty environment and a virtual environment of its own, and buys
a shirt over HTTP. Counts the commands that a person types and the seconds that the machine works, the installation of
the packages included. It exits with 1 if it takes more than 5 commands or 3 minutes, or if the count at Stripe is not
lowered.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.servers import free_port
from demo.customer import Customer
from fake_stripe import FakeStripe
from fake_stripe.server import Server
from script.serve import ROOT

MAX_COMMANDS, MAX_SECONDS = 5, 180.0
PRODUCT, KEY = "prod_balm", "sk_test_first_sale"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.first_sale", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shop-first-sale-") as folder, account() as fake:
        figures = first_sale(Path(folder), fake)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(*(f"{name}: {figure}" for name, figure in figures.items()), sep="\n")
    return int(not all(target["met"] for target in figures["targets"].values()))


@contextmanager
def account() -> Iterator[FakeStripe]:
    """An account with one shirt, of which there are 15."""
    fake = FakeStripe(KEY, seed=1)
    fake.add_product(
        id=PRODUCT,
        name="BALM T-Shirt",
        metadata={"sizes": "M", "stock_M": "15"},
        prices=[{"unit_amount": 2500, "currency": "usd"}],
    )
    server = Server(fake)
    fake.courier.start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield fake
    server.shutdown()
    server.server_close()
    fake.close()


@dataclass
class Person:
    """Types commands in the folder, with an environment that has the key and Stripe's address only."""

    folder: Path
    environment: dict[str, str]
    typed: list[str] = field(default_factory=list)

    def types(self, *command: str) -> None:
        self.typed.append(" ".join(command))
        done = subprocess.run(  # noqa: S603
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{self.typed[-1]} failed:\n{done.stdout}\n{done.stderr}")

    def starts(self, *command: str) -> subprocess.Popen[str]:
        self.typed.append(" ".join(command))
        log = (self.folder.parent / "server.log").open("w")
        return subprocess.Popen(  # noqa: S603
            command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, text=True
        )


def first_sale(folder: Path, fake: FakeStripe) -> dict[str, Any]:
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {**kept, "STRIPE_SECRET_KEY": KEY, "STRIPE_API_BASE": fake.base_url}
    environment["STRIPE_CHECKOUT_ORIGIN"] = fake.base_url
    person = Person(folder, environment)
    began = time.monotonic()
    person.types("git", "clone", "--quiet", str(ROOT), "shop")
    person.folder = folder / "shop"
    person.types("script/connect", "--site", site, "--owner", "owner@shop.example", "--yes")
    connected = time.monotonic()
    server = person.starts("script/server", "--bind", f"127.0.0.1:{port}")
    try:
        wait_for(f"{site}/healthz", server)
        ready = time.monotonic()
        Customer().buy(f"{site}/products/{PRODUCT}/", size="M", quantity=2)
        while (left := fake.products[PRODUCT]["metadata"]["stock_M"]) != "13":
            if time.monotonic() - ready > 60:
                break
            time.sleep(0.1)
        sold = time.monotonic()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "load": round(os.getloadavg()[0], 1),
        "commands": [each.replace(str(ROOT), "ADDRESS").replace(site, "URL") for each in person.typed],
        "connect_seconds": round(connected - began, 1),
        "start_seconds": round(ready - connected, 1),
        "sale_seconds": round(sold - ready, 1),
        "count_at_stripe": left,
        "targets": targets(person.typed, sold - began, left),
    }


def targets(typed: Sequence[str], seconds: float, left: str) -> dict[str, Any]:
    return {
        "commands": {"measured": len(typed), "at_most": MAX_COMMANDS, "met": len(typed) <= MAX_COMMANDS},
        "seconds": {"measured": round(seconds, 1), "at_most": MAX_SECONDS, "met": seconds <= MAX_SECONDS},
        "count at Stripe": {"measured": left, "wanted": "13", "met": left == "13"},
    }


def wait_for(url: str, server: subprocess.Popen[str]) -> None:
    while True:
        try:
            with urlopen(url, timeout=5):  # noqa: S310
                return
        except (URLError, OSError):
            if server.poll() is not None:
                raise SystemExit("script/server has ended.") from None
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
