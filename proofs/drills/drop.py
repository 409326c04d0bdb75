"""A drop while something breaks: customers who buy and pay without pause, and what became of their payments."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from benchmarks.servers import manage
from benchmarks.shoppers import NotServed
from proofs.processes.cluster import SHIRT, Cluster, run_cluster, until
from script.processes import python
from script.serve import ROOT

COUNTS = {"S": 5000, "M": 6}
DELIVERY = 6  # units of M that somebody adds in the Dashboard before each run
# Every third customer wants the scarce size, which more customers want than can have it.
WANTS = ({"S": 1}, {"S": 2}, {"M": 1})
BUYERS = 3
PATIENCE = 0.2  # seconds until a customer who was turned away tries again


@dataclass
class Outcome:
    """The judge's units of a drill, what `reconcile` says afterwards, and further figures of the drill."""

    drill: str
    runs: int
    orders: int
    units: int
    lost: int
    doubled: int
    oversold: int
    differences: list[str]
    figures: dict[str, Any]
    may_oversell: bool = False
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())

    @property
    def is_good(self) -> bool:
        oversold = 0 if self.may_oversell else self.oversold
        return not (self.lost or self.doubled or oversold or self.differences)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_good": self.is_good}


@dataclass
class Drop:
    """Customers of one shop. `sold`: (time, session) of every payment page that was opened, by time.monotonic()."""

    cluster: Cluster
    sold: list[tuple[float, str]] = field(default_factory=list)
    turned_away: int = 0
    turned_away_at: float = 0.0
    figures: dict[str, list[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def customers(self) -> Iterator[None]:
        """Let customers buy and pay, one after the other, while the block runs."""
        self._closing.clear()
        items = self.cluster.shop.choices()
        threads = [
            threading.Thread(target=self._buy, args=(items, number), daemon=True) for number in range(BUYERS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._closing.set()
            for thread in threads:
                thread.join(60)

    def _buy(self, items: dict[str, str], number: int) -> None:
        for basket in itertools.islice(itertools.cycle(WANTS), number, None):
            if self._closing.is_set():
                return
            try:
                session = self.cluster.shop.buy(items, basket)
            except (NotServed, requests.RequestException):
                self.turned_away, self.turned_away_at = self.turned_away + 1, time.monotonic()
                self._closing.wait(PATIENCE)
                continue
            if session is not None:
                with self._lock:
                    self.sold.append((time.monotonic(), session))
                    self.cluster.side.tell("pay", session=session)

    def wait_for_a_sale(self, since: float, *, seconds: float = 60) -> float:
        """Seconds from `since` until the next payment page is opened."""
        return float(until(lambda: self._first_after(since), self.cluster, seconds=seconds)) - since

    def _first_after(self, since: float) -> float | None:
        with self._lock:
            return next((at for at, _session in self.sold if at > since), None)

    def is_refused_since(self, moment: float) -> bool:
        """Whether a customer got an error and no one has bought since. `moment`: by time.monotonic()."""
        with self._lock:
            last_sale = self.sold[-1][0] if self.sold else 0.0
        return self.turned_away_at > max(moment, last_sale)

    def unknown_orders(self) -> int:
        """How many payment pages that customers have seen are in no order of the database."""
        known = {session for (session,) in self.cluster.ask("SELECT session_id FROM checkout_order")}
        with self._lock:
            return sum(session not in known for _at, session in self.sold)

    def note(self, name: str, value: float) -> None:
        """Keep a figure of one run."""
        self.figures.setdefault(name, []).append(round(value, 2))

    def settle(self, *, delivery: int = DELIVERY) -> None:
        """Fetch what was not delivered, as docs/operating.md says, and wait until all is counted."""
        began = time.monotonic()
        manage(self.cluster.environment, "backfill_events", "--since", "1h")
        until(lambda: is_at_rest(self.cluster), self.cluster, seconds=150)
        self.note("settled_seconds", time.monotonic() - began)
        verdict = self.cluster.side.tell("verdict")
        print(f"{self.figures} {verdict}", file=sys.stderr, flush=True)
        if delivery:
            self.cluster.side.tell("edit", product=SHIRT, size="M", difference=delivery)

    def outcome(
        self, drill: str, runs: int, *, may_oversell: bool = False, may_doubt: bool = False, **figures: Any
    ) -> Outcome:
        """What the judge says of all runs, from Stripe's side alone.

        `may_doubt`: sales may remain of which the owner is asked whether Stripe's count includes them.
        """
        until(lambda: is_at_rest(self.cluster), self.cluster, seconds=150)
        verdict = self.cluster.side.tell("verdict")
        found = differences(self.cluster.environment)
        if may_doubt:
            doubted = [text for text in found if text.startswith("sale_in_doubt")]
            found = [text for text in found if text not in doubted]
            figures["sales_in_doubt"] = len(doubted)
        return Outcome(
            drill=drill,
            runs=runs,
            orders=verdict.orders,
            units=verdict.units,
            lost=verdict.lost,
            doubled=verdict.doubled,
            oversold=verdict.oversold,
            differences=found,
            may_oversell=may_oversell,
            figures={"turned_away": self.turned_away, **self.figures, **figures},
        )


@contextmanager
def open_shop(folder: Path, database_url: str) -> Iterator[Cluster]:
    """One web server and one worker on the database, as on one machine."""
    with run_cluster(folder, COUNTS, database_url, doors=1, workers=1) as cluster:
        yield cluster


def is_at_rest(cluster: Cluster) -> bool:
    """Whether every event is handled and every movement is at Stripe."""
    undone = cluster.ask(
        "SELECT 1 FROM inventory_stockupdate WHERE state = 'open'"
        " UNION ALL SELECT 1 FROM inventory_stockitem WHERE pending <> 0"
        " UNION ALL SELECT 1 FROM inventory_stripeevent WHERE state <> 'handled'"
    )
    return not undone


def differences(environment: dict[str, str]) -> list[str]:
    """What `reconcile` names: `kind: text` of each difference."""
    done = subprocess.run(  # noqa: S603
        python("manage.py", "reconcile", "--since", "1d", "--json"),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return [f"{each['kind']}: {each['text']}" for each in json.loads(done.stdout)["differences"]]
