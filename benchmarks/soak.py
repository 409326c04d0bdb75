"""Does a promise break if one tries long enough? Schedules of faults over the real code, seed after seed, for minutes.

    python -m benchmarks.soak --minutes N --json

Each schedule is one of proofs.state_machine: customers, owner, people at Stripe and everything that can go wrong,
in an order drawn from its seed; then healing, and the judgement of all promises. A seed that breaks one is printed
with what to call to see it again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import django

Json = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What is asked for: schedules of `steps` rules from seed `first` on, every `stride`-th seed, for `seconds`."""

    first: int
    stride: int
    steps: int
    seconds: float


@dataclass
class Sum:
    """What came of the schedules so far. `broken`: the seed, the promise and what was seen."""

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
    given = _options()
    runs = [Run(given.seed + n, given.jobs, given.steps, given.minutes * 60) for n in range(given.jobs)]
    began = time.monotonic()
    # Each process has a database in memory of its own, and its own share of the seeds.
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        total = Sum()
        for part in pool.imap_unordered(play, runs):
            total.add(part)
    result = summary(total, given.seed, given.steps, time.monotonic() - began)
    print(json.dumps(result) if given.json else json.dumps(result, indent=2))
    return int(bool(total.broken) or not total.schedules)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None, help="the first; without it, one that is new")
    parser.add_argument("--steps", type=int, default=40, help="rules in a schedule (default 40)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the seeds (default 1)")
    parser.add_argument("--json", action="store_true", help="on one line")
    given = parser.parse_args()
    if given.seed is None:
        given.seed = int(time.time()) % 10**8 * 100
    print(f"seeds from {given.seed} on", file=sys.stderr, flush=True)
    return given


def play(run: Run) -> Sum:
    """Play schedules until the time is over; at least one."""
    _open_database()
    total, deadline, seed = Sum(), time.monotonic() + run.seconds, run.first
    while total.schedules == 0 or time.monotonic() < deadline:
        _play_one(total, seed, run.steps)
        seed += run.stride
    return total


def _open_database() -> None:
    """An empty, migrated one in memory; the settings are the tests', so nothing of this machine's reaches it."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.test_settings"
    os.environ.pop("DATABASE_URL", None)
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
        # Whatever ends a schedule early is a finding: a broken promise, or code that fell over.
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
    """The counts of faults and rules are those of the schedules that kept every promise."""
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


if __name__ == "__main__":
    sys.exit(main())
