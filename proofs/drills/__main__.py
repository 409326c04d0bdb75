"""Run a drill: `python -m proofs.drills NAME [--runs N] [--json]`. Exits with 1 if a unit is lost, doubled or oversold.

NAME is one of the drills of `--list`, or `all`. Needs PostgreSQL on this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from proofs.drills import failover, outages, recovery
from proofs.drills.drop import Outcome

DRILLS: dict[str, Callable[[Path, int], Outcome]] = {
    "synchronous-failover": failover.synchronous_failover,
    "asynchronous-failover": failover.asynchronous_failover,
    "power-cut": outages.power_cut,
    "read-only": outages.read_only_database,
    "full-disk": outages.full_disk,
    "stripe-away": outages.stripe_away,
    "restore": recovery.restore_of_a_backup,
    "rebuild": recovery.rebuild_from_stripe,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proofs.drills", description=__doc__)
    parser.add_argument("name", choices=[*DRILLS, "all"])
    parser.add_argument("--runs", type=int, default=1, metavar="N")
    parser.add_argument("--into", type=Path, metavar="FILE", help="keep the results in this JSON file")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    given = parser.parse_args()
    outcomes = []
    for name in DRILLS if given.name == "all" else [given.name]:
        with tempfile.TemporaryDirectory(prefix="shop-drill-") as folder:
            outcomes.append(DRILLS[name](Path(folder), given.runs))
        if given.into:
            _keep(given.into, outcomes[-1])
    if given.json:
        print(json.dumps([outcome.as_json() for outcome in outcomes], indent=1))
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


def _keep(file: Path, outcome: Outcome) -> None:
    kept = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**kept, outcome.drill: outcome.as_json()}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
