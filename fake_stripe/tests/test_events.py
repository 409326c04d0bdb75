"""The events API: lists, filters and retention."""

from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from fake_stripe import FakeStripe
from fake_stripe.tests.conftest import NOW, Receiver

DAY = 24 * 3600


def rename(client: stripe.StripeClient, *names: str) -> None:
    for name in names:
        client.v1.products.update("prod_shirt", {"name": name})


def test_events_are_listed_newest_first_by_type(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    rename(client, "A", "B")
    client.v1.prices.update(shirt["default_price"], {"nickname": "n"})

    def listed(**filters: Any) -> list[str]:
        return [event.type for event in client.v1.events.list(filters)]  # type: ignore[arg-type]

    assert listed() == ["price.updated", "product.updated", "product.updated"]
    assert listed(type="product.updated") == ["product.updated"] * 2
    assert listed(type="product.*") == ["product.updated"] * 2
    assert listed(types=["price.updated", "charge.refunded"]) == ["price.updated"]


def test_events_of_a_period_can_be_paginated(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    for n in range(25):
        fake.clock.forward(1)
        rename(client, f"name {n}")
    since = fake.clock.now() - 20

    found = client.v1.events.list({"types": ["product.updated"], "created": {"gte": since}, "limit": 7})

    names = [event.data.object["name"] for event in found.auto_paging_iter()]
    assert names == [f"name {n}" for n in range(24, 3, -1)]


def test_undelivered_events_can_be_listed(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    rename(client, "A")
    fake.deliver_due()
    receiver.status = 500
    rename(client, "B")
    fake.deliver_due()

    (failed,) = client.v1.events.list({"delivery_success": False}).data
    (delivered,) = client.v1.events.list({"delivery_success": True}).data

    assert (failed.data.object["name"], failed.pending_webhooks) == ("B", 1)
    assert (delivered.data.object["name"], delivered.pending_webhooks) == ("A", 0)


def test_events_are_kept_for_thirty_days(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    rename(client, "A")
    (event,) = client.v1.events.list().data

    fake.clock.forward(30 * DAY)
    assert client.v1.events.retrieve(event.id).id == event.id
    fake.clock.forward(1)

    assert client.v1.events.list().data == []
    with pytest.raises(stripe.InvalidRequestError) as gone:
        client.v1.events.retrieve(event.id)
    assert gone.value.http_status == 404


def test_old_events_are_deleted_with_their_deliveries(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    rename(client, "A")
    fake.deliver_due()
    fake.forward(31 * DAY)

    assert len(fake.events) == 0
    assert fake.deliveries() == []


EDITS = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "1", "2"]), min_size=1, max_size=3),
    max_size=12,
)


@given(EDITS)
def test_differences_lead_from_the_last_state_back_to_the_first(edits: list[dict[str, str]]) -> None:
    fake = FakeStripe(now=NOW)
    fake.add_product(id="prod_a", name="A", metadata={"a": "1", "b": "2"})
    for edit in edits:
        fake.dashboard.edit_product("prod_a", metadata=edit)

    stands = fake.products["prod_a"]["metadata"]
    for event in reversed(list(fake.events.values())):
        assert event["data"]["object"]["metadata"] == stands
        before = event["data"]["previous_attributes"]["metadata"]
        assert before
        stands = {key: value for key, value in {**stands, **before}.items() if value is not None}
    assert stands == {"a": "1", "b": "2"}


def test_more_than_twenty_types_are_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.events.list({"types": [f"a.b{n}" for n in range(21)]})

    assert refused.value.param == "types"


def test_an_event_keeps_the_object_as_it_was(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    rename(client, "A", "B", "C")

    assert [e["data"]["object"]["name"] for e in fake.events.values()] == ["A", "B", "C"]
