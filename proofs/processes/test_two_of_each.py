"""Two web processes and two workers on one database keep the invariants, judged by Stripe's own records."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from benchmarks.crowd import Edit
from benchmarks.servers import manage
from proofs.processes.cluster import SHIRT, Cluster, new_cluster, until

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

LEFT = 6
# Every customer wants an S; some want S and M, in opposite orders.
CROWD = [{"S": 1}, {"S": 1, "M": 1}, {"M": 1, "S": 1}, {"S": 1}] * 5
SALE = ["checkout.session.completed"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with new_cluster(tmp_path_factory.mktemp("cluster"), {"S": LEFT, "M": LEFT, "L": 20}) as cluster:
        yield cluster


def faults(cluster: Cluster) -> tuple[int, int, int]:
    verdict = cluster.verdict()
    return verdict.lost, verdict.doubled, verdict.oversold


def test_the_last_units_are_sold_once_through_two_web_processes(cluster: Cluster) -> None:
    """Each event reaches both servers at once, twice. Some have a twin, and counts are edited at the same time."""
    duplicate = {"kind": "duplicate", "types": SALE, "copies": 2, "times": None}
    twin = {"kind": "twin", "types": SALE, "probability": 0.5, "times": None}

    before = cluster.side.tell("counts", product=SHIRT)

    sessions = cluster.shop.open_sessions(CROWD)
    cluster.side.tell("misbehave", rules=[duplicate, twin], limits=True)
    cluster.side.tell(
        "begin",
        product=SHIRT,
        payments=[(0.0, session) for session in sessions if session],
        edits=[Edit(0.0, "L", 5), Edit(0.1, "S", 3)],
    )
    until(lambda: not cluster.side.tell("is_acting"), cluster)
    until(cluster.is_at_rest, cluster)

    assert faults(cluster) == (0, 0, 0)
    assert (
        sum(units.get((SHIRT, "stock_S"), 0) for units in cluster.side.tell("units_bought").values()) == LEFT
    )
    assert None in sessions
    assert {status for _, status in cluster.side.tell("webhook_seconds")} == {200}
    assert len(doors := cluster.side.tell("answered_by")) == 2 and min(doors.values()) >= 2 * LEFT
    after = cluster.side.tell("counts", product=SHIRT)
    assert (after[SHIRT, "stock_S"], after[SHIRT, "stock_L"]) == (3, before[SHIRT, "stock_L"] + 5)
    assert "everything agrees" in manage(cluster.environment, "reconcile")


@pytest.mark.parametrize("point", ["prepare.committed", "publish.sent"])
def test_another_worker_finishes_the_update_of_a_killed_one(cluster: Cluster, point: str) -> None:
    """At the first point the update is prepared and not sent; at the second it is applied and not recorded."""
    cluster.let_one_die_at(point)
    (session,) = cluster.shop.open_sessions([{"L": 2}])
    cluster.side.tell("begin", product=SHIRT, payments=[(0.0, session)], edits=[])

    name, ending = until(cluster.dead, cluster)
    # At both points the update is not recorded yet: what is at rest now was finished by the other worker.
    until(cluster.is_at_rest, cluster)
    cluster.hire(f"{name}_again")

    assert name.startswith("worker") and ending == -signal.SIGKILL
    assert faults(cluster) == (0, 0, 0)
