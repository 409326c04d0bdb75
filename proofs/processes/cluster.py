"""A cluster of two web servers and two workers on one PostgreSQL, with the fake Stripe on a port.

The processes share only the database and the settings. Stripe sends every event to both web servers at once, and
customers' requests go to either, as behind a load balancer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks import servers
from benchmarks.judge import Verdict
from benchmarks.servers import WEBHOOK_PATH, WEBHOOK_SECRET, Running
from benchmarks.shoppers import Shop
from benchmarks.stripe_side import StripeSide
from config.stripe_events import EVENTS
from script.processes import Programs, python
from script.serve import GUNICORN, ROOT

SHIRT = "prod_shirt"
DATABASE = f"two_of_each_{os.getpid()}"  # Test processes that run at once must not drop each other's.
MONITORING_TOKEN = "proofs"  # noqa: S105
WORK = python("manage.py", "run_worker")


@dataclass
class Cluster:
    side: StripeSide
    shop: Shop
    programs: Programs
    environment: dict[str, str]
    folder: Path
    database_url: str
    ports: list[int]

    def open_doors(self) -> None:
        """Start the web servers and wait until they answer."""
        for port in self.ports:
            log = self.folder / f"web{port}.log"
            command = servers.gunicorn(port, GUNICORN[-1], "-w", "1")
            self.programs.start(log.stem, command, environment=self.environment, folder=ROOT, log=log)
        for port in self.ports:
            running = Running(port, tuple(self.folder.glob("*.log")), self.environment)
            servers.wait_until_it_answers(f"http://127.0.0.1:{port}/", self.programs, running)

    def hire(self, name: str) -> None:
        log = self.folder / f"{name}.log"
        self.programs.start(name, WORK, environment=self.environment, folder=ROOT, log=log)

    def let_one_die_at(self, point: str) -> None:
        """Kill the first process that reaches this fault point."""
        (self.folder / point).touch()

    def dead(self) -> tuple[str, int] | None:
        """Name and exit code of a process that has ended, which is removed from the running ones; None if all run."""
        name = self.programs.ended()
        return (name, self.programs.running.pop(name).wait()) if name else None

    def ask(self, question: str) -> list[Any]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(question.encode()).fetchall()

    def is_at_rest(self) -> bool:
        """Whether every event is delivered and handled, every movement published, and every count right at Stripe."""
        undone = self.ask(
            "SELECT 1 FROM inventory_stockupdate WHERE state = 'open'"
            " UNION ALL SELECT 1 FROM inventory_stockitem WHERE pending <> 0 OR held <> 0"
            " UNION ALL SELECT 1 FROM inventory_stripeevent WHERE state <> 'handled'"
        )
        return not undone and not self.side.tell("undelivered") and not self.verdict().wrong

    def verdict(self) -> Verdict:
        verdict: Verdict = self.side.tell("verdict")
        return verdict

    def last_words(self) -> str:
        return "\n".join(
            f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in self.folder.glob("*.log")
        )


def until(condition: Callable[[], Any], cluster: Cluster, *, seconds: float = 90) -> Any:
    """Wait until `condition` returns a true value, and return it. On timeout, fails with the ends of the logs."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{condition} never became true.\n{cluster.last_words()}")
        time.sleep(0.1)
    return result


@contextmanager
def new_cluster(folder: Path, counts: dict[str, int]) -> Iterator[Cluster]:
    """Two web servers and two workers on a separate database, which is dropped on exit."""
    with _database() as database_url, run_cluster(folder, counts, database_url) as cluster:
        yield cluster


@contextmanager
def run_cluster(
    folder: Path, counts: dict[str, int], database_url: str, *, doors: int = 2, workers: int = 2
) -> Iterator[Cluster]:
    """A shop that sells one shirt, `counts` per size, on an empty database. On exit, its processes are ended."""
    with ExitStack() as stack:
        side = stack.enter_context(StripeSide())
        side.tell("add_product", id=SHIRT, name="BALM T-Shirt", counts=counts)
        ports = [servers.free_port() for _ in range(doors)]
        environment = _environment(ports[0], folder, database_url, side.url)
        servers.manage(environment, "migrate", "--no-input", "-v", "0")
        servers.manage(environment, "sync_catalog")
        programs = stack.enter_context(Programs(grace=10))
        addresses = [f"http://127.0.0.1:{port}" for port in ports]
        shop = Shop(addresses[0], SHIRT, addresses[1:])
        cluster = Cluster(side, shop, programs, environment, folder, database_url, ports)
        cluster.open_doors()
        for address in addresses:
            side.tell("add_endpoint", url=address + WEBHOOK_PATH, secret=WEBHOOK_SECRET, events=list(EVENTS))
        for number in range(workers):
            cluster.hire(f"worker{number + 1}")
        yield cluster


def _environment(port: int, folder: Path, database_url: str, stripe_url: str) -> dict[str, str]:
    settings = servers.shop_environment(
        port, folder, database_url=database_url, stripe_url=stripe_url, image_origin=""
    )
    return settings | {
        "DJANGO_SETTINGS_MODULE": "proofs.processes.settings",
        "DIE_HERE": str(folder),
        "MONITORING_TOKEN": MONITORING_TOKEN,
    }


@contextmanager
def _database() -> Iterator[str]:
    """A separate database, on the server that the tests run on."""
    server = os.environ["DATABASE_URL"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{DATABASE}"))
        finally:
            connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
