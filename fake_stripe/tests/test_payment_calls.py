"""Payment intents without a session, payment methods, and the pages that the Stripe CLI confirms."""

from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.tests.conftest import open_session

CARD = "pm_card_visa"
IBAN_OK, IBAN_WAITS, IBAN_FAILS = "AT611904300234573201", "AT321904300235473204", "AT861904300235473202"
DAHLIA: Any = {"stripe_version": "2026-08-26.dahlia"}


def intent(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    asked: Any = {"amount": 2000, "currency": "usd", **params}
    return client.v1.payment_intents.create(asked)


def debit(client: stripe.StripeClient, iban: str) -> str:
    method = client.v1.payment_methods.create({"type": "sepa_debit", "sepa_debit": {"iban": iban}})
    return method.id


def types(fake: FakeStripe) -> list[str]:
    return [event["type"] for event in fake.events.values()]


def test_an_authorized_payment_is_captured_in_part(fake: FakeStripe, client: stripe.StripeClient) -> None:
    held = intent(client, payment_method=CARD, confirm=True, capture_method="manual")
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 2000, 0)

    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1500})

    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("succeeded", 0, 1500)
    charge = fake.charges[str(taken.latest_charge)]
    assert (charge["captured"], charge["amount_captured"]) == (True, 1500)
    assert types(fake)[-2:] == ["charge.captured", "payment_intent.succeeded"]
    assert client.v1.refunds.create({"payment_intent": held.id}).amount == 1500
    assert fake.charges[charge["id"]]["refunded"]


def test_more_than_authorized_cannot_be_captured(fake: FakeStripe, client: stripe.StripeClient) -> None:
    held = intent(client, payment_method=CARD, confirm=True, capture_method="manual")

    with pytest.raises(stripe.InvalidRequestError, match="2000") as refused:
        client.v1.payment_intents.capture(held.id, {"amount_to_capture": 2001})

    assert (refused.value.code, refused.value.param) == ("amount_too_large", "amount_to_capture")
    assert fake.payment_intents[held.id]["status"] == "requires_capture"


@pytest.mark.parametrize(
    "params", [{}, {"payment_method": CARD, "confirm": True, "capture_method": "manual"}]
)
def test_an_intent_is_canceled(fake: FakeStripe, client: stripe.StripeClient, params: Any) -> None:
    opened = intent(client, **params)

    canceled = client.v1.payment_intents.cancel(opened.id, {"cancellation_reason": "abandoned"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert (canceled.amount_capturable, canceled.canceled_at) == (0, fake.clock.now())
    assert types(fake)[-1] == "payment_intent.canceled"
    assert ("charge.refunded" in types(fake)) == bool(params)
    with pytest.raises(stripe.InvalidRequestError, match="status is canceled"):
        client.v1.payment_intents.cancel(opened.id)
    with pytest.raises(stripe.InvalidRequestError, match="status is canceled"):
        client.v1.payment_intents.confirm(opened.id, {"payment_method": CARD})


def test_the_intent_of_a_session_cannot_be_canceled(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(client, shirt["default_price"])
    with pytest.raises(Exception, match="declined"):
        fake.pay(session.id, card="4000000000000002")
    (id,) = fake.payment_intents

    with pytest.raises(stripe.InvalidRequestError, match="Expire the session"):
        client.v1.payment_intents.cancel(id)

    assert fake.payment_intents[id]["status"] == "requires_payment_method"


def test_details_are_stored_and_copied_to_the_charge(fake: FakeStripe, client: stripe.StripeClient) -> None:
    address = {"line1": "12 St James's Square", "city": "London", "country": "GB"}
    opened = intent(client, payment_method=CARD, shipping={"name": "Ada", "address": address})
    assert opened.status == "requires_confirmation"
    client.v1.payment_intents.update(opened.id, {"amount": 2500, "metadata": {"a": "b"}})

    paid = client.v1.payment_intents.confirm(opened.id, {"receipt_email": "ada@example.com"})

    charge = fake.charges[str(paid.latest_charge)]
    assert (charge["amount"], charge["receipt_email"]) == (2500, "ada@example.com")
    assert charge["shipping"]["address"]["city"] == "London"
    with pytest.raises(stripe.InvalidRequestError, match="status is succeeded"):
        client.v1.payment_intents.update(opened.id, {"amount": 1})


@pytest.mark.parametrize(
    ("iban", "status", "event"),
    [
        (IBAN_OK, "succeeded", "payment_intent.succeeded"),
        (IBAN_WAITS, "processing", "payment_intent.processing"),
        (IBAN_FAILS, "requires_payment_method", "payment_intent.payment_failed"),
    ],
)
def test_a_test_iban_decides_about_a_debit(
    fake: FakeStripe, client: stripe.StripeClient, iban: str, status: str, event: str
) -> None:
    paid = intent(client, currency="eur", payment_method=debit(client, iban), confirm=True)

    assert (paid.status, types(fake)[-1]) == (status, event)


def test_a_debit_is_in_euros_and_a_method_is_used_once(fake: FakeStripe, client: stripe.StripeClient) -> None:
    method = debit(client, IBAN_OK)
    with pytest.raises(stripe.InvalidRequestError, match="eur only"):
        intent(client, payment_method=method)
    intent(client, currency="eur", payment_method=method, confirm=True)
    with pytest.raises(stripe.InvalidRequestError, match="previously used"):
        intent(client, currency="eur", payment_method=method, confirm=True)

    assert len(fake.payment_intents) == 1


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"payment_method": "pm_card_bypassPending"}, "payment_method"),
        ({"payment_method": "pm_nothing"}, "payment_method"),
        ({"confirm": True}, "payment_method"),
        ({"customer": "cus_a"}, "customer"),
        ({"capture_method": "later"}, "capture_method"),
    ],
)
def test_a_bad_intent_is_refused_and_leaves_nothing(
    fake: FakeStripe, client: stripe.StripeClient, params: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        intent(client, **params)

    assert refused.value.param == param
    assert (len(fake.payment_intents), len(fake.events)) == (0, 0)
    assert len(fake.account.store.table("payment_method").rows) == 0


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "type"),
        ({"type": "klarna"}, "type"),
        ({"type": "card"}, "card"),
        ({"type": "card", "card": {"exp_month": 12}}, "card"),
        ({"type": "card", "card": {"token": "tok_nothing"}}, "card[token]"),
        ({"type": "sepa_debit", "sepa_debit": {"iban": "GB00"}}, "sepa_debit[iban]"),
        ({"type": "card", "card": {"token": "tok_visa"}, "customer": "cus_a"}, "customer"),
    ],
)
def test_a_bad_payment_method_is_refused(
    fake: FakeStripe, client: stripe.StripeClient, params: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_methods.create(params)

    assert refused.value.param == param
    assert len(fake.account.store.table("payment_method").rows) == 0


def test_an_older_version_takes_the_methods(client: stripe.StripeClient) -> None:
    asked: Any = {"amount": 500, "currency": "eur", "payment_method_types": ["sepa_debit"]}

    opened = client.v1.payment_intents.create(asked, DAHLIA)

    assert opened.payment_method_types == ["sepa_debit"]


# pages


def page_of(fake: FakeStripe, client: stripe.StripeClient, price: str, **params: Any) -> str:
    session = open_session(client, price, **params)
    path = f"/v1/payment_pages/{session.id}"
    assert fake.call("GET", path)[1]["amount_total"] == session.amount_total
    return f"{path}/confirm"


def card(client: stripe.StripeClient, token: str = "tok_visa") -> str:
    details: Any = {"name": "Jenny Rosen", "email": "jenny@example.com"}
    asked: Any = {"type": "card", "card": {"token": token}, "billing_details": details}
    return client.v1.payment_methods.create(asked).id


def test_a_page_is_confirmed_with_a_card(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    path, method = page_of(fake, client, shirt["default_price"]), card(client)

    status, page = fake.call("POST", path, f"payment_method={method}&expected_amount=2500")

    assert (status, page["payment_status"], page["status"]) == (200, "paid", "complete")
    (session,) = fake.sessions.values()
    assert session["customer_details"]["email"] == "jenny@example.com"
    (paid,) = fake.payment_intents.values()
    assert paid["payment_method"] == method
    assert types(fake)[-1] == "checkout.session.completed"
    assert fake.call("POST", path, f"payment_method={card(client)}")[0] == 400


@pytest.mark.parametrize(
    ("form", "param"),
    [("", "payment_method"), ("payment_method=pm_card_visa&expected_amount=1", "expected_amount")],
)
def test_a_page_that_cannot_be_confirmed_stays_open(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, form: str, param: str
) -> None:
    status, answer = fake.call("POST", page_of(fake, client, shirt["default_price"]), form)

    assert (status, answer["error"]["param"]) == (400, param)
    assert [session["status"] for session in fake.sessions.values()] == ["open"]
    assert len(fake.payment_intents) == 0


def test_a_declined_card_leaves_the_page_open_and_its_events(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    path = page_of(fake, client, shirt["default_price"])

    status, answer = fake.call("POST", path, f"payment_method={card(client, 'tok_chargeDeclined')}")

    assert (status, answer["error"]["code"]) == (402, "card_declined")
    assert [session["status"] for session in fake.sessions.values()] == ["open"]
    assert types(fake)[-1] == "payment_intent.payment_failed"


@pytest.mark.parametrize(("iban", "outcome"), [(IBAN_OK, "succeeded"), (IBAN_FAILS, "failed")])
def test_a_page_is_confirmed_with_a_debit(
    fake: FakeStripe, client: stripe.StripeClient, iban: str, outcome: str
) -> None:
    product = fake.add_product(name="A", prices=[{"unit_amount": 1500, "currency": "eur"}])
    method = debit(client, iban)
    path = page_of(
        fake,
        client,
        product["default_price"],
        allowed_payment_method_types=["sepa_debit"],
        customer_email="a@b.test",
    )

    status, page = fake.call("POST", path, f"payment_method={method}")

    assert (status, page["payment_status"]) == (200, "paid" if outcome == "succeeded" else "unpaid")
    assert types(fake)[-1] == f"checkout.session.async_payment_{outcome}"


def test_sessions_offer_a_sepa_debit_in_euros_only(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="eur only") as refused:
        open_session(client, shirt["default_price"], allowed_payment_method_types=["sepa_debit"])

    assert refused.value.param == "allowed_payment_method_types"
    assert len(fake.sessions) == 0


# the account


def test_the_account_is_served_by_its_own_id_too(fake: FakeStripe, client: stripe.StripeClient) -> None:
    account = client.v1.accounts.retrieve_current()
    assert account.country == "US"

    assert fake.call("GET", "/v1/products", stripe_account=account.id)[0] == 200
    assert fake.call("GET", "/v1/products", stripe_account="acct_other")[0] == 403


def test_lists_that_are_always_empty(client: stripe.StripeClient, shirt: Any) -> None:
    assert client.v1.accounts.list().data == []
    assert client.v1.products.features.list(shirt["id"]).data == []


def test_a_search_is_no_product(fake: FakeStripe) -> None:
    status, answer = fake.call("GET", "/v1/products/search", "query=active")

    assert (status, "Unrecognized request URL" in answer["error"]["message"]) == (404, True)


def test_booleans_of_older_libraries_are_understood(fake: FakeStripe) -> None:
    assert fake.call("POST", "/v1/products", "name=A&active=False")[1]["active"] is False


def test_the_default_version_is_the_accounts() -> None:
    fake = FakeStripe(api_version="2026-08-26.dahlia")
    status, opened = fake.call(
        "POST", "/v1/payment_intents", "amount=500&currency=usd&payment_method_types[]=card"
    )

    assert (status, opened["payment_method_types"]) == (200, ["card"])
    assert [event["api_version"] for event in fake.events.values()] == ["2026-08-26.dahlia"]
    with pytest.raises(ValueError, match="not an API version"):
        FakeStripe(api_version="new")


def test_the_payment_of_a_session_is_captured_or_canceled_later(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    manual: Any = {"payment_intent_data": {"capture_method": "manual"}}
    first, second = (fake.pay(open_session(client, shirt["default_price"], **manual).id) for _ in range(2))

    captured = client.v1.payment_intents.capture(first["payment_intent"])
    canceled = client.v1.payment_intents.cancel(second["payment_intent"])

    assert (first["status"], first["payment_status"]) == ("complete", "unpaid")
    assert (captured.status, canceled.status) == ("succeeded", "canceled")
    assert fake.sessions[first["id"]]["payment_status"] == "paid"
    assert fake.sessions[second["id"]]["payment_status"] == "unpaid"
