"""The hosted payment page."""

from __future__ import annotations

from typing import Any

import pytest

from fake_stripe import FakeStripe
from fake_stripe.pages.tests.conftest import Till
from fake_stripe.pages.tests.visitor import Page, Visitor

PARCEL = {
    "shipping_address_collection__allowed_countries__0": "DE",
    "shipping_address_collection__allowed_countries__1": "US",
    "shipping_options__0__shipping_rate_data__display_name": "Parcel",
    "shipping_options__0__shipping_rate_data__fixed_amount__amount": 450,
    "shipping_options__0__shipping_rate_data__fixed_amount__currency": "usd",
    "shipping_options__1__shipping_rate_data__display_name": "Courier",
    "shipping_options__1__shipping_rate_data__fixed_amount__amount": 1200,
    "shipping_options__1__shipping_rate_data__fixed_amount__currency": "usd",
}
ADDRESS = {"ship_country": "DE", "ship_line1": "Weg 1", "ship_city": "Jena", "ship_postal_code": "07743"}
BUYER = {"email": "ada@example.com", "card_name": "Ada Example"}
CARD = {"card_number": "4242 4242 4242 4242", "card_expiry": "12/34", "card_code": "123"}


def pay(visitor: Visitor, page: Page, **typed: str) -> Page:
    return visitor.press(page, "Pay $50.00", **{**BUYER, **CARD, **typed})


def address_of(session: dict[str, Any]) -> str:
    return f"/c/pay/{session['id']}"


def test_a_valid_card_pays_and_redirects_to_the_shop(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    session = till.open()

    paid = pay(visitor, visitor.get(address_of(session)))

    assert (paid.status, paid.headers["Location"]) == (
        303,
        f"http://shop.test/thanks?session={session['id']}",
    )
    after = fake.sessions[session["id"]]
    assert (after["status"], after["payment_status"]) == ("complete", "paid")
    assert after["customer_details"]["email"] == "ada@example.com"


def test_the_page_shows_lines_totals_and_expiry(visitor: Visitor, till: Till) -> None:
    page = visitor.get(address_of(till.open(**PARCEL)))

    for words in ("2 × $25.00 · M", "Subtotal $50.00", "Shipping (Parcel) $4.50", "Total $54.50"):
        assert words in page.text
    assert "open until 11:06 UTC, 19 November" in page.text
    assert 'href="http://shop.test/cart"' in page.html


def test_values_are_escaped(visitor: Visitor, till: Till) -> None:
    page = visitor.get(address_of(till.open(line_items__0__metadata__note="<img src=x onerror=alert(1)>")))

    assert "Cursive &lt;Shirt&gt;" in page.html
    assert "<img src=x" not in page.html
    assert "<Shirt>" not in page.html


def test_a_declined_card_shows_an_error_at_its_field_and_keeps_the_session_open(
    fake: FakeStripe, visitor: Visitor, till: Till
) -> None:
    session = till.open()

    refused = pay(visitor, visitor.get(address_of(session)), card_number="4000 0000 0000 0002")

    assert refused.status == 402
    assert refused.errors == {"card_number": "Your card was declined."}
    assert refused.form("Pay $50.00").fields["email"] == "ada@example.com"
    assert fake.sessions[session["id"]]["status"] == "open"
    assert pay(visitor, refused).status == 303


def test_insufficient_funds_are_named_in_the_error(visitor: Visitor, till: Till) -> None:
    refused = pay(visitor, visitor.get(address_of(till.open())), card_number="4000000000009995")

    assert refused.errors == {"card_number": "Your card has insufficient funds."}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("email", "ada", "Enter an email address, such as you@example.com."),
        ("card_name", " ", "Enter your name."),
        ("card_number", "4242", "This is not a valid card number. Use a test card from the list above."),
        (
            "card_number",
            "4111111111111111",
            "Real cards are not accepted. Use a test card from the list above.",
        ),
        ("card_expiry", "13/34", "Enter month and year, such as 12 / 34."),
        ("card_expiry", "01/20", "This card has expired."),
        ("card_code", "12", "Enter any three digits."),
    ],
)
def test_an_invalid_value_shows_an_error_at_its_field_and_changes_nothing(
    fake: FakeStripe, visitor: Visitor, till: Till, name: str, value: str, expected: str
) -> None:
    session = till.open()

    again = pay(visitor, visitor.get(address_of(session)), **{name: value})

    assert again.status == 422
    assert again.errors == {name: expected}
    assert f'aria-describedby="{name}-error"' in again.html
    assert fake.sessions[session["id"]]["payment_intent"] is None


def test_confirming_at_the_bank_pays(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    session = till.open()
    asked = pay(visitor, visitor.get(address_of(session)), card_number="4000002760003184")
    assert "Confirm this payment with your bank" in asked.text
    assert fake.sessions[session["id"]]["status"] == "open"

    paid = visitor.press(asked, "Confirm payment")

    assert paid.status == 303
    assert fake.sessions[session["id"]]["payment_status"] == "paid"


def test_declining_at_the_bank_keeps_the_buyer_on_the_page(
    fake: FakeStripe, visitor: Visitor, till: Till
) -> None:
    session = till.open()
    asked = pay(visitor, visitor.get(address_of(session)), card_number="4000002760003184")

    refused = visitor.press(asked, "Decline payment")

    assert refused.status == 402
    assert "authenticate" in refused.errors["card_number"]
    assert fake.sessions[session["id"]]["status"] == "open"


def test_after_declining_at_the_bank_the_next_attempt_asks_again(visitor: Visitor, till: Till) -> None:
    asked = pay(visitor, visitor.get(address_of(till.open())), card_number="4000002760003184")
    refused = visitor.press(asked, "Decline payment")

    again = pay(visitor, refused, card_number="4000002760003184")

    assert "Confirm this payment with your bank" in again.text


def test_shipping_needs_an_address_in_an_allowed_country(
    fake: FakeStripe, visitor: Visitor, till: Till
) -> None:
    session = till.open(**PARCEL)
    page = visitor.get(address_of(session))

    empty = visitor.press(page, "Pay $54.50", **BUYER, **CARD)
    assert set(empty.errors) == {"ship_country", "ship_line1", "ship_city"}
    elsewhere = visitor.press(page, "Pay $54.50", **BUYER, **CARD, **{**ADDRESS, "ship_country": "FR"})
    assert elsewhere.errors == {"ship_country": "The shop does not ship there."}

    assert visitor.press(page, "Pay $54.50", **BUYER, **CARD, **ADDRESS).status == 303
    details = fake.sessions[session["id"]]["collected_information"]["shipping_details"]
    assert (details["name"], details["address"]["line1"]) == ("Ada Example", "Weg 1")


def test_a_more_expensive_shipping_option_raises_the_total_and_is_charged(
    fake: FakeStripe, visitor: Visitor, till: Till
) -> None:
    session = till.open(**PARCEL)
    page = visitor.get(address_of(session))
    courier = session["shipping_options"][1]["shipping_rate"]

    shown = visitor.press(page, "Update total", shipping_rate=courier, email="ada@example.com")
    assert "Total $62.00" in shown.text
    assert shown.form("Pay $62.00").fields["email"] == "ada@example.com"

    visitor.press(shown, "Pay $62.00", **BUYER, **CARD, **ADDRESS)
    assert fake.sessions[session["id"]]["amount_total"] == 6200


def test_phone_and_custom_fields_are_asked_for_by_the_session(
    fake: FakeStripe, visitor: Visitor, till: Till
) -> None:
    session = till.open(
        phone_number_collection__enabled="true",
        custom_fields__0__key="size",
        custom_fields__0__label__custom="Size",
        custom_fields__0__label__type="custom",
        custom_fields__0__type="dropdown",
        custom_fields__0__dropdown__options__0__label="Medium",
        custom_fields__0__dropdown__options__0__value="M",
        custom_fields__1__key="year",
        custom_fields__1__label__custom="Year",
        custom_fields__1__label__type="custom",
        custom_fields__1__type="numeric",
        custom_fields__1__numeric__maximum_length=4,
    )
    page = visitor.get(address_of(session))

    wrong = pay(visitor, page, phone="none", custom_year="19870", custom_size="")
    assert set(wrong.errors) == {"phone", "custom_size", "custom_year"}

    assert pay(visitor, page, phone="+49 30 1234567", custom_year="1987", custom_size="M").status == 303
    after = fake.sessions[session["id"]]
    assert after["customer_details"]["phone"] == "+49 30 1234567"
    assert [field[field["type"]]["value"] for field in after["custom_fields"]] == ["M", "1987"]


def test_an_email_given_by_the_shop_cannot_be_changed(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    session = till.open(customer_email="known@example.com")

    pay(visitor, visitor.get(address_of(session)), email="other@example.com")

    assert fake.sessions[session["id"]]["customer_details"]["email"] == "known@example.com"


def test_a_bank_debit_completes_unpaid_and_needs_no_card(
    fake: FakeStripe, visitor: Visitor, till: Till
) -> None:
    session = till.open()

    done = visitor.press(visitor.get(address_of(session)), "Pay $50.00", **BUYER, method="us_bank_account")

    assert done.status == 303
    after = fake.sessions[session["id"]]
    assert (after["status"], after["payment_status"]) == ("complete", "unpaid")


def test_a_session_without_cards_has_no_card_fields(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    session = till.open(excluded_payment_method_types__0="card")

    page = visitor.get(address_of(session))
    done = visitor.press(page, "Pay $50.00", **BUYER)

    assert "Card number" not in page.text
    assert done.status == 303
    assert fake.sessions[session["id"]]["payment_status"] == "unpaid"


def test_a_page_shows_the_sessions_display_name(visitor: Visitor, till: Till) -> None:
    page = visitor.get(address_of(till.open(branding_settings__display_name="BALM & Co")))

    assert "BALM & Co" in page.text


def test_a_button_fills_in_a_test_card_and_keeps_other_input(visitor: Visitor, till: Till) -> None:
    page = visitor.get(address_of(till.open(**PARCEL)))

    filled = visitor.press(page, "is declined", email="me@example.com")

    fields = filled.form("Pay $54.50").fields
    assert (fields["card_number"], fields["email"]) == ("4000 0000 0000 0002", "me@example.com")
    assert fields["ship_line1"] and fields["ship_country"] == "US"
    assert visitor.press(filled, "Pay $54.50").status == 402


def test_pressing_enter_submits_the_payment(visitor: Visitor, till: Till) -> None:
    """Browsers submit a form with its first button."""
    html = visitor.get(address_of(till.open())).html

    first = html[html.index("<button") : html.index(">", html.index("<button"))]
    assert 'value="pay"' in first


def test_an_expired_checkout_links_back_to_the_shop(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    session = till.open()
    page = visitor.get(address_of(session))
    fake.forward(25 * 3600)

    late = pay(visitor, page)

    assert late.status == 410
    assert "This checkout has expired" in late.text
    assert 'href="http://shop.test/cart"' in late.html
    assert fake.sessions[session["id"]]["payment_intent"] is None


def test_a_second_payment_is_not_charged(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    page = visitor.get(address_of(till.open()))
    pay(visitor, page)

    again = pay(visitor, page)

    assert "This checkout is already complete" in again.text
    assert len(fake.payment_intents) == 1


def test_a_free_checkout_has_no_card_fields(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    free = fake.add_product(name="Sticker", prices=[{"unit_amount": 0, "currency": "usd"}])
    session = till.open(line_items__0__price=free["default_price"])
    page = visitor.get(address_of(session))

    assert "card_number" not in page.labels
    assert visitor.press(page, "Complete order", **BUYER).status == 303
    assert fake.sessions[session["id"]]["payment_status"] == "no_payment_required"


def test_an_unknown_checkout_is_a_404_page(visitor: Visitor) -> None:
    page = visitor.get("/c/pay/cs_test_nowhere")

    assert page.status == 404
    assert "Checkout not found" in page.text


def test_a_malformed_form_is_refused_with_a_message(visitor: Visitor, till: Till) -> None:
    page = visitor.post(address_of(till.open()), {f"f{number}": "x" for number in range(2500)})

    assert page.status == 400
    assert "This form cannot be read" in page.text


def test_fields_have_autocomplete_attributes(visitor: Visitor, till: Till) -> None:
    html = visitor.get(address_of(till.open(phone_number_collection__enabled="true", **PARCEL))).html

    for purpose in ("email", "name", "tel", "cc-number", "cc-exp", "cc-csc", "shipping address-line1"):
        assert f'autocomplete="{purpose}"' in html


def test_a_billing_address_can_be_required_without_shipping(
    fake: FakeStripe, visitor: Visitor, till: Till
) -> None:
    session = till.open(billing_address_collection="required")
    page = visitor.get(address_of(session))

    assert set(pay(visitor, page).errors) == {"bill_country", "bill_line1", "bill_city"}
    assert pay(visitor, page, bill_country="FR", bill_line1="Rue 1", bill_city="Metz").status == 303
    after = fake.sessions[session["id"]]
    assert after["customer_details"]["address"]["line1"] == "Rue 1"
    assert after["collected_information"] is None
