"""Crashes at every fault point: the next worker finishes the work, and nothing is counted twice.

The fault points are collected from the source, so that none is forgotten. Each test asserts that the crash
happened at its step. A crash is an uncaught exception that leaves the lease taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from config import fault_points
from inventory import leases
from inventory.models import Movement, ProductSync, StockUpdate, StripeEvent
from inventory.stock import ledger
from inventory.stock.ledger import SaleLine
from inventory.stripe_sync import missed_events, updates
from inventory.tests.factories import Shirt
from inventory.tests.test_webhook import an_event, signed
from inventory.worker import drain

ROOM = Path(__file__).resolve().parents[1]


class Died(BaseException):
    pass


def named_in_the_code() -> set[str]:
    return {
        name
        for file in (file for file in ROOM.rglob("*.py") if "tests" not in file.parts)
        for name in re.findall(r'fault_point\("([^"]+)"\)', file.read_text())
    }


def later(seconds: float) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


# --- Scenarios that reach the steps ------------------------------------------------------------


def receive(shirt: Shirt) -> None:
    body = json.dumps(an_event("evt_death", type="invoice.paid"))
    Client().post(
        "/stripe/webhook/", body, content_type="application/json", headers={"Stripe-Signature": signed(body)}
    )


def count_an_edit(shirt: Shirt) -> None:
    shirt.edit(S=12)
    shirt.fake.deliver_due()
    drain()


def hold(shirt: Shirt) -> None:
    ledger.hold("order:death", {shirt.item("L").pk: 1})


def release(shirt: Shirt) -> None:
    hold(shirt)
    ledger.release("order:death")


def sell(shirt: Shirt) -> None:
    hold(shirt)
    ledger.sell(["order:death"], [SaleLine("order:death:0", shirt.item("L").pk, 1)], now=timezone.now())


def receive_a_delivery(shirt: Shirt) -> None:
    ledger.receive(shirt.item("L").pk, 3, reference="form:death")


def publish(shirt: Shirt) -> None:
    drain()


def refresh(shirt: Shirt) -> None:
    drain(later(70))


def explain(shirt: Shirt) -> None:
    shirt.fake.faults.add("drop", types=("product.updated",))
    shirt.edit(S=12)
    drain(later(70))


def fetch_missed_events(shirt: Shirt) -> None:
    shirt.edit(S=12)
    missed_events.fetch_product_events(timezone.now())


def resolve(shirt: Shirt) -> None:
    shirt.fake.faults.add("error_500", method="POST", path="/v1/products/*", when="after")
    drain()


def abandon(shirt: Shirt) -> None:
    with leases.lease("prod_shirt") as own_lease:
        assert own_lease is not None
        frozen = updates.prepare_update(own_lease)
    assert frozen is not None
    updates.abandon_update(frozen.pk, timezone.now())


SCENARIOS: dict[str, Callable[[Shirt], None]] = {
    "receive.": receive,
    "handle.": count_an_edit,
    "product_event.": count_an_edit,
    "hold.": hold,
    "release.": release,
    "sell.": sell,
    "record.": receive_a_delivery,
    "prepare.": publish,
    "apply.": publish,
    "publish.explained": explain,
    "publish.": publish,
    "refresh.": refresh,
    "missed_events.": fetch_missed_events,
    "resolve.": resolve,
    "abandon.": abandon,
}


def scenario_for(point: str) -> Callable[[Shirt], None]:
    return next(scenario for prefix, scenario in SCENARIOS.items() if point.startswith(prefix))


@pytest.mark.parametrize("point", sorted(named_in_the_code()))
def test_after_a_crash_at_this_step_the_next_worker_finishes(
    point: str, shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    died_at: list[str] = []

    def die_there(name: str) -> None:
        if name == point and not died_at:
            died_at.append(name)
            raise Died(name)

    shirt.sell("M", 2)
    ProductSync.objects.update(next_attempt_at=None)
    monkeypatch.setattr(fault_points, "visit", die_there)
    with pytest.raises(Died):
        scenario_for(point)(shirt)
    assert died_at == [point]

    _the_lease_runs_out()
    drain(later(70), hourly=True)
    shirt.settle()

    assert shirt.at_stripe("M") == "13" and shirt.movements("M") == [15, -2]
    assert shirt.movements("S", "edited") in ([], [2])
    assert shirt.at_stripe("S") == str(sum(shirt.movements("S")))
    assert shirt.is_at_rest()
    assert not StockUpdate.objects.filter(state="open").exists()
    assert not Movement.objects.filter(published_at=None).exists()


def _the_lease_runs_out() -> None:
    StripeEvent.objects.update(lease_until=None)
    ProductSync.objects.update(lease_until=None)


@pytest.mark.parametrize("point", ["hold.inserted", "hold.set_aside"])
def test_a_hold_that_crashed_half_way_holds_nothing(
    point: str, shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_there(name: str) -> None:
        if name == point:
            raise Died(name)

    monkeypatch.setattr(fault_points, "visit", die_there)

    with pytest.raises(Died):
        hold(shirt)

    assert shirt.item("L").held == 0 and ledger.find_drift() == []


def test_an_event_that_was_answered_is_stored(shirt: Shirt, monkeypatch: pytest.MonkeyPatch) -> None:
    def die_there(name: str) -> None:
        if name == "receive.stored":
            raise Died(name)

    monkeypatch.setattr(fault_points, "visit", die_there)

    with pytest.raises(Died):
        receive(shirt)

    assert StripeEvent.objects.filter(pk="evt_death").exists()


def test_every_module_with_side_effects_has_fault_points() -> None:
    prefixes = {point.split(".")[0] for point in named_in_the_code()}

    assert {
        "receive",
        "handle",
        "hold",
        "sell",
        "release",
        "prepare",
        "publish",
        "apply",
        "product_event",
    } <= prefixes
