"""Customers on the payment page: payment, decline, authentication, delayed payment, input errors."""

import time
from typing import Any

import pytest
import stripe

from fake_stripe import AuthenticationNeeded, CardDeclined, FakeStripe, Refused, SessionEnded
from fake_stripe.tests.conftest import Receiver, open_session

COLLECTING: dict[str, Any] = {
    "shipping_address_collection": {"allowed_countries": ["DE", "AT"]},
    "phone_number_collection": {"enabled": True},
}


@pytest.mark.parametrize(
    ("card", "decline_code"),
    [("4000000000000002", "generic_decline"), ("4000 0000 0000 9995", "insufficient_funds")],
)
def test_a_declined_card_leaves_the_session_open(
    fake: FakeStripe,
    client: stripe.StripeClient,
    shirt: Any,
    receiver: Receiver,
    card: str,
    decline_code: str,
) -> None:
    session = open_session(client, shirt["default_price"])

    with pytest.raises(CardDeclined) as declined:
        fake.pay(session.id, card=card)
    fake.deliver_due()

    assert (declined.value.code, declined.value.decline_code) == ("card_declined", decline_code)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert receiver.types() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]


def test_another_card_may_be_tried_with_the_same_payment_intent(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(client, shirt["default_price"])
    with pytest.raises(CardDeclined):
        fake.pay(session.id, card="4000000000000002")

    fake.pay(session.id)

    paid = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge"]}
    ).payment_intent
    assert isinstance(paid, stripe.PaymentIntent)
    assert isinstance(paid.latest_charge, stripe.Charge)
    assert (paid.status, paid.last_payment_error, paid.amount_received) == ("succeeded", None, 2500)
    assert paid.latest_charge.paid is True
    assert len(fake.payment_intents) == 1
    assert [charge["status"] for charge in fake.charges.values()] == ["failed", "succeeded"]


def test_a_bank_may_require_authentication(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(client, shirt["default_price"])
    card = "4000002760003184"

    with pytest.raises(AuthenticationNeeded):
        fake.pay(session.id, card=card)
    with pytest.raises(CardDeclined) as refused:
        fake.pay(session.id, card=card, authenticated=False)
    paid = fake.pay(session.id, card=card, authenticated=True)

    assert refused.value.code == "payment_intent_authentication_failure"
    assert paid["payment_status"] == "paid"
    assert "payment_intent.requires_action" in [e["type"] for e in fake.events.values()]


def test_only_test_cards_are_accepted(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(client, shirt["default_price"])

    for number in ("", "1234", "4111111111111111", "<script>"):
        with pytest.raises(Refused, match="test card"):
            fake.pay(session.id, card=number)
    assert len(fake.events) == 0


def test_the_customers_details_are_in_the_session_and_the_payment(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(client, shirt["default_price"], **COLLECTING)
    address = {"line1": "Hauptstr. 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}

    fake.pay(session.id, email="ada@example.com", name="Ada L", phone="+49301234", address=address)

    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert paid.collected_information is not None
    assert paid.collected_information.shipping_details is not None
    assert paid.collected_information.shipping_details.address.to_dict() == {
        **address,
        "line2": None,
        "state": None,
    }
    assert paid.collected_information.shipping_details.name == "Ada L"
    assert paid.customer_details is not None
    assert (paid.customer_details.email, paid.customer_details.phone) == ("ada@example.com", "+49301234")
    assert isinstance(paid.payment_intent, stripe.PaymentIntent)
    assert paid.payment_intent.shipping is not None
    assert paid.payment_intent.shipping.phone == "+49301234"


@pytest.mark.parametrize(
    ("mistake", "field"),
    [
        ({"email": "ada"}, "email"),
        ({"name": " "}, "name"),
        ({"phone": ""}, "phone"),
        ({"address": {"line1": "", "country": "DE"}}, "line1"),
        ({"address": {"line1": "Rue 1", "country": "FR"}}, "country"),
        ({"shipping_rate": "shr_nobody"}, "shipping_rate"),
        ({"custom_fields": {"size": "XXL"}}, "size"),
        ({"custom_fields": {}}, "size"),
    ],
)
def test_an_invalid_entry_names_its_field_and_leaves_the_session_unchanged(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, mistake: dict[str, Any], field: str
) -> None:
    size = {
        "key": "size",
        "label": {"type": "custom", "custom": "Size"},
        "type": "dropdown",
        "dropdown": {"options": [{"label": "Medium", "value": "M"}]},
    }
    rate = {"display_name": "Post", "fixed_amount": {"amount": 500, "currency": "usd"}}
    session = open_session(
        client,
        shirt["default_price"],
        **COLLECTING,
        custom_fields=[size],
        shipping_options=[{"shipping_rate_data": rate}],
    )
    before = fake.sessions[session.id]

    with pytest.raises(Refused) as refused:
        fake.pay(session.id, **({"custom_fields": {"size": "M"}} | mistake))

    assert refused.value.field == field
    assert fake.sessions[session.id] == before
    assert len(fake.events) == 0


def test_custom_fields_are_returned_with_their_values(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fields = [
        {
            "key": "engraving",
            "label": {"type": "custom", "custom": "Engraving"},
            "type": "text",
            "text": {"maximum_length": 5},
            "optional": True,
        },
        {"key": "number", "label": {"type": "custom", "custom": "Number"}, "type": "numeric"},
    ]
    session = open_session(client, shirt["default_price"], custom_fields=fields)

    with pytest.raises(Refused):
        fake.pay(session.id, custom_fields={"number": "seven"})
    with pytest.raises(Refused):
        fake.pay(session.id, custom_fields={"number": "7", "engraving": "too long"})
    paid = fake.pay(session.id, custom_fields={"number": "7"})

    assert [f[f["type"]]["value"] for f in paid["custom_fields"]] == [None, "7"]


def test_the_chosen_shipping_option_is_charged(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    options = [
        {"shipping_rate_data": {"display_name": name, "fixed_amount": {"amount": cost, "currency": "usd"}}}
        for name, cost in (("Post", 500), ("Courier", 1500))
    ]
    session = open_session(client, shirt["default_price"], shipping_options=options)
    courier = session.shipping_options[1].shipping_rate

    paid = fake.pay(session.id, shipping_rate=courier)

    assert (paid["amount_total"], paid["shipping_cost"]["shipping_rate"]) == (4000, courier)
    assert next(iter(fake.charges.values()))["amount"] == 4000


def test_without_collecting_only_country_and_postal_code_are_known(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    little = fake.pay(open_session(client, shirt["default_price"]).id)
    whole = fake.pay(open_session(client, shirt["default_price"], billing_address_collection="required").id)

    known = {key: value for key, value in little["customer_details"]["address"].items() if value}
    assert known == {"country": "GB", "postal_code": "SW1Y 4JH"}
    assert little["collected_information"] is None
    assert whole["customer_details"]["address"]["city"] == "London"


def test_a_given_email_cannot_be_changed(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(client, shirt["default_price"], customer_email="known@example.com")

    paid = fake.pay(session.id, email="typed@example.com")

    assert paid["customer_details"]["email"] == "known@example.com"


def test_payment_intent_data_reaches_the_payment(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(
        client,
        shirt["default_price"],
        metadata={"order": "on the session"},
        payment_intent_data={"metadata": {"order": "o1"}, "description": "Two shirts"},
    )

    intent = fake.payment_intents[fake.pay(session.id)["payment_intent"]]

    assert (intent["metadata"], intent["description"]) == ({"order": "o1"}, "Two shirts")


def test_an_empty_metadata_value_is_not_copied_to_the_payment(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    full = {f"k{n}": "v" for n in range(50)}
    session = open_session(
        client, shirt["default_price"], payment_intent_data={"metadata": {**full, "empty": ""}}
    )

    intent = fake.payment_intents[fake.pay(session.id)["payment_intent"]]

    assert intent["metadata"] == full


def test_a_very_long_email_is_refused_quickly(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(client, shirt["default_price"])
    started = time.perf_counter()

    for email in ("a@" + "." * 30_000 + "@", "a@" + "a." * 250 + "@", "a@b..c", "a@b.c."):
        with pytest.raises(Refused) as refused:
            fake.pay(session.id, email=email)
        assert refused.value.field == "email"

    assert time.perf_counter() - started < 5


def test_a_total_of_zero_needs_no_payment(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    free = fake.add_price("prod_shirt", unit_amount=0)
    session = open_session(client, free["id"])

    paid = fake.pay(session.id)

    assert (paid["payment_status"], paid["payment_intent"]) == ("no_payment_required", None)


@pytest.mark.parametrize(
    ("succeeded", "payment_status", "intent_status", "types"),
    [
        (
            True,
            "paid",
            "succeeded",
            ["charge.succeeded", "payment_intent.succeeded", "checkout.session.async_payment_succeeded"],
        ),
        (
            False,
            "unpaid",
            "requires_payment_method",
            ["charge.failed", "payment_intent.payment_failed", "checkout.session.async_payment_failed"],
        ),
    ],
)
def test_a_bank_debit_completes_unpaid_and_is_settled_later(
    fake: FakeStripe,
    client: stripe.StripeClient,
    shirt: Any,
    succeeded: bool,
    payment_status: str,
    intent_status: str,
    types: list[str],
) -> None:
    session = open_session(client, shirt["default_price"])

    completed = fake.pay(session.id, delayed=True)
    assert (completed["status"], completed["payment_status"]) == ("complete", "unpaid")
    before = len(fake.events)
    settled = fake.settle_delayed(session.id, succeeded=succeeded)

    assert settled["payment_status"] == payment_status
    assert fake.payment_intents[settled["payment_intent"]]["status"] == intent_status
    assert [e["type"] for e in fake.events.values()][before:] == types
    with pytest.raises(Exception, match=r"waiting for a delayed payment|already been settled"):
        fake.settle_delayed(session.id)


@pytest.mark.parametrize(
    ("change", "methods"),
    [
        ({}, ["card", "us_bank_account"]),
        ({"allowed_payment_method_types": ["card", "klarna"]}, ["card"]),
        ({"excluded_payment_method_types": ["card"]}, ["us_bank_account"]),
    ],
)
def test_a_session_and_its_payment_list_the_same_payment_methods(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, change: Any, methods: list[str]
) -> None:
    session = open_session(client, shirt["default_price"], **change)

    for method in {"card", "us_bank_account"} - set(methods):
        with pytest.raises(Refused) as refused:
            fake.pay(session.id, delayed=method != "card")
        assert refused.value.field == "method"
    paid = fake.pay(session.id, delayed="us_bank_account" in methods)

    assert session.payment_method_types == methods
    assert fake.payment_intents[paid["payment_intent"]]["payment_method_types"] == methods


def test_a_session_cannot_be_paid_twice(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(client, shirt["default_price"])
    fake.pay(session.id)

    with pytest.raises(SessionEnded, match="complete"):
        fake.pay(session.id)
    assert len(fake.charges) == 1


def test_quantities_and_lines_change_on_the_page_with_the_totals(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    poster = fake.add_product(name="Poster", prices=[{"unit_amount": 1200, "currency": "usd"}])
    line = {
        "price": shirt["default_price"],
        "quantity": 1,
        "adjustable_quantity": {"enabled": True, "maximum": 3},
    }
    session = fake.open_session(line_items=[line])

    paid = fake.pay(session["id"], quantities={0: 3}, added={poster["default_price"]: 1})

    assert (paid["amount_subtotal"], paid["amount_total"]) == (8700, 8700)
    assert fake.payment_intents[paid["payment_intent"]]["amount_received"] == 8700
    lines = client.v1.checkout.sessions.line_items.list(session["id"]).data
    assert [(one.quantity, one.amount_total) for one in lines] == [(3, 7500), (1, 1200)]


@pytest.mark.parametrize("quantity", [0, 4])
def test_a_quantity_outside_of_its_limits_is_refused(fake: FakeStripe, shirt: Any, quantity: int) -> None:
    line = {
        "price": shirt["default_price"],
        "quantity": 1,
        "adjustable_quantity": {"enabled": True, "maximum": 3},
    }
    session = fake.open_session(line_items=[line])

    with pytest.raises(Refused):
        fake.pay(session["id"], quantities={0: quantity})

    assert fake.lines(session["id"])[0]["quantity"] == 1 and fake.sessions[session["id"]]["status"] == "open"


def test_a_local_currency_is_charged_where_the_session_has_no_fixed_one(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    euros = {"eur": {"unit_amount": 2300}}
    price = fake.add_price(shirt["id"], unit_amount=2500, currency="usd", currency_options=euros)["id"]
    free, fixed = open_session(client, price, 2), open_session(client, price, 2, currency="usd")

    paid = fake.pay(free.id, local_currency="eur")
    with pytest.raises(Refused, match="fixed currency"):
        fake.pay(fixed.id, local_currency="eur")

    line = fake.lines(free.id)[0]
    assert (paid["currency"], paid["amount_total"]) == ("eur", 4600)
    assert (line["currency"], line["amount_total"], line["price"]["currency"]) == ("eur", 4600, "usd")


def test_a_converted_amount_is_told_beside_the_total(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    paid = fake.pay(open_session(client, shirt["default_price"]).id, presented=("jpy", 3900))

    told = {"presentment_amount": 3900, "presentment_currency": "jpy"}
    (charge,) = fake.charges.values()
    assert (paid["currency"], paid["amount_total"], paid["presentment_details"]) == ("usd", 2500, told)
    assert (
        charge["presentment_details"] == fake.payment_intents[charge["payment_intent"]]["presentment_details"]
    )
