"""Measure the time from the first webhook to the last settled order, for the shop and for dj-stripe.

    python -m benchmarks.dj_stripe [--orders 500] [--rounds 2] [--db sqlite|postgres] [--only-sales] [--json]

Each contender has a fake Stripe without latency and without a rate limit, a database of the same kind, and the same
number of paid orders whose events it has not seen. The same events are then posted to both by the same generator, signed,
each as soon as an earlier one is answered; one that is refused is posted again. README.md in the folder above tells what
each of them does. Exits with 1 if the target is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks import rival, servers
from benchmarks.drop import told
from benchmarks.load import as_fast_as_possible
from benchmarks.shoppers import Shop
from benchmarks.storm import signed
from benchmarks.stripe_side import KEY, SALE, StripeSide
from config.stripe_events import EVENTS

TARGET = 4.0
PRODUCT, SIZES = "prod_flood", ("S", "M", "L")
CONNECTIONS = 16
PATIENCE = 900.0  # seconds for one contender's orders
VERSIONS = {"dj-stripe": "2.11.0", "stripe": "15.6.2"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Flood:
    """The options of the command line. `types`: of the events that are posted."""

    orders: int
    database: str
    types: list[str]

    @property
    def wants(self) -> list[dict[str, int]]:
        """One unit for each order, of the sizes in turn."""
        return [{SIZES[number % len(SIZES)]: 1} for number in range(self.orders)]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dj_stripe", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--only-sales", action="store_true", help=f"post only {SALE}")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    flood = Flood(options.orders, options.db, [SALE] if options.only_sales else list(EVENTS))
    program = rival.environment_is_made("dj_stripe")
    runs: dict[str, list[Json]] = {"dj_stripe": [], "shop": []}
    for number in range(options.rounds):
        told(f"round {number + 1} of {options.rounds}")
        with tempfile.TemporaryDirectory(prefix="shop-dj-stripe-") as name:
            runs["dj_stripe"].append(measure_dj_stripe(flood, Path(name), program))
        with tempfile.TemporaryDirectory(prefix="shop-dj-stripe-") as name:
            runs["shop"].append(measure_shop(flood, Path(name)))
    result = summary(flood, runs)
    print(json.dumps(result, indent=None if options.json else 2))
    if not result["target"]["met"]:
        told(f"missed: {result['target']}")
    return 0 if result["target"]["met"] else 1


def summary(flood: Flood, runs: dict[str, list[Json]]) -> Json:
    def median(who: str, figure: str) -> float:
        return float(statistics.median(run[figure] for run in runs[who]))

    ratio = median("dj_stripe", "settled_seconds") / median("shop", "settled_seconds")
    with_counts = median("dj_stripe", "settled_seconds") / median("shop", "counts_right_seconds")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "database": flood.database,
        "orders": flood.orders,
        "event_types": "sales" if flood.types == [SALE] else "all",
        "versions": VERSIONS,
        **runs,
        "times_as_fast": round(ratio, 2),
        "times_as_fast_until_counts_are_right": round(with_counts, 2),
        "target": {"at_least": TARGET, "measured": round(ratio, 2), "met": ratio >= TARGET},
    }


# --- The flood --------------------------------------------------------------------------------


def pour(port: int, events: list[str], path: str, secret: str, settled: Callable[[], bool]) -> Json:
    """Post the events until each is accepted, and wait until `settled`."""
    began, times_refused, first = time.monotonic(), 0, 0.0
    requests = [signed(event.encode(), path=path, secret=secret) for event in events]
    while requests:
        load = as_fast_as_possible(
            port, requests, connections=CONNECTIONS, seconds=PATIENCE, at_most=len(requests)
        )
        first = first or load.percentile_ms(0.99)
        requests, times_refused = load.refused, times_refused + len(load.refused)
        if time.monotonic() - began > PATIENCE:
            raise SystemExit(f"{len(requests)} events were not accepted: {dict(load.statuses)}")
    posted = time.monotonic() - began
    while not settled():
        if time.monotonic() - began > PATIENCE:
            raise SystemExit("The orders were not settled.")
        time.sleep(0.01)
    return {
        "events": len(events),
        "posted_seconds": round(posted, 3),
        "settled_seconds": round(time.monotonic() - began, 3),
        "webhook_p99_ms": round(first, 1),
        "refused_and_posted_again": times_refused,
        "load": round(os.getloadavg()[0], 1),
    }


@contextmanager
def counter(url: str) -> Iterator[Callable[[str], int]]:
    """Yields a function that returns the number of an SQL statement, read beside the contender."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as connection:
            yield lambda sql: int(connection.execute(sql).fetchone()[0])
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as there:

        def count(sql: str) -> int:
            row = there.execute(sql.encode()).fetchone()
            return int(row[0]) if row else 0

        yield count


# --- dj-stripe --------------------------------------------------------------------------------


def measure_dj_stripe(flood: Flood, folder: Path, program: Path) -> Json:
    told("dj-stripe")
    endpoint, port_of_nothing = str(uuid.uuid4()), 9
    with StripeSide() as side, servers.database(flood.database, folder) as url:
        side.tell("misbehave", rules=[], limits=False)
        side.tell("add_product", id=PRODUCT, name="Flood Shirt", counts=dict.fromkeys(SIZES, flood.orders))
        sessions = side.tell("open_sessions", product=PRODUCT, wants=flood.wants)
        side.tell("pay_all", sessions=sessions)
        events = side.tell("events", types=flood.types)
        # After the payments, so that the fake delivers nothing itself.
        form = {
            "url": f"http://127.0.0.1:{port_of_nothing}/stripe/webhook/{endpoint}/",
            "enabled_events[0]": "*",
            "metadata[djstripe_uuid]": endpoint,
        }
        made = side.tell("request", path="/v1/webhook_endpoints", form=urlencode(form))
        environment = rival.clean_environment() | {
            "DATABASE": json.dumps(django_database(url)),
            "STRIPE_HERE": side.url,
            "STRIPE_API_KEY": KEY,
            "DJANGO_SETTINGS_MODULE": "benchmarks.dj_stripe.settings",
        }
        contents = {
            "uuid": endpoint,
            "secret": made["secret"],
            "stock": [[PRODUCT, size, flood.orders] for size in SIZES],
            "orders": [
                [session, PRODUCT, size, units]
                for session, wants in zip(sessions, flood.wants, strict=True)
                for size, units in wants.items()
            ],
        }
        (folder / "contents.json").write_text(json.dumps(contents))
        migrate(program, environment, url)
        rival.run_module(program, environment, "benchmarks.dj_stripe.prepare", str(folder / "contents.json"))
        path = f"/stripe/webhook/{endpoint}/"
        with (
            rival.served("dj_stripe", folder, environment, path, program) as running,
            counter(url) as count,
        ):
            side.tell("begin", product=PRODUCT, payments=[], edits=[])
            paid = "SELECT count(*) FROM sales_order WHERE state = 'paid'"
            result = pour(running.port, events, path, made["secret"], lambda: count(paid) == flood.orders)
            result["calls_to_stripe"] = sum(side.tell("api_calls").values())
            left = count("SELECT sum(on_hand) FROM sales_stock")
            moved = count("SELECT sum(delta) FROM sales_movement")
    if (left, moved) != ((len(SIZES) - 1) * flood.orders, -flood.orders):
        raise SystemExit(f"dj-stripe's handler counted wrong: {left} left, {moved} moved.")
    return result


def migrate(program: Path, environment: dict[str, str], url: str) -> None:
    """Create the tables. dj-stripe's migrations take most of a minute, so an empty SQLite file of them is kept."""
    models = (Path(__file__).parent / "sales" / "models.py").read_bytes()
    kept = program.parent.parent / f"empty-{hashlib.sha256(models).hexdigest()[:16]}.sqlite3"
    place = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else None
    if place and kept.exists():
        shutil.copy(kept, place)
        return
    rival.run_module(program, environment, "django", "migrate", "--run-syncdb", "-v", "0")
    if place:
        with closing(sqlite3.connect(place)) as connection:
            connection.execute("VACUUM INTO ?", [str(kept)])


def django_database(url: str) -> Json:
    """DATABASES["default"] as the shop has it."""
    if url.startswith("sqlite"):
        options = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        engine, place = "django.db.backends.sqlite3", {"NAME": url.removeprefix("sqlite:///")}
        return {"ENGINE": engine, **place, "OPTIONS": options, "CONN_MAX_AGE": 60}
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.strip("/"),
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": parts.hostname,
        "PORT": parts.port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


# --- The shop ---------------------------------------------------------------------------------


def measure_shop(flood: Flood, folder: Path) -> Json:
    told("the shop")
    with StripeSide() as side, servers.database(flood.database, folder) as url:
        side.tell("misbehave", rules=[], limits=False)
        side.tell("add_product", id=PRODUCT, name="Flood Shirt", counts=dict.fromkeys(SIZES, flood.orders))
        with servers.shop(folder, database_url=url, stripe_url=side.url) as running, counter(url) as count:
            sessions = Shop(f"http://127.0.0.1:{running.port}", PRODUCT).open_all(flood.wants)
            side.tell("begin", product=PRODUCT, payments=[], edits=[])
            # No endpoint is registered, so the fake delivers nothing itself.
            side.tell("pay_all", sessions=sessions)
            events = side.tell("events", types=flood.types)
            paid = "SELECT count(*) FROM checkout_order WHERE state = 'paid'"
            if count(paid):
                raise SystemExit("Orders were settled before their events were posted.")
            began = time.monotonic()
            result = pour(
                running.port,
                events,
                servers.WEBHOOK_PATH,
                servers.WEBHOOK_SECRET,
                lambda: count(paid) == flood.orders,
            )
            while side.tell("verdict").wrong:
                if time.monotonic() - began > PATIENCE:
                    raise SystemExit("The counts at Stripe did not become right.")
                time.sleep(0.05)
            result["counts_right_seconds"] = round(time.monotonic() - began, 3)
            result["calls_to_stripe"] = sum(side.tell("api_calls").values())
    return result


if __name__ == "__main__":
    sys.exit(main())
