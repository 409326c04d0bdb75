"""Measure how long the worker needs from stored events to settled orders, against an earlier commit.

    python -m benchmarks.worker --orders 300 --rounds 3 --db sqlite|postgres --json

Both trees get the same orders, paid at a fake Stripe that sends every type of event, in databases of their own.
Rounds alternate between the trees, and the ratio is of their medians. Exits with 1 if the target is missed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.servers import OTHERS, database
from script.serve import ROOT

# The last commit that leased, handled and finished one event at a time.
BEFORE = "950e63450af04bd0efd1fc1182cb5a0645b6d566"
TARGET = 10.0
SCRIPT = ROOT / "benchmarks" / "paid_orders.py"
Json = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--before", default=BEFORE, help="the commit to compare with")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shop-worker-") as name:
        earlier = Path(name) / "before"
        unpack(options.before, earlier)
        seconds: dict[str, list[float]] = {"before": [], "now": []}
        for _round in range(options.rounds):
            for which, tree in (("before", earlier), ("now", ROOT)):
                seconds[which].append(measure(tree, options.db, options.orders))
    medians = {which: statistics.median(each) for which, each in seconds.items()}
    ratio = round(medians["before"] / medians["now"], 2)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "database": options.db,
        "orders": options.orders,
        "before": options.before,
        "milliseconds_an_order": {
            which: round(median / options.orders * 1000, 3) for which, median in medians.items()
        },
        "times_as_fast": ratio,
        "target": {"at_least": TARGET, "met": ratio >= TARGET},
    }
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))
    return 0 if ratio >= TARGET else 1


def unpack(commit: str, folder: Path) -> None:
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True)  # noqa: S603, S607
    if archive.returncode:
        raise SystemExit(f"This clone does not have the commit {commit}: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")


def measure(tree: Path, kind: str, orders: int) -> float:
    """Seconds until the events of `orders` paid orders are handled by the code in `tree`."""
    kept = {name: value for name, value in os.environ.items() if not OTHERS.match(name)}
    with tempfile.TemporaryDirectory(prefix="shop-worker-db-") as name, database(kind, Path(name)) as url:
        done = subprocess.run(  # noqa: S603
            [sys.executable, str(SCRIPT), "--orders", str(orders)],
            cwd=tree,
            env={**kept, "DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(f"The orders in {tree.name} were not settled:\n{done.stderr[-3000:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


if __name__ == "__main__":
    sys.exit(main())
