"""Measure what an order and a page of the admin cost with two years of history, against an empty or a young shop.

    python -m benchmarks.growth [--db sqlite|postgres] [--json] [--scale 1.0] [--rounds 12]

Three processes with the same catalog, databases of their own, and no network: one is empty, one has 1,000,000 movements,
100,000 orders and 300,000 events, and the young one has just enough to fill the first page of every list. They are measured
in turns, in changing order, and the ratios are of medians. Exits with 1 if a target is missed.
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
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.history import order_id
from benchmarks.servers import OTHERS, database
from script.serve import ROOT

HISTORY = {"movements": 1_000_000, "orders": 100_000, "events": 300_000}
YOUNG = {"movements": 50_000, "orders": 2_000, "events": 10_000}
MOST = 1.15
PRODUCTS = 60  # of six sizes
ITEM = 1  # of those that sell most
PAGES = {
    "today": "/admin/",
    "stock_list": "/admin/inventory/stockitem/",
    "stock_grid": "/admin/inventory/stockitem/grid/",
    "order_list": "/admin/checkout/order/",
    "event_list": "/admin/inventory/stripeevent/",
    "movement_list": "/admin/inventory/movement/",
    "update_list": "/admin/inventory/stockupdate/",
    "mail_list": "/admin/checkout/customermail/",
    "orders_of_a_year": "/admin/checkout/order/?created_at__year={year}",
    "orders_awaiting_payment": "/admin/checkout/order/?state__exact=awaiting",
    "orders_refunded": "/admin/checkout/order/?work=refunded",
    "orders_of_an_address": "/admin/checkout/order/?q=c77@shop.test",
    "order_by_number": "/admin/checkout/order/?q={number}",
    "events_of_a_type": "/admin/inventory/stripeevent/?type=product.updated",
    "events_of_a_rare_type": "/admin/inventory/stripeevent/?type=product.deleted",
    "events_that_failed": "/admin/inventory/stripeevent/?state__exact=failed",
    "event_by_id": "/admin/inventory/stripeevent/?q=evt_old_77",
    "movements_of_a_size": f"/admin/inventory/movement/?item__id__exact={ITEM}",
    "movements_of_an_order": "/admin/inventory/movement/?q=order:{order}",
    "size_history": f"/admin/inventory/stockitem/{ITEM}/history/",
    "movements_of_a_rare_kind": "/admin/inventory/movement/?kind__exact=oversold",
    "order_by_a_part_of_a_name": "/admin/checkout/order/?q=nobody",
    "page_40_of_orders": "/admin/checkout/order/?p=40",
}
AGAINST_EMPTY = ("order", "count_sent", "today", "stock_list", "stock_grid", "resting_worker")
# Without a target: a part of a name is looked for in every order, a kind that hardly ever comes among all movements, because
# another index would cost every sale, and such a type in the index of all events, of which those of 90 days are kept.
READ_MORE = ("order_by_a_part_of_a_name", "movements_of_a_rare_kind", "events_of_a_rare_type")
AGAINST_YOUNG = tuple(name for name in PAGES if name not in (*AGAINST_EMPTY, *READ_MORE))
TARGETS = (*AGAINST_EMPTY, *AGAINST_YOUNG)
AN_ORDER = order_id(77)
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
            "young": stack.enter_context(shop(options.db, YOUNG)),
            "empty": stack.enter_context(shop(options.db, dict.fromkeys(HISTORY, 0))),
        }
        for each in shops.values():
            each.measure(options.orders, ["today"])  # Warms up, and shows both the same.
        times = {name: defaultdict[str, list[float]](list) for name in shops}
        for number in range(options.rounds):
            for name in sorted(shops, key=lambda name: (name == "young", name), reverse=bool(number % 2)):
                # The empty shop does not have the late pages of a list.
                pages = [page for page in PAGES if name != "empty" or page in AGAINST_EMPTY]
                for figure, seconds in shops[name].measure(options.orders, pages):
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
        figure: round(seconds / medians["empty" if figure in AGAINST_EMPTY else "young"][figure], 2)
        for figure, seconds in medians["full"].items()
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

    def measure(self, orders: int, pages: Iterable[str] = PAGES) -> Iterator[tuple[str, float]]:
        """One round: (figure, seconds)."""
        found = list(self.ask(f"orders {orders}").items())
        for name in pages:
            known = PAGES[name].format(year=datetime.now(UTC).year, order=AN_ORDER, number=str(AN_ORDER)[:8])
            found += [(name, self.ask(f"get {known}")) for _request in range(REQUESTS)]
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
