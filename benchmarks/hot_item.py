"""Measure reservations of one hot item on PostgreSQL, against pgbench running the same two statements.

    python -m benchmarks.hot_item [--seconds 8] [--rounds 3] [--json]

16 clients hold units of one item through the shop's code, in two processes with eight threads each like its web server,
and 16 clients of pgbench send the statements that such a hold was seen to send. Rounds alternate, in one database with
PostgreSQL's default settings, so commits wait for the disk. Then the clients want more units than are left.
Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.servers import OTHERS, database
from script import postgres
from script.serve import ROOT

PROCESSES, THREADS = 2, 8
CLIENTS = PROCESSES * THREADS
UNITS = 999_999  # The largest count.
LEFT = 500  # units left in the last round, in which each client goes on until it is refused
AT_LEAST = 0.2
NOT_COUNTED = re.compile(r"(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)", re.IGNORECASE)
SEEN = "seen-by-the-benchmark"
Json = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hot_item", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        set_up_django()
        STEPS[options.step]()
        return 0
    result = measure(options.seconds, options.rounds)
    print(json.dumps(result, indent=None if options.json else 2))
    missed = [name for name, target in result["targets"].items() if not target["met"]]
    if missed:
        print("Missed: " + ", ".join(missed), file=sys.stderr)
    return 1 if missed else 0


def measure(seconds: float, rounds: int) -> Json:
    pgbench = find_pgbench()
    with (
        tempfile.TemporaryDirectory(prefix="shop-hot-item-") as name,
        database("postgres", Path(name)) as url,
    ):
        statements = json.loads(run_step("prepare", url))
        script = Path(name) / "hold.sql"
        script.write_text(as_script(statements))
        ours, theirs = list[float](), list[float]()
        for number in range(rounds):
            told(f"round {number + 1} of {rounds}")
            theirs.append(run_pgbench(pgbench, script, url, seconds))
            ours.append(sum(run_clients(url, seconds)) / seconds)
        told("the last units")
        run_step("leave_few", url)
        held = sum(run_clients(url, seconds=120.0))
        books = json.loads(run_step("books", url))
    ratio = statistics.median(ours) / statistics.median(theirs)
    oversold = max(0, held - LEFT) + max(0, books["held"] - books["on_hand"])
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "clients": CLIENTS,
        "seconds": seconds,
        "statements": statements,
        "holds_per_second": [round(each) for each in ours],
        "pgbench_per_second": [round(each) for each in theirs],
        "load": round(os.getloadavg()[0], 1),
        "last_units": {"left": LEFT, "held": held, **books},
        "targets": {
            "to_pgbench": {"measured": round(ratio, 3), "at_least": AT_LEAST, "met": ratio >= AT_LEAST},
            "oversold": {"measured": oversold, "at_most": 0, "met": oversold == 0},
            "last_units_held": {"measured": held, "at_least": LEFT, "met": held >= LEFT},
            "drift": {"measured": len(books["drift"]), "at_most": 0, "met": not books["drift"]},
        },
    }


def told(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


# --- pgbench ----------------------------------------------------------------------------------


def find_pgbench() -> Path:
    binaries = postgres.find_binaries()
    if binaries is None or not (binaries / "pgbench").exists():
        raise SystemExit("pgbench is not installed: it comes with PostgreSQL.")
    return binaries / "pgbench"


def as_script(statements: list[str]) -> str:
    """A pgbench script of the statements, with a reference of its own for each transaction."""
    reference = "('pgbench-' || :client_id || '-' || :number)"
    lines = [statement.replace(f"'{SEEN}'", reference) + ";" for statement in statements]
    if reference not in lines[0]:
        raise ValueError(f"The reference is not in the first statement: {lines[0]}")
    return "\n".join([r"\set number :number + 1", "BEGIN;", *lines, "COMMIT;", ""])


def run_pgbench(pgbench: Path, script: Path, url: str, seconds: float) -> float:
    """Transactions per second of pgbench, in the mode that is fastest for it."""
    place = urlsplit(url)
    arguments = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", str(PROCESSES), "-f", str(script)]
    # The references of a later round continue, so that none is repeated.
    arguments += ["-D", f"number={time.time_ns()}", "-T", str(max(1, round(seconds)))]
    done = subprocess.run(  # noqa: S603
        [
            str(pgbench),
            *arguments,
            "-h",
            "127.0.0.1",
            "-p",
            str(place.port),
            "-U",
            str(place.username),
            "postgres",
        ],
        env={**os.environ, "PGPASSWORD": place.password or ""},
        capture_output=True,
        text=True,
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not found:
        raise SystemExit(f"pgbench failed:\n{done.stdout}\n{done.stderr}")
    return float(found[1])


# --- The shop's clients -----------------------------------------------------------------------


def environment(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not OTHERS.match(name)}
    return {**kept, "DJANGO_SETTINGS_MODULE": "config.test_settings", "DATABASE_URL": url}


def run_step(step: str, url: str) -> str:
    done = subprocess.run(command(step), cwd=ROOT, env=environment(url), capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{step} failed:\n{done.stderr[-3000:]}")
    return done.stdout.splitlines()[-1] if done.stdout else ""


def command(step: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.hot_item", "--step", step]


def run_clients(url: str, seconds: float) -> list[int]:
    """The holds of each process within `seconds`; a client that is refused stops."""
    processes = [
        subprocess.Popen(  # noqa: S603
            command("clients"),
            cwd=ROOT,
            env=environment(url),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            raise SystemExit("A process of clients did not start; its error is above.")
    for process in processes:
        assert process.stdin  # noqa: S101
        process.stdin.write(f"{seconds}\n")
        process.stdin.flush()
    held = [int(process.communicate()[0].split()[-1]) for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("A process of clients failed; its error is above.")
    return held


def set_up_django() -> None:
    import django

    django.setup()


def prepare() -> None:
    """Migrate, add the item, and print the statements of one hold."""
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from inventory.models import StockItem
    from shop.models import Product

    call_command("migrate", verbosity=0)
    product = Product.objects.create(
        id="prod_hot", name="Drop Shirt", active=True, created_at=timezone.now(), fetched_at=timezone.now()
    )
    item = StockItem.objects.create(
        product=product, key="stock_M", size="M", state=StockItem.State.COUNTED, on_hand=UNITS
    )
    hold_one(item.pk, "warm-up")
    with CaptureQueriesContext(connection) as captured:
        hold_one(item.pk, SEEN)
    print(json.dumps([query["sql"] for query in captured if not NOT_COUNTED.match(query["sql"])]))


def hold_one(item_id: int, reference: str) -> None:
    """Hold a unit as a checkout does."""
    from checkout.orders import hold_limits
    from inventory.stock import ledger

    ledger.hold(reference, {item_id: 1}, rush=hold_limits.rush())


def clients() -> None:
    """Say "ready", read the seconds, hold with THREADS clients, and print how many units were held."""
    from django.db import connection

    from inventory.models import StockItem
    from inventory.stock.ledger import InsufficientStock

    item_id, run = StockItem.objects.values_list("pk", flat=True).get(), secrets.token_hex(4)
    connected, held = threading.Barrier(THREADS + 1), [0] * THREADS
    began = threading.Event()
    until = 0.0

    def act(number: int) -> None:
        connection.ensure_connection()
        connected.wait()
        began.wait()
        try:
            while time.monotonic() < until:
                hold_one(item_id, f"{run}-{number}-{held[number]}")
                held[number] += 1
        except InsufficientStock:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    connected.wait()
    print("ready", flush=True)
    until = time.monotonic() + float(sys.stdin.readline())
    began.set()
    for thread in threads:
        thread.join()
    print(sum(held))


def leave_few() -> None:
    from django.db.models import F

    from inventory.models import StockItem

    StockItem.objects.update(on_hand=F("held") + LEFT)


def books() -> None:
    """Print the item's sums, and whether they agree with the holds."""
    from django.db.models import Sum

    from inventory.models import Hold, StockItem

    item = StockItem.objects.get()
    rows = Hold.objects.aggregate(units=Sum("quantity"))["units"]
    drift = [] if rows == item.held else [f"held is {item.held}, but the holds add up to {rows}"]
    print(json.dumps({"on_hand": item.on_hand, "held": item.held, "drift": drift}))


STEPS = {"prepare": prepare, "clients": clients, "leave_few": leave_few, "books": books}


if __name__ == "__main__":
    sys.exit(main())
