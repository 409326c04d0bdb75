"""Measure mails to customers: 1,000 confirmations beside 1,000 events, and orders while the mail server hangs.

    python -m benchmarks.mails --orders 1000 --db sqlite|postgres --json

Three runs of the same paid orders, each in a database of its own, with the worker's tasks in threads as `run_worker` starts
them: without mails, with a mail server that takes 50 ms for each mail, and with one that never answers. Two ratios:

- `drained`: until the last confirmation is accepted, over until the last event is handled, in the second run;
- `p99`: from the first event until an order is settled, with the hanging server over without mails.

Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.servers import OTHERS, database
from script.serve import ROOT

NONE, SLOW, HANGING = "none", "slow", "hanging"
ACCEPTS_IN = 0.05  # seconds the slow server takes for each mail
TARGETS = {"drained": 1.0, "p99": 1.2}
LONGEST = 300.0  # seconds of one run
TASKS = (
    "inventory.events.inbox.process_local",
    "inventory.events.inbox.process_remote",
    "checkout.mail.sending.send_due",
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mails", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--run", choices=[NONE, SLOW, HANGING], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.run, options.orders)))
        return 0
    runs = {server: measure(server, options.db, options.orders) for server in (NONE, SLOW, HANGING)}
    ratios = {
        "drained": round(runs[SLOW]["mails_seconds"] / runs[SLOW]["events_seconds"], 2),
        "p99": round(runs[HANGING]["p99_seconds"] / runs[NONE]["p99_seconds"], 2),
    }
    met = all(ratios[name] <= most for name, most in TARGETS.items())
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "database": options.db,
        "orders": options.orders,
        "runs": runs,
        "ratios": ratios,
        "targets": {**TARGETS, "met": met},
    }
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))
    return 0 if met else 1


def measure(server: str, kind: str, orders: int) -> dict[str, float]:
    kept = {name: value for name, value in os.environ.items() if not OTHERS.match(name)}
    with (
        tempfile.TemporaryDirectory(prefix="shop-mails-") as name,
        database(kind, Path(name)) as url,
        mail_server(server) as port,
    ):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "benchmarks.mails", "--run", server, "--orders", str(orders)],
            cwd=ROOT,
            env={**kept, "DATABASE_URL": url, "MAIL_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(f"The run with the mail server “{server}” failed:\n{done.stderr[-3000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


# --- The mail server, in this process ---------------------------------------------------------


@contextmanager
def mail_server(which: str) -> Iterator[int]:
    """A local mail server, and its port: it takes ACCEPTS_IN for each mail, or accepts connections and says nothing."""
    from aiosmtpd.smtp import SMTP

    logging.getLogger("mail.log").setLevel(logging.ERROR)
    loop = asyncio.new_event_loop()
    protocol: Any = asyncio.Protocol if which == HANGING else lambda: SMTP(SlowHandler(), loop=loop)
    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


class SlowHandler:
    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        await asyncio.sleep(ACCEPTS_IN)
        return "250 OK"


# --- One run, in a process of its own ---------------------------------------------------------


def run(which: str, orders: int) -> dict[str, float]:
    """Pay the orders, then let the worker's threads handle their events and send the mails."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.test_settings"
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    logging.getLogger().handlers = [logging.StreamHandler(io.StringIO())]
    call_command("migrate", verbosity=0)
    from benchmarks.paid_orders import seed

    seed(orders, 1)
    if which != NONE:
        settings.CUSTOMER_MAILS_OFF = []
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(os.environ["MAIL_PORT"])
    return work(orders, mails=orders if which == SLOW else 0)


def work(orders: int, *, mails: int) -> dict[str, float]:
    from django.db import connection

    from config.worker_tasks import WORKER_TASKS
    from inventory.worker import Worker

    stop = threading.Event()
    worker = Worker(stop)
    tasks = [task for task in WORKER_TASKS if task.path in TASKS]
    threads = [threading.Thread(target=worker._repeat, args=([task],), daemon=True) for task in tasks]
    began = time.monotonic()
    settled: list[float] = []
    done = {"events": 0.0, "mails": 0.0}
    for thread in threads:
        thread.start()
    while not done["events"] or (mails and not done["mails"]):
        time.sleep(0.02)
        at = time.monotonic() - began
        if at > LONGEST:
            raise SystemExit(f"Not finished after {LONGEST} s: {len(settled)} orders, {done}")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM checkout_order WHERE state = 'paid'), "
                "(SELECT count(*) FROM inventory_stripeevent WHERE state = 'waiting'), "
                "(SELECT count(*) FROM checkout_customermail WHERE state = 'sent')"
            )
            paid, waiting, sent = cursor.fetchone()
        settled += [at] * (paid - len(settled))
        if not waiting and not done["events"]:
            done["events"] = at
        if mails and sent >= mails and not done["mails"]:
            done["mails"] = at
    stop.set()
    if len(settled) != orders:
        raise SystemExit(f"{len(settled)} of {orders} orders are paid.")
    return {
        "events_seconds": round(done["events"], 3),
        "mails_seconds": round(done["mails"], 3),
        "p50_seconds": round(settled[orders // 2], 3),
        "p99_seconds": round(settled[int(orders * 0.99) - 1], 3),
    }


if __name__ == "__main__":
    sys.exit(main())
