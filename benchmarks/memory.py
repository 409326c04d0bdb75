"""Measure whether the memory of the web server and of the worker stays flat while orders go through.

    python -m benchmarks.memory [--orders 20000] [--db sqlite|postgres] [--json]

The shop runs as script/server runs it, beside a fake Stripe without latency and without a rate limit. Customers look at
pages, fill a cart and open a checkout; then all of them pay, the fake posts its signed events, and the worker settles the
orders. After each part of the orders the memory of the web processes and of the worker is read. Exits with 1 if the median
of the last quarter is above 1.05 times that of the second.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.dj_stripe.__main__ import counter
from benchmarks.drop import connect, settled, told
from benchmarks.load import as_fast_as_possible, get
from benchmarks.servers import Running
from benchmarks.shoppers import NotServed, Shop
from benchmarks.stripe_side import StripeSide
from config.stripe_events import EVENTS

TARGET = 1.05
PARTS = 80  # Memory is read after each, so a quarter has 20 readings.
PRODUCTS, SIZES = [f"prod_{number}" for number in range(10)], ("S", "M", "L", "XL")
PATIENCE = 300.0  # seconds for one part
# Swapped pages count, or a machine that runs short of memory would make a leak look flat. Pages of files do not, because the
# system drops them at will. A page that several processes share counts once in their sum.
OWN_MEMORY = re.compile(r"^(?:Pss_Anon|SwapPss):\s+(\d+) kB$", re.MULTILINE)
PAID = "SELECT count(*) FROM checkout_order WHERE state = 'paid'"
Json = dict[str, Any]
Reading = dict[str, int]  # "web" and "worker": KiB


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    if options.orders < PARTS:
        parser.error(f"--orders must be at least {PARTS}, because memory is read {PARTS} times.")
    own_memory([os.getpid()])  # Fails now rather than after the shop has started.
    try:
        with tempfile.TemporaryDirectory(prefix="shop-memory-") as name:
            readings, circumstances = measure(options.orders, options.db, Path(name))
    except NotServed as error:
        raise SystemExit(f"A customer was not served: {error}") from None
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": sys.version.partition(" ")[0],
        "database": options.db,
        "orders": options.orders,
        **circumstances,
        **summary(readings),
        "readings_mb": {who: [megabytes(each[who]) for each in readings] for who in readings[0]},
    }
    print(json.dumps(result, indent=None if options.json else 2))
    missed = [name for name, target in result["targets"].items() if not target["met"]]
    for name in missed:
        told(f"missed: {name} {result['targets'][name]}")
    return 1 if missed else 0


# --- The arithmetic ---------------------------------------------------------------------------


def summary(readings: Sequence[Reading]) -> Json:
    """The median of each quarter of the readings, and the last relative to the second."""
    edges = [len(readings) * quarter // 4 for quarter in range(5)]
    medians = {
        who: [statistics.median(each[who] for each in readings[a:b]) for a, b in pairwise(edges)]
        for who in readings[0]
    }
    return {
        "quarters_mb": {who: [megabytes(each) for each in quarters] for who, quarters in medians.items()},
        "targets": {
            f"{who}, last quarter to the second": {
                "measured": round(quarters[3] / quarters[1], 3),
                "at_most": TARGET,
                "met": quarters[3] <= TARGET * quarters[1],
            }
            for who, quarters in medians.items()
        },
    }


def megabytes(kib: float) -> float:
    return round(kib / 1024, 1)


# --- The processes ----------------------------------------------------------------------------


def own_memory(processes: Sequence[int]) -> int:
    """KiB of memory that is in no file, of all `processes` together."""
    try:
        texts = [Path(f"/proc/{process}/smaps_rollup").read_text() for process in processes]
    except OSError as error:
        raise SystemExit(
            f"The memory of a process cannot be read, for which Linux is needed: {error}"
        ) from None
    found = [OWN_MEMORY.findall(text) for text in texts]
    if not all(found):
        raise SystemExit("smaps_rollup has no Pss_Anon. Linux 5.4 or a later one is needed.")
    return sum(int(kib) for each in found for kib in each)


def with_children(process: int) -> list[int]:
    """The process and those that it has started."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError as error:
        raise SystemExit(f"The web server's processes cannot be found: {error}") from None
    return [process, *map(int, children.split())]


# --- The orders -------------------------------------------------------------------------------


def measure(orders: int, database: str, folder: Path) -> tuple[list[Reading], Json]:
    """The readings, and what else is worth knowing of the run."""
    # Many are held between the opening of a part's checkouts and their payment, all by one address.
    no_limit = {"HOLD_RUSH_PERCENT": "0"}
    with StripeSide() as side, servers.database(database, folder) as url:
        side.tell("misbehave", rules=[], limits=False)
        for product in PRODUCTS:
            side.tell("add_product", id=product, name="Shirt", counts=dict.fromkeys(SIZES, orders))
        with (
            servers.shop(folder, database_url=url, stripe_url=side.url, settings=no_limit) as running,
            counter(url) as count,
        ):
            connect(side, running, list(EVENTS))
            web = with_children(running.processes["web"])
            readings = list[Reading]()
            began = time.monotonic()
            edges = [orders * part // PARTS for part in range(PARTS + 1)]
            for number, (before, after) in enumerate(pairwise(edges)):
                sell(side, running, PRODUCTS[number % len(PRODUCTS)], after - before)
                wait_until_paid(lambda: count(PAID), after)
                if with_children(running.processes["web"]) != web:
                    raise SystemExit(f"A web process ended, so nothing was measured.\n{running.last_words()}")
                reading = {"web": own_memory(web), "worker": own_memory([running.processes["worker"]])}
                readings.append(reading)
                told(f"{after} orders, {', '.join(f'{w} {megabytes(k)} MB' for w, k in reading.items())}")
            minutes = (time.monotonic() - began) / 60
            if settled(side, patience=60).wrong:
                raise SystemExit("The counts at Stripe are wrong in the end, so nothing was measured.")
    return readings, {"minutes": round(minutes, 1), "load": round(os.getloadavg()[0], 1)}


def sell(side: StripeSide, running: Running, product: str, orders: int) -> None:
    """Let as many customers buy a unit, and as many visitors look at pages."""
    host = f"127.0.0.1:{running.port}"
    pages = [get(path, host=host) for path in ("/", "/products/", f"/products/{product}/shirt/", "/cart/")]
    wants = [{SIZES[number % len(SIZES)]: 1} for number in range(orders)]
    sessions = Shop(f"http://{host}", product).open_all(wants)
    side.tell("pay_all", sessions=sessions)
    seen = as_fast_as_possible(running.port, pages, seconds=PATIENCE, at_most=orders)
    if seen.good != orders:
        raise SystemExit(f"Pages were answered with {dict(seen.statuses)}.")


def wait_until_paid(paid: Callable[[], int], orders: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while paid() < orders:
        if time.monotonic() > deadline:
            raise SystemExit(f"Only {paid()} of {orders} orders were settled.")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
