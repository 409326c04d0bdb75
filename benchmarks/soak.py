"""Run schedules of faults over the real code, seed after seed, for a given time.

    python -m benchmarks.soak --minutes N --db sqlite|postgres --into benchmarks/results/soak.json --json

Each schedule is one of proofs.state_machine: actions of customers, the owner and people at Stripe, mixed with
faults, in an order generated from its seed. Then the faults end, and all promises are checked. A seed that
breaks one is printed with the call that reproduces it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import django
import psycopg

from script import postgres

Json = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One process's share: schedules of `steps` rules from seed `first`, every `stride`-th seed, for `seconds`."""

    first: int
    stride: int
    steps: int
    seconds: float
    database_url: str


@dataclass
class Sum:
    """Sums of the schedules so far. `broken`: the seed, the error and the call that reproduces it."""

    schedules: int = 0
    requests: int = 0
    last: int = -1
    rules: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[Json] = field(default_factory=list)

    def add(self, other: Sum) -> None:
        self.schedules += other.schedules
        self.requests += other.requests
        self.last = max(self.last, other.last)
        self.rules += other.rules
        self.faults += other.faults
        self.broken += other.broken


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # The pool's processes end with this one.
    given = _options()
    total, began = Sum(), time.monotonic()
    # Each process has its own empty database and its own share of the seeds.
    with (
        databases(given.db, given.jobs) as urls,
        multiprocessing.get_context("spawn").Pool(given.jobs) as pool,
    ):
        runs = [
            Run(given.seed + n, given.jobs, given.steps, given.minutes * 60, url)
            for n, url in enumerate(urls)
        ]
        for part in pool.imap_unordered(play, runs):
            total.add(part)
    result = summary(total, given.seed, given.steps, time.monotonic() - began) | {"database": given.db}
    print(json.dumps(result) if given.json else json.dumps(result, indent=2))
    if given.into:
        before = json.loads(given.into.read_text()) if given.into.exists() else {}
        given.into.write_text(json.dumps(gathered(before, result), indent=1) + "\n")
    return int(bool(total.broken) or not total.schedules)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: a new one)")
    parser.add_argument("--steps", type=int, default=40, help="rules in a schedule (default 40)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the seeds (default 1)")
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--into", type=Path, metavar="FILE", help="add this run's sums to those in FILE")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    given = parser.parse_args()
    if given.seed is None:
        given.seed = int(time.time()) % 10**8 * 100
    print(f"seeds from {given.seed} on", file=sys.stderr, flush=True)
    return given


@contextmanager
def databases(kind: str, number: int) -> Iterator[list[str]]:
    """The DATABASE_URLs of `number` empty databases: in memory, or on a private PostgreSQL server."""
    if kind == "sqlite":
        yield ["sqlite:///:memory:"] * number
        return
    binaries = postgres.find_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is not installed.")
    with postgres.private_postgres(binaries) as url:
        names = [f"soak{n}" for n in range(number)]
        with psycopg.connect(url, autocommit=True) as connection:
            for name in names:
                connection.execute(f"CREATE DATABASE {name}".encode())
        yield [urlunsplit(urlsplit(url)._replace(path=f"/{name}")) for name in names]


def play(run: Run) -> Sum:
    """Play schedules until the time is over, at least one."""
    _open_database(run.database_url)
    total, deadline, seed = Sum(), time.monotonic() + run.seconds, run.first
    while total.schedules == 0 or time.monotonic() < deadline:
        _play_one(total, seed, run.steps)
        seed += run.stride
    return total


def _open_database(url: str) -> None:
    """Set up Django and migrate, with the test settings, which ignore the settings of this machine."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.test_settings"
    os.environ["DATABASE_URL"] = url
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _play_one(total: Sum, seed: int, steps: int) -> None:
    from proofs.state_machine.schedule import run_schedule

    total.schedules += 1
    total.last = max(total.last, seed)
    try:
        tally = run_schedule(seed, steps)
    except Exception as error:
        # Any exception is a finding: a broken promise or a crash.
        seen = {
            "seed": seed,
            "what": f"{type(error).__name__}: {error}"[:500],
            "again": f"run_schedule({seed}, {steps})",
        }
        total.broken.append(seen)
        print(f"broken: {json.dumps(seen)}", file=sys.stderr, flush=True)
        return
    total.requests += tally.calls
    total.rules += tally.rules
    total.faults += tally.faults


def summary(total: Sum, first: int, steps: int, seconds: float) -> Json:
    """The result of a run. Faults and rules are counted only in schedules that kept every promise."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "minutes": round(seconds / 60, 1),
        "seeds": [first, total.last],
        "steps": steps,
        "schedules": total.schedules,
        "faults": sum(total.faults.values()),
        "rules": sum(total.rules.values()),
        "requests": total.requests,
        "faults_by_kind": dict(sorted(total.faults.items())),
        "rules_by_name": dict(sorted(total.rules.items())),
        "broken": total.broken,
        "broken_invariants": len(total.broken),
    }


def gathered(before: Json, run: Json) -> Json:
    """The sums of all runs so far, with `run` as the last of them."""
    sums = {
        name: before.get(name, 0) + run[name]
        for name in ("minutes", "schedules", "faults", "rules", "requests", "broken_invariants")
    }
    counts: Json = {
        name: dict(sorted((Counter(before.get(name, {})) + Counter(run[name])).items()))
        for name in ("faults_by_kind", "rules_by_name")
    }
    this = {name: run[name] for name in ("date", "database", "seeds", "steps", "schedules")}
    return {
        **sums,
        **counts,
        "runs": [*before.get("runs", []), this],
        "broken": before.get("broken", []) + run["broken"],
    }


if __name__ == "__main__":
    sys.exit(main())
