"""Something that the shop needs goes away under a drop and comes back."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import requests

from proofs.drills.drop import Drop, Outcome, open_shop
from proofs.drills.postgres import Server, server
from proofs.processes.cluster import MONITORING_TOKEN, Cluster, until
from script import postgres

SECONDS = 3.0  # of sales before and after, and of the outage
DISK_MEGABYTES = 150
READ_ONLY = "The database is read-only."


def power_cut(folder: Path, runs: int) -> Outcome:
    """Everything is killed at once, PostgreSQL too, and started again with what is on the disk."""
    with server() as database, open_shop(folder, database.url) as cluster:
        drop = Drop(cluster)
        for _run in range(runs):
            with drop.customers():
                drop.wait_for_a_sale(time.monotonic())
                time.sleep(SECONDS)
                for program in cluster.programs.running.values():
                    program.kill()
                database.kill()
                for program in cluster.programs.running.values():
                    program.wait()
                cluster.programs.running.clear()
                until_the_port_is_free(cluster)
                started = time.monotonic()
                database.start()
                drop.note("database_recovery_seconds", time.monotonic() - started)
                drop.note("unknown_orders", drop.unknown_orders())
                cluster.open_doors()
                cluster.hire("worker1")
                drop.note("selling_again_seconds", drop.wait_for_a_sale(started))
                time.sleep(SECONDS)
            drop.settle()
        return drop.outcome("power-cut", runs)


def until_the_port_is_free(cluster: Cluster) -> None:
    # gunicorn's workers notice that their parent is gone within a second, and leave the port.
    def is_free() -> bool:
        try:
            requests.get(f"{cluster.shop.url}/healthz", timeout=2)
        except requests.ConnectionError:
            return True
        except requests.RequestException:
            pass
        return False

    until(is_free, cluster, seconds=30)


def read_only_database(folder: Path, runs: int) -> Outcome:
    """The database refuses every write, as a standby or a managed database with a full disk does."""
    with server() as database, open_shop(folder, database.url) as cluster:
        drop = Drop(cluster)
        for _run in range(runs):
            with drop.customers():
                drop.wait_for_a_sale(time.monotonic())
                time.sleep(SECONDS)
                _set_read_only(database, "on")
                time.sleep(SECONDS)
                answer = requests.get(
                    f"{cluster.shop.url}/readyz",
                    headers={"Authorization": f"Bearer {MONITORING_TOKEN}"},
                    timeout=30,
                )
                is_told = answer.status_code == 503 and READ_ONLY in answer.text
                drop.note("readyz_says_so", is_told)
                drop.note("page_status", requests.get(cluster.shop.page, timeout=30).status_code)
                ended = time.monotonic()
                _set_read_only(database, "off")
                drop.note("selling_again_seconds", drop.wait_for_a_sale(ended))
                time.sleep(SECONDS)
            drop.settle()
        return drop.outcome("read-only", runs)


def _set_read_only(database: Server, value: str) -> None:
    # Each statement by itself: ALTER SYSTEM is not a write.
    database.ask(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    database.ask("SELECT pg_reload_conf()")


def full_disk(folder: Path, runs: int) -> Outcome:
    """The disk of the database is full. PostgreSQL stops itself; it is started again when there is room."""
    with _small_disk() as disk, server(disk) as database, open_shop(folder, database.url) as cluster:
        drop = Drop(cluster)
        for _run in range(runs):
            ballast = disk / "ballast"
            with drop.customers():
                drop.wait_for_a_sale(time.monotonic())
                time.sleep(SECONDS)
                _fill(ballast)
                full_at = time.monotonic()
                until(partial(drop.is_refused_since, full_at), cluster)
                drop.note("selling_with_a_full_disk_seconds", time.monotonic() - full_at)
                time.sleep(SECONDS)
                ballast.unlink()
                room = time.monotonic()
                drop.note("database_stopped_itself", database.has_ended())
                if database.has_ended():
                    database.start()
                drop.note("selling_again_seconds", drop.wait_for_a_sale(room))
                time.sleep(SECONDS)
            drop.settle()
        return drop.outcome("full-disk", runs)


class NotPermitted(Exception):
    """The drill needs a right that this user does not have."""


@contextmanager
def _small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="shop-drill-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", name]
        if subprocess.run(mount, capture_output=True).returncode:  # noqa: S603
            raise NotPermitted("A small disk cannot be mounted: run this drill as root.")
        try:
            postgres.give_to_postgres(Path(name))
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)  # noqa: S603, S607


def _fill(ballast: Path) -> None:
    # To the last byte. PostgreSQL writes into the room that its log has already, until it needs a new file.
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def stripe_away(folder: Path, runs: int) -> Outcome:
    """Stripe's API does not answer. DRILL_AWAY_SECONDS sets for how long, 3600 for an hour."""
    seconds = float(os.environ.get("DRILL_AWAY_SECONDS", "20"))
    with server() as database, open_shop(folder, database.url) as cluster:
        drop = Drop(cluster)
        for _run in range(runs):
            with drop.customers():
                drop.wait_for_a_sale(time.monotonic())
                time.sleep(SECONDS)
                cluster.side.tell("misbehave", rules=[{"kind": "cut", "times": None}], limits=False)
                time.sleep(SECONDS)
            # Payments that were made before are counted here, and wait for Stripe.
            time.sleep(seconds)
            page = requests.get(cluster.shop.page, timeout=30)
            drop.note("page_seconds", page.elapsed.total_seconds())
            waiting = cluster.ask("SELECT coalesce(sum(-pending), 0) FROM inventory_stockitem")
            drop.note("units_that_wait", waiting[0][0])
            cluster.side.tell("misbehave", rules=[], limits=False)
            back = time.monotonic()
            with drop.customers():
                drop.note("selling_again_seconds", drop.wait_for_a_sale(back))
                time.sleep(SECONDS)
            drop.settle()
        return drop.outcome("stripe-away", runs, seconds_away=seconds, issues=_issues(cluster))


def _issues(cluster: Cluster) -> list[str]:
    rows = cluster.ask("SELECT kind, subject, closed_at IS NULL FROM inventory_issue ORDER BY id")
    return [f"{kind} {subject}{', open' if is_open else ', closed'}" for kind, subject, is_open in rows]
