"""Measure what an order and a page of the admin cost with two years of history, against an empty shop.

    python -m benchmarks.growth [--db sqlite|postgres] [--json] [--scale 1.0] [--rounds 12]

Two processes with the same catalog, databases of their own, and no network: one is empty, the other has 1,000,000
movements, 100,000 orders and 300,000 events. They are measured in turns, first one and then the other first, and the ratios
are of medians. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.servers import OTHERS, database
from script.serve import ROOT

HISTORY = {"movements": 1_000_000, "orders": 100_000, "events": 300_000}
MOST = 1.15
PRODUCTS = 60  # of six sizes
PAGES = {
    "today": "/admin/",
    "stock_list": "/admin/inventory/stockitem/",
    "stock_grid": "/admin/inventory/stockitem/grid/",
    "order_list": "/admin/checkout/order/",
    "event_list": "/admin/inventory/stripeevent/",
    "movement_list": "/admin/inventory/movement/",
}
# The others are printed to read: their pages show what the empty shop does not have.
TARGETS = ("order", "count_sent", "today", "stock_list", "stock_grid", "resting_worker")
REQUESTS = 3  # of each page in a round
Json = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--scale", type=float, default=1.0, help="of the history; 1.0 is the target's")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--orders", type=int, default=20, help="orders of a round")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    history = {name: round(number * options.scale) for name, number in HISTORY.items()}
    with ExitStack() as stack:
        shops = {
            "full": stack.enter_context(shop(options.db, history)),
            "empty": stack.enter_context(shop(options.db, dict.fromkeys(HISTORY, 0))),
        }
        for each in shops.values():
            each.measure(options.orders)  # Warms up, and shows both the same.
        times = {name: defaultdict[str, list[float]](list) for name in shops}
        for number in range(options.rounds):
            for name in sorted(shops, reverse=bool(number % 2)):
                for figure, seconds in shops[name].measure(options.orders):
                    times[name][figure].append(seconds)
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    result = summary({name: dict(figures) for name, figures in times.items()}) | {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "database": options.db,
        "history": history,
        "rounds": options.rounds,
        "orders_a_round": options.orders,
    }
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))
    missed = [name for name, target in result["targets"].items() if not target["met"]]
    if missed:
        print(f"Missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def summary(times: dict[str, dict[str, list[float]]]) -> Json:
    """Medians in milliseconds, and the ratios with their targets."""
    medians = {
        name: {figure: statistics.median(each) for figure, each in figures.items()}
        for name, figures in times.items()
    }
    ratios = {
        figure: round(medians["full"][figure] / medians["empty"][figure], 2) for figure in medians["empty"]
    }
    return {
        "milliseconds": {
            name: {figure: round(1000 * seconds, 2) for figure, seconds in figures.items()}
            for name, figures in medians.items()
        },
        "ratios": ratios,
        "targets": {
            name: {"at_most": MOST, "measured": ratios[name], "met": ratios[name] <= MOST} for name in TARGETS
        },
    }


class ShopProcess:
    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def ask(self, line: str) -> Any:
        assert self._process.stdin and self._process.stdout  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        return json.loads(self.answer())

    def answer(self) -> str:
        assert self._process.stdout  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"A shop of the benchmark ended:\n{self._log.read_text()[-2000:]}")
        return line

    def measure(self, orders: int) -> Iterator[tuple[str, float]]:
        """One round: (figure, seconds)."""
        found = list(self.ask(f"orders {orders}").items())
        for name, address in PAGES.items():
            found += [(name, self.ask(f"get {address}")) for _request in range(REQUESTS)]
        found.append(("resting_worker", sum(self.ask("rest").values())))
        return iter(found)


@contextlib.contextmanager
def shop(kind: str, history: dict[str, int], products: int = PRODUCTS) -> Iterator[ShopProcess]:
    """A shop with this history, ready to be measured, in a process and a database of its own."""
    kept = {name: value for name, value in os.environ.items() if not OTHERS.match(name)}
    command = [sys.executable, "-m", "benchmarks.growth_shop", json.dumps(history), str(products)]
    with tempfile.TemporaryDirectory(prefix="shop-growth-") as name, database(kind, Path(name)) as url:
        log = Path(name) / "shop.log"
        with log.open("w") as errors, subprocess.Popen(  # noqa: S603
            command, cwd=ROOT, env={**kept, "DATABASE_URL": url}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        ) as process:  # fmt: skip
            running = ShopProcess(process, log)
            running.answer()
            yield running
            assert process.stdin  # noqa: S101
            process.stdin.close()


if __name__ == "__main__":
    sys.exit(main())
