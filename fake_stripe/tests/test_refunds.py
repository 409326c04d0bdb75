"""Refunds: full, partial, excessive and failed."""

from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.errors import StripeError
from fake_stripe.tests.conftest import open_session


@pytest.fixture
def intent(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> str:
    """A payment of 50.00."""
    session = open_session(client, shirt["default_price"], 2)
    return str(fake.pay(session.id)["payment_intent"])


def types(fake: FakeStripe, after: int) -> list[str]:
    return [event["type"] for event in fake.events.values()][after:]


def charge_of(client: stripe.StripeClient, intent: str) -> stripe.Charge:
    (charge,) = client.v1.charges.list({"payment_intent": intent, "expand": ["data.refunds"]}).data
    return charge


def test_a_full_refund_returns_the_whole_amount(
    fake: FakeStripe, client: stripe.StripeClient, intent: str
) -> None:
    before = len(fake.events)

    refund = client.v1.refunds.create({"payment_intent": intent, "metadata": {"stock_M": "2"}})

    charge = charge_of(client, intent)
    assert (refund.amount, refund.status, refund.payment_intent) == (5000, "succeeded", intent)
    assert refund.metadata is not None
    assert refund.metadata.to_dict() == {"stock_M": "2"}
    assert (charge.refunded, charge.amount_refunded) == (True, 5000)
    assert charge.refunds is not None
    assert [r.id for r in charge.refunds.data] == [refund.id]
    assert types(fake, before) == ["refund.created", "charge.refunded"]


def test_partial_refunds_cannot_exceed_the_charge(
    fake: FakeStripe, client: stripe.StripeClient, intent: str
) -> None:
    first = client.v1.refunds.create({"payment_intent": intent, "amount": 2000})
    assert charge_of(client, intent).refunded is False

    with pytest.raises(stripe.InvalidRequestError) as too_much:
        client.v1.refunds.create({"payment_intent": intent, "amount": 3001})
    second = client.v1.refunds.create({"charge": str(first.charge), "amount": 3000})
    with pytest.raises(stripe.InvalidRequestError) as too_late:
        client.v1.refunds.create({"payment_intent": intent})

    assert too_much.value.param == "amount"
    assert too_late.value.code == "charge_already_refunded"
    assert charge_of(client, intent).refunded is True
    listed = client.v1.refunds.list({"payment_intent": intent}).data
    assert [r.id for r in listed] == [second.id, first.id]


def test_each_partial_refund_emits_charge_refunded_with_previous_values(
    fake: FakeStripe, client: stripe.StripeClient, intent: str
) -> None:
    for amount in (2000, 3000):
        client.v1.refunds.create({"payment_intent": intent, "amount": amount})

    events = [
        e["data"]["previous_attributes"] for e in fake.events.values() if e["type"] == "charge.refunded"
    ]
    assert events == [{"amount_refunded": 0}, {"amount_refunded": 2000, "refunded": False}]


def test_a_refund_may_fail_weeks_later(fake: FakeStripe, client: stripe.StripeClient, intent: str) -> None:
    refund = client.v1.refunds.create({"payment_intent": intent})
    fake.forward(21 * 24 * 3600)
    before = len(fake.events)

    fake.dashboard.fail_refund(refund.id)

    failed = client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert charge_of(client, intent).amount_refunded == 0
    assert types(fake, before) == [
        "refund.failed",
        "refund.updated",
        "charge.refund.updated",
        "charge.updated",
    ]
    with pytest.raises(Exception, match="already failed"):
        fake.dashboard.fail_refund(refund.id)


def test_the_dashboard_can_refund(fake: FakeStripe, client: stripe.StripeClient, intent: str) -> None:
    refund = fake.refund(payment_intent=intent, amount=1000, reason="requested_by_customer")

    event = next(e for e in fake.events.values() if e["type"] == "charge.refunded")
    assert client.v1.refunds.retrieve(refund["id"]).reason == "requested_by_customer"
    assert event["request"]["id"] is not None
    assert event["request"]["idempotency_key"] is None


def test_an_unpaid_charge_cannot_be_refunded(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(client, shirt["default_price"])
    waiting = fake.pay(session.id, delayed=True)["payment_intent"]

    for params in ({"payment_intent": waiting}, {"charge": "ch_nobody"}, {"payment_intent": "pi_nobody"}, {}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create(params)  # type: ignore[arg-type]
    assert len(fake.refunds) == 0


def test_all_refunds_of_a_charge_can_be_listed(client: stripe.StripeClient, intent: str) -> None:
    created = [client.v1.refunds.create({"payment_intent": intent, "amount": 100}).id for _ in range(12)]

    refunds = charge_of(client, intent).refunds

    assert refunds is not None
    assert (len(refunds.data), refunds.has_more) == (10, True)
    assert [refund.id for refund in refunds.auto_paging_iter()] == created[::-1]


def test_the_metadata_of_a_refund_can_be_changed(
    fake: FakeStripe, client: stripe.StripeClient, intent: str
) -> None:
    refund = client.v1.refunds.create({"payment_intent": intent})

    changed = client.v1.refunds.update(refund.id, {"metadata": {"returned": "M:1"}})

    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"returned": "M:1"}
    events = [e for e in fake.events.values() if e["type"] == "charge.refund.updated"]
    assert events[0]["data"]["previous_attributes"] == {"metadata": {"returned": None}}


def test_disputes_are_told_by_their_events(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    session = fake.pay(open_session(client, shirt["default_price"]).id)

    dispute = fake.dashboard.dispute(session["payment_intent"], amount=1000)
    lost = fake.dashboard.close_dispute(dispute["id"])

    assert (dispute["status"], dispute["amount"], lost["status"]) == ("needs_response", 1000, "lost")
    assert [event["type"] for event in fake.events.values() if "dispute" in event["type"]] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]
    with pytest.raises(StripeError, match="already lost"):
        fake.dashboard.close_dispute(dispute["id"], won=True)


def test_disputes_are_listed_and_retrieved(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    paid = [fake.pay(open_session(client, shirt["default_price"]).id)["payment_intent"] for _ in range(2)]
    first, second = (fake.dashboard.dispute(intent) for intent in paid)

    assert [one.id for one in client.v1.disputes.list().data] == [second["id"], first["id"]]
    assert [one.id for one in client.v1.disputes.list({"payment_intent": paid[0]}).data] == [first["id"]]
    found = client.v1.disputes.retrieve(first["id"], {"expand": ["charge"]})
    assert isinstance(found.charge, stripe.Charge)
    assert (found.charge.id, found.charge.disputed) == (first["charge"], True)


@pytest.mark.parametrize(
    ("card", "reason", "status"),
    [
        ("4000 0000 0000 0259", "fraudulent", "needs_response"),
        ("4000 0000 0000 2685", "product_not_received", "needs_response"),
        ("4000 0000 0000 1976", "fraudulent", "warning_needs_response"),
    ],
)
def test_payments_with_some_test_cards_are_disputed_at_once(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, card: str, reason: str, status: str
) -> None:
    paid = fake.pay(open_session(client, shirt["default_price"]).id, card=card)

    (dispute,) = client.v1.disputes.list({"payment_intent": paid["payment_intent"]}).data
    assert (dispute.reason, dispute.status, dispute.amount) == (reason, status, 2500)
    order = [
        name for name in types(fake, 0) if name in ("checkout.session.completed", "charge.dispute.created")
    ]
    assert order == ["checkout.session.completed", "charge.dispute.created"]


def test_a_shop_can_note_and_concede_a_dispute(fake: FakeStripe, client: stripe.StripeClient) -> None:
    client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "confirm": True, "payment_method": "pm_card_createDispute"}
    )
    (dispute,) = client.v1.disputes.list().data
    before = len(fake.events)

    noted = client.v1.disputes.update(dispute.id, {"metadata": {"order": "7"}})
    assert noted.metadata.to_dict() == {"order": "7"}
    assert client.v1.disputes.close(dispute.id).status == "lost"

    assert types(fake, before) == ["charge.dispute.updated", "charge.dispute.closed"]
    with pytest.raises(stripe.InvalidRequestError, match="already lost"):
        client.v1.disputes.close(dispute.id)
    with pytest.raises(stripe.InvalidRequestError, match="evidence"):
        client.v1.disputes.update(dispute.id, {"submit": True})
