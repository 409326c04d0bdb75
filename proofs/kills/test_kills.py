"""Kill a real process by os._exit at every fault point: nothing is lost or counted twice.

Each test asserts that the child died at the fault point, lets another child continue, and checks the final counts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db.models import Sum

from checkout.models import CustomerMail
from config import fault_points
from inventory.models import Hold, Movement, StockItem, StockUpdate, StripeEvent
from proofs.children import DIED, GOOD, new_child_database, start
from proofs.kills.points import named_points
from proofs.kills.rehearsal import Rehearsal, Visit
from proofs.kills.scenario import EXPECTED, SHIRT, at_stripe, begin, tell
from proofs.state_machine import safety

POINTS = named_points()
# One fault point of each kind; the others run with ALL_PROOFS=1.
QUICK = {
    "receive.stored",
    "start.held",
    "pay.updated",
    "sell.inserted",
    "prepare.committed",
    "publish.sent",
    "apply.changed",
    "mail.answered",
}
# Ada and Carol have paid, Bob has not. Ada got one refund; Carol's refund is told by the mail about her cancellation.
MAILS = ["cancellation_accepted", *2 * ["order_confirmation"], "order_refunded"]
Say = Callable[[str], None]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]


@pytest.fixture(scope="session")
def rehearsed() -> list[Rehearsal]:
    """At most one: it needs a database, which only a test has, and serves all tests of this process."""
    return []


@pytest.fixture
def rehearsal(
    transactional_db: None, rehearsed: list[Rehearsal], tmp_path_factory: pytest.TempPathFactory
) -> Rehearsal:
    if not rehearsed:
        rehearsed.append(Rehearsal(tmp_path_factory.mktemp("rehearsal")))
    return rehearsed[0]


def die_at(point: str, visit: int, folder: Path) -> Callable[[Say], None]:
    """A child that exits without cleanup when it passes `point` for the `visit`-th time."""

    def act(say: Say) -> None:
        seen: Counter[str] = Counter()

        def pass_by(name: str) -> None:
            seen[name] += 1
            if name == point and seen[name] == visit:
                say(name)
                os._exit(DIED)

        fault_points.visit = pass_by
        tell(folder)

    return act


def go_on(folder: Path) -> Callable[[Say], None]:
    return lambda say: tell(folder, after_a_death=True)


def check_everything(folder: Path) -> Callable[[Say], None]:
    """Check the final state. Runs in a child too, because it needs the children's database."""

    def act(say: Say) -> None:
        safety.check_rows()
        metadata = at_stripe(folder)
        counts = {key: metadata[key] for key in EXPECTED}
        assert counts == EXPECTED
        assert metadata["details"] == "soft"
        assert not Hold.objects.exists()
        mails = CustomerMail.objects.values_list("kind", "state", "interruptions")
        assert sorted(kind for kind, state, _count in mails if state == CustomerMail.State.SENT) == MAILS
        assert all(count <= 1 for *_mail, count in mails)
        assert not StockUpdate.objects.filter(state=StockUpdate.State.OPEN).exists()
        assert not Movement.objects.filter(published_at=None).exists()
        assert not StripeEvent.objects.exclude(state=StripeEvent.State.HANDLED).exists()
        for item in StockItem.objects.filter(product=SHIRT):
            assert str(item.on_hand) == EXPECTED[item.key]
            assert item.movements.aggregate(units=Sum("delta"))["units"] == item.on_hand
        assert sorted(Movement.objects.filter(kind="sale").values_list("delta", flat=True)) == [
            -2,
            -2,
            -1,
            -1,
        ]

    return act


def test_the_scenario_without_a_kill_ends_with_the_expected_counts(
    transactional_db: None, tmp_path: Path
) -> None:
    begin(tmp_path)
    child_db = new_child_database(tmp_path)

    played = start(child_db, lambda say: tell(tmp_path)).wait()
    checked = start(child_db, check_everything(tmp_path)).wait()

    assert (played.code, checked.code) == (GOOD, GOOD)


def test_every_quick_fault_point_exists() -> None:
    assert set(POINTS) >= QUICK


def kill(rehearsal: Rehearsal, point: str, visit: Visit, folder: Path) -> None:
    """Kill a process at this visit, let another one go on, and check the end."""
    child_db = rehearsal.checkpoints[visit.act].restore(folder)
    death = start(child_db, die_at(point, visit.number, folder)).wait()
    assert (death.code, death.said) == (DIED, point)

    start(child_db, go_on(folder)).wait()

    assert start(child_db, check_everything(folder)).wait().code == GOOD


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=[] if point in QUICK else [pytest.mark.slow]) for point in POINTS]
)
def test_a_process_killed_at_a_fault_point_loses_nothing(
    point: str, rehearsal: Rehearsal, tmp_path: Path
) -> None:
    kill(rehearsal, point, rehearsal.first(point), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_at_its_last_visit_to_a_fault_point_loses_nothing(
    point: str, rehearsal: Rehearsal, tmp_path: Path
) -> None:
    last = rehearsal.last(point)
    if last == rehearsal.first(point):
        pytest.skip("visited once: the same kill as at its first visit")
    kill(rehearsal, point, last, tmp_path)
