"""The database is lost and restored from a backup, or rebuilt from Stripe."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.servers import manage
from proofs.drills.drop import Drop, Outcome, open_shop
from proofs.drills.postgres import Server, server
from proofs.processes.cluster import Cluster

SECONDS = 3.0  # of sales before the backup, and after it


def restore_of_a_backup(folder: Path, runs: int) -> Outcome:
    """Sales go on after the backup. `restore_drill` rehearses the restore; then it is done.

    The sales since the backup may be sold again, as those that an asynchronous standby missed.
    """
    with server() as database, open_shop(folder, database.url) as cluster:
        drop = Drop(cluster)
        for _run in range(runs):
            with drop.customers():
                drop.wait_for_a_sale(time.monotonic())
                time.sleep(SECONDS)
            drop.settle(delivery=0)
            backup = _back_up(database, folder)
            with drop.customers():
                time.sleep(SECONDS)
            drop.settle(delivery=0)
            _rehearse(drop, backup)
            cluster.programs.stop()
            _empty(database)
            began = time.monotonic()
            restore = [
                str(database.binaries / "pg_restore"),
                "-d",
                database.url,
                "--exit-on-error",
                str(backup),
            ]
            subprocess.run(restore, check=True, capture_output=True)  # noqa: S603
            drop.note("unknown_orders", drop.unknown_orders())
            # Before anything is sold: Stripe's counts are accepted as they are when they are read.
            manage(cluster.environment, "sync_catalog")
            manage(cluster.environment, "backfill_events", "--since", "1d")
            _sell_again(drop, cluster, began)
        return drop.outcome("restore", runs, may_oversell=True, may_doubt=True)


def rebuild_from_stripe(folder: Path, runs: int) -> Outcome:
    """The database is lost without a backup, at once with sales that were not sent to Stripe."""
    with server() as database, open_shop(folder, database.url) as cluster:
        drop = Drop(cluster)
        for _run in range(runs):
            with drop.customers():
                drop.wait_for_a_sale(time.monotonic())
                time.sleep(SECONDS)
            drop.settle()
            # A quiet moment, then sales that the worker no longer sees.
            time.sleep(6)
            cluster.programs.running.pop("worker1").kill()
            with drop.customers():
                time.sleep(SECONDS)
            cluster.programs.stop()
            _empty(database)
            began = time.monotonic()
            manage(cluster.environment, "migrate", "--no-input", "-v", "0")
            manage(cluster.environment, "rebuild")
            drop.note("rebuilt_seconds", time.monotonic() - began)
            drop.note("unknown_orders", drop.unknown_orders())
            _sell_again(drop, cluster, began)
        return drop.outcome("rebuild", runs)


def _back_up(database: Server, folder: Path) -> Path:
    backups = folder / "backups"
    backups.mkdir(mode=0o700, exist_ok=True)
    file = backups / f"shop-{time.time_ns()}.dump"
    subprocess.run([shutil.which("pg_dump") or "pg_dump", "-Fc", "-f", str(file), database.url], check=True)  # noqa: S603
    return file


def _rehearse(drop: Drop, backup: Path) -> None:
    calls = drop.cluster.side.tell("api_calls")
    rows = _digest(drop.cluster)
    result = json.loads(manage(drop.cluster.environment, "restore_drill", str(backup.parent), "--json"))
    changed = drop.cluster.side.tell("api_calls").get(("POST", 200), 0) - calls.get(("POST", 200), 0)
    drop.note("drill_seconds", result["seconds"])
    drop.note("drill_missing_orders", len(result["missing_orders"]))
    drop.note("drill_changes_at_stripe", changed)
    drop.note("drill_changes_in_the_database", rows != _digest(drop.cluster))


def _digest(cluster: Cluster) -> list[Any]:
    return cluster.ask(
        "SELECT (SELECT md5(string_agg(o::text, '' ORDER BY id)) FROM checkout_order o),"
        " (SELECT md5(string_agg(m::text, '' ORDER BY id)) FROM inventory_movement m)"
    )


def _empty(database: Server) -> None:
    database.ask("DROP SCHEMA public CASCADE")
    database.ask("CREATE SCHEMA public")


def _sell_again(drop: Drop, cluster: Cluster, began: float) -> None:
    cluster.open_doors()
    cluster.hire("worker1")
    with drop.customers():
        drop.note("selling_again_seconds", drop.wait_for_a_sale(began))
        time.sleep(SECONDS)
    drop.settle(delivery=0)
