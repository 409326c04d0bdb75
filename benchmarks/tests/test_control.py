"""The control works without faults, and the judge finds each of its known ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.judge import must_have_eyes
from benchmarks.tests.stand import PRODUCT, Stand
from fake_stripe import Exchange, FakeStripe


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_without_faults_it_counts_right(stand: Stand) -> None:
    stand.sell(M=2, S=1)
    stand.fake.deliver_due()

    assert stand.fake.products[PRODUCT]["metadata"]["stock_M"] == "3"
    assert stand.fake.products[PRODUCT]["metadata"]["stock_S"] == "4"
    assert not stand.verdict().guilty


def test_a_second_delivery_is_doubled(stand: Stand) -> None:
    stand.fake.faults.add("duplicate", types=["checkout.session.completed"], copies=2)
    stand.sell(M=2)
    stand.fake.deliver_due()

    assert stand.faults() == (0, 2, 0)


def test_two_sales_at_the_same_moment_lose_one(stand: Stand) -> None:
    stand.sell(M=1)
    stand.sell(M=1)
    stand.once_read(stand.fake.deliver_due)  # The second event arrives while the first is being handled.
    stand.fake.courier.attempt(_first(stand))

    assert stand.faults() == (1, 0, 0)


def _first(stand: Stand) -> dict[str, Any]:
    from fake_stripe import deliveries

    first, *others = deliveries.take_due(stand.fake.account)
    for other in others:
        stand.fake.account.outbox.push(other)
    return first


def test_an_edit_of_another_key_is_undone(stand: Stand) -> None:
    stand.sell(M=1)
    stand.once_read(lambda: stand.fake.dashboard.edit_product(PRODUCT, metadata={"stock_S": "9"}))
    stand.fake.deliver_due()

    assert stand.fake.products[PRODUCT]["metadata"]["stock_S"] == "5"
    assert stand.verdict().wrong == 1


def test_more_is_sold_than_there_is(stand: Stand) -> None:
    stand.sell(M=4)
    stand.sell(M=3)
    stand.fake.deliver_due()

    assert stand.fake.products[PRODUCT]["metadata"]["stock_M"] == "0"
    assert stand.faults() == (0, 0, 2)


def test_a_failure_on_the_second_line_subtracts_the_first_one_twice(stand: Stand) -> None:
    stand.sell(M=1, S=1)
    stand.fake.observers.append(_fail_second_write(stand.fake))
    stand.fake.deliver_due()
    stand.fake.forward(3600)
    stand.fake.deliver_due()

    assert stand.faults() == (0, 1, 0)


def _fail_second_write(fake: FakeStripe) -> Callable[[Exchange], None]:
    """Make the first write after a successful one fail, once."""

    def observe(call: Exchange) -> None:
        if call.method == "POST" and call.status == 200:
            fake.observers.remove(observe)
            fake.faults.add("error_500", method="POST", when="before", times=1)

    return observe


def test_with_all_three_kinds_of_fault_the_judge_is_not_blind(stand: Stand) -> None:
    stand.fake.faults.add("duplicate", types=["checkout.session.completed"], copies=2)
    stand.sell(M=1)
    stand.fake.deliver_due()
    stand.sell(S=6)
    stand.sell(S=6)
    stand.once_read(stand.fake.deliver_due)
    stand.fake.deliver_due()
    stand.sell(M=1)
    stand.sell(M=1)
    stand.once_read(stand.fake.deliver_due)
    stand.fake.courier.attempt(_first(stand))

    must_have_eyes(stand.verdict())


def test_only_a_signed_post_is_handled(stand: Stand) -> None:
    assert stand.post("/", {}, b"", method="GET")[0] == 405
    assert stand.post("/", {"Stripe-Signature": "t=1,v1=00"}, b"{}")[0] == 400
    assert not stand.fake.calls
