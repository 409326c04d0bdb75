"""Measure a drop, its cost and the counts after it, for the shop and the control under the same schedule.

    python -m benchmarks.drop --orders 1000 --seconds 60 --db sqlite|postgres --json

Each contender gets its own fake Stripe. First all sessions are opened, then latency and the rate limit are
switched on. A few customers buy another product one at a time, with each event delivered twice. Then the
crowd pays: some deliveries arrive twice at the same moment, some events have a twin, and a person edits in
between. When everything is delivered, the judge gives its verdict. Then come signed webhooks at a steady
rate, with Stripe healthy and with Stripe hanging, and a flood of them at the highest rate. README.md in this
directory explains each figure.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import servers, storm
from benchmarks.crowd import SIZES, Drop, plan
from benchmarks.judge import BlindJudge, Verdict, must_have_eyes
from benchmarks.load import Load
from benchmarks.servers import WEBHOOK_PATH, WEBHOOK_SECRET, Running
from benchmarks.shoppers import Shop
from benchmarks.storm import Rate
from benchmarks.stripe_side import StripeSide
from config.stripe_events import EVENTS

PRODUCT, QUIET = "prod_drop", "prod_quiet"
LATENCY = {"kind": "latency", "path": "/v1/*", "seconds": 0.15, "times": None}
HANGING = {"kind": "latency", "path": "/v1/*", "seconds": 30.0, "times": None}
SALES = ["checkout.session.completed"]
AS_STRIPE_DELIVERS = [
    {
        "kind": "duplicate",
        "types": SALES,
        "copies": 2,
        "parallel": True,
        "probability": 0.08,
        "times": None,
    },
    {"kind": "twin", "types": SALES, "probability": 0.02, "times": None},
    {"kind": "delay", "types": SALES, "seconds": 3.0, "probability": 0.03, "times": None},
]
STORM_SECONDS = 8.0
# The control's Stripe locks a product during a change, so the control is fastest with sales of several products.
SPREAD = [f"prod_spread{i}" for i in range(6)]
Json = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """The options of the command line."""

    orders: int
    seconds: float
    database: str
    seed: int


def main() -> int:
    wanted, as_json = _options()
    with tempfile.TemporaryDirectory(prefix="shop-drop-") as name:
        folder = Path(name)
        told("the shop")
        shop = measure_shop(wanted, folder)
        told("the control")
        control = measure_control(wanted, folder)
    result = {**_circumstances(wanted), "shop": shop, "control": control, "targets": targets(shop, control)}
    print(json.dumps(result) if as_json else json.dumps(result, indent=2))
    return exit_code(result)


def _options() -> tuple[Order, bool]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drop", description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="in which all of them are paid")
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    given = parser.parse_args()
    return Order(given.orders, given.seconds, given.db, given.seed), given.json


def told(what: str) -> None:
    """Print progress to standard error; standard output is for the result."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _circumstances(wanted: Order) -> Json:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "database": wanted.database,
        "orders": wanted.orders,
        "seconds": wanted.seconds,
        "seed": wanted.seed,
    }


# --- The shop -------------------------------------------------------------------------------------


def measure_shop(wanted: Order, folder: Path) -> Json:
    """All figures of the shop; see `judged`, `steady` and `flooded`."""
    drop = plan(wanted.orders, wanted.seconds, wanted.seed)
    with StripeSide() as side, servers.database(wanted.database, folder) as url:
        _fill(side, drop)
        # All customers hold before anybody pays, many of them several units, which the limit of a rush would refuse.
        no_limit = {"HOLD_RUSH_PERCENT": "0"}
        with servers.shop(folder, database_url=url, stripe_url=side.url, settings=no_limit) as running:
            connect(side, running, list(EVENTS))
            sessions, turned_away = _shop_sessions(running, drop)
            quiet = Shop(f"http://127.0.0.1:{running.port}", QUIET).open_sessions(
                [w.wants for w in drop.quiet]
            )
            _warm_up(side, [session for session in quiet if session])
            _drop(side, drop, sessions)
            result = judged(side)
            result["turned_away"] = turned_away
            result["misread"] = _misread(side, drop, sessions)
            result |= steady(side, running, Rate(per_second=50, seconds=6), rounds=2)
            result |= flooded(side, running, spread_over=())
            result |= _drained(running, result["webhooks_answered"])
            result["after_the_flood"] = settled(side, patience=120).as_dict()
            result["queries"] = servers.counted_queries(running.environment, "orders")
            result["database_locked"] = running.said("database is locked")
            return result


def _fill(side: StripeSide, drop: Drop) -> None:
    side.tell("add_product", id=PRODUCT, name="Drop Shirt", counts=drop.opened)
    side.tell("add_product", id=QUIET, name="Quiet Shirt", counts=dict.fromkeys(SIZES, 50))


def connect(side: StripeSide, running: Running, events: list[str]) -> None:
    url = f"http://127.0.0.1:{running.port}{WEBHOOK_PATH}"
    side.tell("add_endpoint", url=url, secret=WEBHOOK_SECRET, events=events)


def _shop_sessions(running: Running, drop: Drop) -> tuple[list[str | None], int]:
    """The sessions of all customers, and the number of latecomers who were turned away."""
    shop = Shop(f"http://127.0.0.1:{running.port}", PRODUCT)
    began = time.monotonic()
    first = shop.open_sessions([customer.wants for customer in drop.customers])
    late = shop.open_sessions([customer.wants for customer in drop.latecomers])
    told(
        f"{len(first)} checkouts opened in {time.monotonic() - began:.0f} s, {late.count(None)} latecomers turned away"
    )
    return [*first, *late], late.count(None)


def _warm_up(side: StripeSide, quiet: list[str]) -> None:
    side.tell("misbehave", rules=[LATENCY], limits=True)
    side.tell("pay_and_tell_twice", sessions=quiet)


def _drop(side: StripeSide, drop: Drop, sessions: list[str | None]) -> None:
    """Let each customer pay at their time; returns after the last payment."""
    side.tell("misbehave", rules=[LATENCY, *AS_STRIPE_DELIVERS], limits=True)
    everybody = [*drop.customers, *drop.latecomers]
    payments = [(who.pays_at, session) for who, session in zip(everybody, sessions, strict=True) if session]
    side.tell("begin", product=PRODUCT, payments=payments, edits=list(drop.edits))
    while side.tell("is_acting"):
        time.sleep(0.2)


def judged(side: StripeSide) -> Json:
    """The figures of the drop, after all deliveries and once the counts have settled."""
    deliver_all(side)
    verdict = settled(side, patience=30)
    return verdict.as_dict() | _at_rest(side, verdict) | {"load": os.getloadavg()[0]}


def _at_rest(side: StripeSide, verdict: Verdict) -> Json:
    calls: Mapping[tuple[str, int], int] = side.tell("api_calls")
    times = side.tell("webhook_seconds")
    return {
        "calls": sum(calls.values()),
        "calls_per_order": round(sum(calls.values()) / verdict.orders, 3),
        "rate_limited": sum(n for (_, status), n in calls.items() if status == 429),
        "settle_seconds": None if verdict.wrong else _rounded(side.tell("settled_after")),
        "webhooks": len(times),
        "webhooks_failed": sum(status != 200 for _, status in times),
        "webhook_p99_ms": _p99_ms([seconds for seconds, _ in times]),
    }


def deliver_all(side: StripeSide, patience: float = 120) -> None:
    """Wait for pending deliveries. Failed ones are retried at once, by moving the fake's clock forward."""
    deadline = time.monotonic() + patience
    quiet = 0
    while side.tell("undelivered") and time.monotonic() < deadline:
        before = side.tell("undelivered")
        time.sleep(1)
        quiet = quiet + 1 if side.tell("undelivered") >= before else 0
        if quiet >= 3:
            side.tell("forward_to_next_try")


def settled(side: StripeSide, patience: float) -> Verdict:
    """The verdict as soon as no count is wrong, or else after `patience` seconds."""
    deadline = time.monotonic() + patience
    verdict: Verdict = side.tell("verdict")
    while verdict.wrong and time.monotonic() < deadline:
        time.sleep(0.5)
        verdict = side.tell("verdict")
    return verdict


def _misread(side: StripeSide, drop: Drop, sessions: list[str | None]) -> int:
    """The number of paid sessions whose units differ from the customer's cart."""
    bought = side.tell("units_bought")
    wanted = {
        session: {(PRODUCT, f"stock_{size}"): units for size, units in who.wants.items()}
        for who, session in zip([*drop.customers, *drop.latecomers], sessions, strict=True)
        if session
    }
    return sum(bought.get(session) != units for session, units in wanted.items())


def steady(side: StripeSide, running: Running, rate: Rate, rounds: int) -> Json:
    """Webhook latency with Stripe healthy and with Stripe hanging, in turns, so that noise affects both."""
    sales = side.tell("sale_events")
    well, hanging = [], []
    for size in list(SIZES)[:rounds]:
        side.tell("misbehave", rules=[LATENCY], limits=True)
        well.append(storm.trickle(running.port, sales, rate))
        side.tell("misbehave", rules=[HANGING], limits=True)
        side.tell(
            "edit", product=PRODUCT, size=size, difference=1
        )  # Gives the worker a reason to call Stripe.
        time.sleep(1)
        hanging.append(storm.trickle(running.port, sales, rate))
    side.tell("misbehave", rules=[LATENCY], limits=True)
    all_well, all_hanging = storm.together(well), storm.together(hanging)
    return {
        "healthy_p99_ms": round(all_well.percentile_ms(0.99), 1),
        "hanging_p99_ms": round(all_hanging.percentile_ms(0.99), 1),
        "healthy_median_ms": round(all_well.percentile_ms(0.5), 1),
        "hanging_median_ms": round(all_hanging.percentile_ms(0.5), 1),
        "healthy_failed": sum(all_well.statuses.values()) - all_well.good,
        "hanging_failed": sum(all_hanging.statuses.values()) - all_hanging.good,
    }


def flooded(side: StripeSide, running: Running, *, spread_over: tuple[str, ...]) -> Json:
    """Webhooks answered with 200 per second, when each is sent as soon as an earlier one is answered."""
    requests = storm.twins(side.tell("sale_events"), 12_000, spread_over=spread_over)
    load = storm.flood(running.port, requests, seconds=STORM_SECONDS)
    return {
        "webhooks_answered": load.good,
        "webhooks_refused": sum(load.statuses.values()) - load.good,
        "webhooks_per_second": round(load.good_per_second, 1),
        "flooded_p99_ms": round(load.percentile_ms(0.99), 1),
    }


def _drained(running: Running, events: int) -> Json:
    """The time the worker needs to handle the events of the flood, and its events per second."""
    ask = (
        "from inventory.models import StripeEvent; print(StripeEvent.objects.filter(state='waiting').count())"
    )
    began = time.monotonic()
    waiting = -1
    while waiting and time.monotonic() - began < 300:
        waiting = int(servers.manage(running.environment, "shell", "-v", "0", "-c", ask).split()[-1])
    seconds = time.monotonic() - began + STORM_SECONDS
    return {
        "drained_seconds": _rounded(seconds),
        "events_worked_per_second": round((events - waiting) / seconds),
        "left_in_the_inbox": waiting,
    }


# --- The control ----------------------------------------------------------------------------------


def measure_control(wanted: Order, folder: Path) -> Json:
    """The same drop. Every customer gets a session, because the control does not check its stock."""
    drop = plan(wanted.orders, wanted.seconds, wanted.seed)
    with StripeSide() as side:
        _fill(side, drop)
        with servers.control(folder, stripe_url=side.url) as running:
            connect(side, running, [*SALES, "payment_intent.succeeded"])
            baskets = [who.wants for who in (*drop.customers, *drop.latecomers)]
            quiet = side.tell("open_sessions", product=QUIET, wants=[who.wants for who in drop.quiet])
            sessions = side.tell("open_sessions", product=PRODUCT, wants=baskets)
            _warm_up(side, quiet)
            _drop(side, drop, sessions)
            result = judged(side)
            for product in SPREAD:
                side.tell("add_product", id=product, name=product, counts=dict.fromkeys(SIZES, 100_000))
            side.tell("misbehave", rules=[LATENCY], limits=True)
            result |= flooded(side, running, spread_over=tuple(SPREAD))
            return result | steady(side, running, Rate(per_second=2, seconds=6), rounds=1)


# --- Targets --------------------------------------------------------------------------------------


def targets(shop: Json, control: Json) -> Json:
    """Each target with the measured value, and whether it was met."""
    times = shop["webhooks_per_second"] / max(control["webhooks_per_second"], 0.1)
    slower = shop["hanging_p99_ms"] / shop["healthy_p99_ms"]
    faults = shop["lost"] + shop["doubled"] + shop["oversold"] + shop["unreadable"] + shop["misread"]
    later = shop["after_the_flood"]
    settle = math.inf if shop["settle_seconds"] is None else shop["settle_seconds"]
    return {
        "units wrong": _target(faults, at_most=0),
        "units wrong after the flood": _target(
            later["lost"] + later["doubled"] + later["oversold"], at_most=0
        ),
        "calls an order": _target(shop["calls_per_order"], at_most=0.15),
        "429s": _target(shop["rate_limited"], at_most=0),
        "seconds to settle": _target(settle, at_most=3),
        "webhooks a second, times the control's": _target(times, at_least=50),
        "p99 while Stripe hangs, times the healthy": _target(slower, at_most=2),
        "database is locked": _target(shop["database_locked"], at_most=0),
        "queries of a webhook": _target(shop["queries"]["webhook"], at_most=6),
        "queries of a hold of one size": _target(shop["queries"]["hold"]["1"], at_most=4),
        "queries of a hold of three sizes": _target(shop["queries"]["hold"]["3"], at_most=6),
    }


def _target(measured: float, *, at_most: float = math.inf, at_least: float = -math.inf) -> Json:
    target = {"at_least": at_least} if at_most == math.inf else {"at_most": at_most}
    shown = None if math.isinf(measured) else round(measured, 3)
    return {"measured": shown, **target, "met": at_least <= measured <= at_most}


def exit_code(result: Json) -> int:
    """1 if the shop has wrong units, a target was missed, or the judge missed a kind of fault in the control."""
    names = Verdict.__dataclass_fields__
    verdict = Verdict(**{name: result["shop"][name] for name in names})
    missed = [f"{name} {target}" for name, target in result["targets"].items() if not target["met"]]
    for text in missed:
        told(f"missed: {text}")
    try:
        must_have_eyes(Verdict(**{name: result["control"][name] for name in names}))
    except BlindJudge as error:
        told(str(error))
        return 1
    return int(bool(missed) or verdict.guilty or Verdict(**result["shop"]["after_the_flood"]).guilty)


def _p99_ms(seconds: list[float]) -> float:
    return Load(took=seconds).percentile_ms(0.99)


def _rounded(seconds: float) -> float:
    return round(seconds, 2)


if __name__ == "__main__":
    sys.exit(main())
