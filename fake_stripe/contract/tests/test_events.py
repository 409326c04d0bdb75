"""Checks of events, their objects and their previous_attributes."""

from __future__ import annotations

from typing import Any

import pytest

from fake_stripe.contract import Contract, ContractBroken

Event = dict[str, Any]


def test_a_valid_event_passes_and_is_counted_by_type(contract: Contract, event: Event) -> None:
    contract.check_event(event)

    assert contract.coverage.tallies["event product.updated"].events == 1


def test_a_violation_in_the_events_object_is_caught(contract: Contract, event: Event) -> None:
    event["data"]["object"]["metadata"] = {"stock_M": 15}

    with pytest.raises(ContractBroken, match=r"data\.object\.metadata\.stock_M: text was expected, not 15"):
        contract.check_event(event)


def test_an_unknown_event_type_is_caught(contract: Contract, event: Event) -> None:
    with pytest.raises(ContractBroken, match=r"'product\.sold' is not an event type of Stripe"):
        contract.check_event(event | {"type": "product.sold"})


def test_an_event_with_an_untyped_object_is_caught(contract: Contract, event: Event) -> None:
    event["data"]["object"] = {"id": "x"}

    with pytest.raises(ContractBroken, match="None is not an object type of Stripe"):
        contract.check_event(event)


def test_a_missing_part_of_the_envelope_is_caught(contract: Contract, event: Event) -> None:
    del event["pending_webhooks"]

    with pytest.raises(ContractBroken, match="pending_webhooks: this is required"):
        contract.check_event(event)


def test_previous_attributes_must_be_fields_of_the_object(contract: Contract, event: Event) -> None:
    event["data"]["previous_attributes"] = {"name": "Old", "metadata": {"stock_M": None}, "description": None}
    contract.check_event(event)

    event["data"]["previous_attributes"] = {"stock_M": "15", "active": "yes"}
    with pytest.raises(ContractBroken) as broken:
        contract.check_event(event)

    assert {".".join(violation.path[1:]) for violation in broken.value.violations} == {
        "previous_attributes.stock_M",
        "previous_attributes.active",
    }
