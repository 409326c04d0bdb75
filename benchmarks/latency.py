"""Measure the time from a paid order's webhook to the settled order, against an earlier commit, with a busy web server.

    python -m benchmarks.latency [--seconds 60] [--db sqlite|postgres] [--json]

Each build runs as script/server of its tree does, beside a fake Stripe of its own with 150 ms of latency and Stripe's limit
of 25 requests a second. Customers who opened their checkouts before pay at a steady rate, 20 a second, while pages are
requested at a steady rate, 100 a second. This build then does the same over 50 products.
Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.drop import LATENCY, connect, deliver_all, settled, told
from benchmarks.load import Load, at_a_rate, get
from benchmarks.servers import Running
from benchmarks.shoppers import Shop
from benchmarks.stripe_side import StripeSide
from benchmarks.worker import BEFORE, unpack
from config.stripe_events import EVENTS
from script.serve import ROOT

ORDERS_PER_SECOND, PAGES_PER_SECOND = 20.0, 100.0
MANY_PRODUCTS = 50
SALE = "checkout.session.completed"
SIZES = ("S", "M", "L", "XL")
# Printed by the shop's own Python, because each tree has models of its own.
HANDLED = """
import json
from inventory.models import StripeEvent
rows = StripeEvent.objects.filter(type="checkout.session.completed").values_list("object_id", "handled_at")
print(json.dumps({session: at.timestamp() for session, at in rows if at}))
"""
Json = dict[str, Any]


@dataclass(frozen=True)
class Build:
    """A checkout of the shop. `name`: as in the result."""

    name: str
    tree: Path


@dataclass(frozen=True)
class Rush:
    """`seconds` of payments over `products` products."""

    seconds: float
    products: int

    @property
    def orders(self) -> int:
        return round(ORDERS_PER_SECOND * self.seconds)

    @property
    def product_ids(self) -> list[str]:
        return [f"prod_{number}" for number in range(self.products)]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of each rush")
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--before", default=BEFORE, help="the commit to compare with")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shop-latency-") as name:
        folder = Path(name)
        earlier = Build("before", folder / "tree")
        unpack(options.before, earlier.tree)
        now, one, many = Build("now", ROOT), Rush(options.seconds, 1), Rush(options.seconds, MANY_PRODUCTS)
        before = measure(earlier, one, options.db, folder)
        over_one = measure(now, one, options.db, folder)
        over_many = measure(now, many, options.db, folder)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "database": options.db,
        "seconds": options.seconds,
        "before_commit": options.before,
        "before": before,
        "now": over_one,
        f"now_over_{MANY_PRODUCTS}_products": over_many,
        "targets": targets(before, over_one, over_many),
    }
    print(json.dumps(result, indent=None if options.json else 2))
    missed = [name for name, target in result["targets"].items() if not target["met"]]
    for name in missed:
        told(f"missed: {name} {result['targets'][name]}")
    return 1 if missed else 0


def targets(before: Json, one: Json, many: Json) -> Json:
    """Each target with the measured value, and whether it was met."""
    most = {
        "p99 to the settled order, to that before": (one["settled_p99_ms"] / before["settled_p99_ms"], 0.5),
        "orders not settled": (one["not_settled"] + many["not_settled"], 0),
        "units wrong": (one["wrong"] + many["wrong"], 0),
        "seconds until the counts are right": (one["counts_right_after_seconds"], 3),
        f"seconds until the counts of {MANY_PRODUCTS} products are right": (
            many["counts_right_after_seconds"],
            3,
        ),
        "calls an order": (one["calls_per_order"], 0.1),
        f"calls an order over {MANY_PRODUCTS} products": (many["calls_per_order"], 0.2),
    }
    return {
        name: {
            "measured": None if measured is None else round(measured, 3),
            "at_most": limit,
            "met": measured is not None and measured <= limit,
        }
        for name, (measured, limit) in most.items()
    }


def measure(build: Build, rush: Rush, database: str, folder: Path) -> Json:
    told(f"{build.name}, {rush.products} products")
    home = folder / f"{build.name}-{rush.products}"
    home.mkdir()
    with StripeSide() as side, servers.database(database, home) as url:
        for product in rush.product_ids:
            counts = dict.fromkeys(SIZES, rush.orders)
            side.tell("add_product", id=product, name="Shirt", counts=counts)
        with servers.shop(home, database_url=url, stripe_url=side.url, tree=build.tree) as running:
            connect(side, running, list(EVENTS))
            sessions = open_sessions(running, rush)
            wait_for_first_updates(side, rush)
            side.tell("misbehave", rules=[LATENCY], limits=True)
            payments = [(number / ORDERS_PER_SECOND, session) for number, session in enumerate(sessions)]
            with pages_requested(running, rush) as pages:
                side.tell("begin", product=rush.product_ids[0], payments=payments, edits=[])
                while side.tell("is_acting"):
                    time.sleep(0.5)
            return outcome(side, running, build, sessions) | pages_as_served(pages)


def open_sessions(running: Running, rush: Rush) -> list[str]:
    """One session for each order, of the products and sizes in turn."""
    url = f"http://127.0.0.1:{running.port}"
    baskets: dict[str, list[dict[str, int]]] = {product: [] for product in rush.product_ids}
    for number in range(rush.orders):
        sizes = baskets[rush.product_ids[number % rush.products]]
        sizes.append({SIZES[len(sizes) % len(SIZES)]: 1})
    opened = [Shop(url, product).open_all(wants) for product, wants in baskets.items()]
    return [group[n] for n in range(len(opened[0])) for group in opened if n < len(group)]


def wait_for_first_updates(side: StripeSide, rush: Rush) -> None:
    """Each product's first update comes before its first sale; it is not a call of the orders."""
    deadline = time.monotonic() + 60 + 2 * rush.products
    while not side.tell("are_tagged", products=rush.product_ids):
        if time.monotonic() > deadline:
            raise SystemExit("Some product had no first update.")
        time.sleep(0.5)


@contextmanager
def pages_requested(running: Running, rush: Rush) -> Iterator[list[Load]]:
    """Request pages at a steady rate in a thread; the load is in the list at the end."""
    paths = ["/products/", *(f"/products/{product}/shirt/" for product in rush.product_ids[:3])]
    requests = [get(path, host=f"127.0.0.1:{running.port}") for path in paths]
    loads = list[Load]()

    def act() -> None:
        loads.append(at_a_rate(running.port, requests, per_second=PAGES_PER_SECOND, seconds=rush.seconds))

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield loads
    finally:
        thread.join()


def pages_as_served(loads: list[Load]) -> Json:
    return {"pages": dict(loads[0].statuses), "page_p99_ms": round(loads[0].percentile_ms(0.99), 1)}


def outcome(side: StripeSide, running: Running, build: Build, sessions: list[str]) -> Json:
    deliver_all(side)
    verdict = settled(side, patience=120)
    calls = sum(side.tell("api_calls").values())
    handled: dict[str, float] = {}
    deadline = time.monotonic() + 120
    while len(handled) < len(sessions) and time.monotonic() < deadline:
        said = servers.manage(running.environment, "shell", "-v", "0", "-c", HANDLED, tree=build.tree)
        handled = json.loads(said.splitlines()[-1])
    posted = side.tell("first_posts")
    took = [handled[session] - posted[session] for session in sessions if session in handled]
    load = Load(took=took)
    return {
        "orders": len(sessions),
        "not_settled": len(sessions) - len(took),
        "settled_p50_ms": round(load.percentile_ms(0.5), 1),
        "settled_p99_ms": round(load.percentile_ms(0.99), 1),
        "settled_max_ms": round(max(took) * 1000, 1),
        "wrong": verdict.wrong,
        "counts_right_after_seconds": None if verdict.wrong else side.tell("settled_after"),
        "calls_per_order": round(calls / len(sessions), 3),
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    sys.exit(main())
