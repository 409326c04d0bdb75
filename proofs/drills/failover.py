"""The primary is killed under a drop, and its standby is promoted; the killed one becomes the next standby."""

from __future__ import annotations

import time
from pathlib import Path

from proofs.drills.drop import DELIVERY, Drop, Outcome, open_shop
from proofs.drills.postgres import primary_and_standby, url_of_both
from proofs.processes.cluster import Cluster

SECONDS = 3.0  # of sales before the kill, and after the promotion


def synchronous_failover(folder: Path, runs: int) -> Outcome:
    """The standby has every commit, so nothing may be lost."""
    return _failover("synchronous-failover", folder, runs, missed_seconds=None)


def asynchronous_failover(folder: Path, runs: int) -> Outcome:
    """The standby misses the last seconds: orders, events and updates that customers and Stripe have seen."""
    return _failover("asynchronous-failover", folder, runs, missed_seconds=4)


def _failover(name: str, folder: Path, runs: int, *, missed_seconds: float | None) -> Outcome:
    synchronous = missed_seconds is None
    with (
        primary_and_standby(synchronous=synchronous) as pair,
        open_shop(folder, url_of_both(*pair)) as cluster,
    ):
        drop = Drop(cluster)
        primary, standby = pair
        for run in range(runs):
            if run:
                primary.follow(standby, synchronous=synchronous)
                primary, standby = standby, primary
            with drop.customers():
                drop.wait_for_a_sale(time.monotonic())
                time.sleep(SECONDS)
                if missed_seconds is not None:
                    primary.stop_sending()
                    time.sleep(missed_seconds)
                primary.kill()
                time.sleep(0.5)  # until a person or a program decides
                decided = time.monotonic()
                standby.promote()
                promoted = time.monotonic()
                drop.note("promotion_seconds", promoted - decided)
                drop.note("unknown_orders", drop.unknown_orders())
                drop.note("selling_again_seconds", drop.wait_for_a_sale(promoted))
                time.sleep(SECONDS)
            # What the standby missed may be sold again. A unit oversold is no longer in the books when more arrive.
            drop.settle(delivery=DELIVERY if synchronous else 0)
        return drop.outcome(name, runs, may_oversell=not synchronous, sales_in_doubt=_sales_in_doubt(cluster))


def _sales_in_doubt(cluster: Cluster) -> list[str]:
    # Of these, the owner is asked whether Stripe's count includes them.
    rows = cluster.ask("SELECT text FROM inventory_issue WHERE kind = 'restored_database'")
    return [line for (text,) in rows for line in text.splitlines() if "were paid for" in line]
