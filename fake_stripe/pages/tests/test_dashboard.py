"""The dashboard: products, refunds, events, endpoints, faults and the clock."""

from __future__ import annotations

import pytest

from fake_stripe import FakeStripe
from fake_stripe.courier import valid_secrets
from fake_stripe.pages.tests.conftest import Json, Till
from fake_stripe.pages.tests.visitor import Page, Visitor


@pytest.fixture
def paid(fake: FakeStripe, till: Till) -> Json:
    return fake.pay(till.open()["id"])


def edit(visitor: Visitor, page: Page, key: str, value: str, **more: str) -> Page:
    fields = page.form("Save").fields
    number = next(name.removeprefix("key_") for name, held in fields.items() if held == key)
    return visitor.press(page, "Save", **{f"value_{number}": value}, **more)


def test_only_changed_fields_are_saved(fake: FakeStripe, visitor: Visitor, shirt: Json) -> None:
    path = f"/dashboard/products/{shirt['id']}"
    page = visitor.get(path)
    fake.dashboard.edit_product(shirt["id"], metadata={"stock_S": "3"})

    saved = edit(visitor, page, "stock_M", "20")

    assert "Saved." in visitor.follow(saved).text
    metadata = fake.products[shirt["id"]]["metadata"]
    assert (metadata["stock_S"], metadata["stock_M"]) == ("3", "20")
    assert metadata["details"] == "Soft\nWarm"


def test_a_stale_form_posts_every_key_back_and_overwrites_a_sale(
    fake: FakeStripe, visitor: Visitor, shirt: Json
) -> None:
    page = visitor.get(f"/dashboard/products/{shirt['id']}")
    fake.dashboard.edit_product(shirt["id"], metadata={"stock_S": "3", "new": "kept"})

    edit(visitor, page, "stock_M", "20", all_keys="yes")

    metadata = fake.products[shirt["id"]]["metadata"]
    assert (metadata["stock_S"], metadata["stock_M"], metadata["new"]) == ("4", "20", "kept")


def test_a_cleared_value_removes_its_key_and_a_new_key_is_added(
    fake: FakeStripe, visitor: Visitor, shirt: Json
) -> None:
    page = visitor.get(f"/dashboard/products/{shirt['id']}")

    edit(visitor, page, "stock_S", "", key_4="stock_L", value_4="7")

    metadata = fake.products[shirt["id"]]["metadata"]
    assert "stock_S" not in metadata
    assert metadata["stock_L"] == "7"


def test_name_description_and_active_are_saved(fake: FakeStripe, visitor: Visitor, shirt: Json) -> None:
    page = visitor.get(f"/dashboard/products/{shirt['id']}")

    visitor.press(page, "Save", name="Other", description="Long\r\nand warm", active="")

    after = fake.products[shirt["id"]]
    assert (after["name"], after["description"], after["active"]) == ("Other", "Long\nand warm", False)


def test_a_save_without_changes_emits_no_event(fake: FakeStripe, visitor: Visitor, shirt: Json) -> None:
    page = visitor.get(f"/dashboard/products/{shirt['id']}")

    saved = visitor.press(page, "Save")

    assert "No changes." in visitor.follow(saved).text
    assert len(fake.events) == 0


def test_a_product_with_a_custom_id_can_be_edited(fake: FakeStripe, visitor: Visitor) -> None:
    fake.add_product(id='100%&"<shirt>', name="Odd", metadata={"stock": "1"})
    address = visitor.get("/dashboard/products").html.split('href="/dashboard/products/')[1].split('"')[0]
    assert address == "100%25%26%22%3Cshirt%3E"

    edit(visitor, visitor.get('/dashboard/products/100%&"<shirt>'), "stock", "2")

    assert fake.products['100%&"<shirt>']["metadata"] == {"stock": "2"}


def test_a_failed_save_shows_the_error_and_keeps_the_input(
    fake: FakeStripe, visitor: Visitor, shirt: Json
) -> None:
    page = visitor.get(f"/dashboard/products/{shirt['id']}")

    refused = edit(visitor, page, "stock_M", "x" * 501)

    assert refused.status == 422
    assert "Metadata values may have at most 500 characters" in refused.text
    assert "x" * 501 in refused.form("Save").fields.values()
    assert fake.products[shirt["id"]]["metadata"]["stock_M"] == "15"


def test_a_payment_is_refunded_in_part_and_the_rest_is_offered(
    fake: FakeStripe, visitor: Visitor, paid: Json
) -> None:
    path = f"/dashboard/payments/{paid['payment_intent']}"

    done = visitor.press(visitor.get(path), "Refund", amount="12.5", note_key="return_M", note_value="1")

    after = visitor.follow(done)
    assert "Refunded." in after.text
    assert after.form("Refund").fields["amount"] == "37.50"
    (refund,) = fake.refunds.values()
    assert (refund["amount"], refund["metadata"]) == (1250, {"return_M": "1"})


@pytest.mark.parametrize("amount", ["60", "0", "-5", "ten", "1.234", ""])
def test_an_invalid_refund_shows_an_error_at_the_amount(
    fake: FakeStripe, visitor: Visitor, paid: Json, amount: str
) -> None:
    page = visitor.get(f"/dashboard/payments/{paid['payment_intent']}")

    refused = visitor.press(page, "Refund", amount=amount)

    assert "amount" in refused.errors
    assert refused.status == 422
    assert len(fake.refunds) == 0


def test_a_refund_can_fail_later(fake: FakeStripe, visitor: Visitor, paid: Json) -> None:
    path = f"/dashboard/payments/{paid['payment_intent']}"
    visitor.press(visitor.get(path), "Refund")

    visitor.press(visitor.get(path), "Let it fail")

    assert [refund["status"] for refund in fake.refunds.values()] == ["failed"]


@pytest.mark.parametrize(
    ("button", "status"), [("Let the debit succeed", "paid"), ("Let the debit fail", "unpaid")]
)
def test_a_bank_debit_is_settled(
    fake: FakeStripe, visitor: Visitor, till: Till, button: str, status: str
) -> None:
    session = fake.pay(till.open()["id"], delayed=True)

    visitor.press(visitor.get(f"/dashboard/checkouts/{session['id']}"), button)

    assert fake.sessions[session["id"]]["payment_status"] == status


def test_an_open_checkout_is_expired(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    session = till.open()

    visitor.press(visitor.get(f"/dashboard/checkouts/{session['id']}"), "Expire now")

    assert fake.sessions[session["id"]]["status"] == "expired"


def test_an_event_shows_its_attempts_and_is_resent(fake: FakeStripe, visitor: Visitor, shirt: Json) -> None:
    posted: list[str] = []

    def shop(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        posted.append(url)
        return 500, b"out of order <sorry>"

    fake.deliver_to(shop)
    fake.add_webhook_endpoint("http://shop.test/stripe/webhook/")
    fake.dashboard.edit_product(shirt["id"], metadata={"stock_M": "1"})
    (event,) = fake.events
    fake.deliver_due()

    page = visitor.get(f"/dashboard/events/{event}")
    assert "out of order <sorry>" in page.text
    assert "out of order &lt;sorry&gt;" in page.html
    visitor.press(page, "Resend to http://shop.test/stripe/webhook/")
    fake.deliver_due()

    assert len(posted) == 2


def test_an_event_can_only_be_resent_to_subscribed_endpoints(
    fake: FakeStripe, visitor: Visitor, shirt: Json
) -> None:
    listening = fake.add_webhook_endpoint("http://shop.test/stripe/webhook/")["id"]
    fake.add_webhook_endpoint("http://deaf.test/", ["price.updated"])
    fake.dashboard.edit_product(shirt["id"], metadata={"stock_M": "1"})
    (event,) = fake.events

    page = visitor.get(f"/dashboard/events/{event}")
    fake.call("POST", f"/v1/webhook_endpoints/{listening}", "disabled=true")
    pressed = visitor.press(page, "Resend to http://shop.test/stripe/webhook/")

    assert "Resend to http://deaf.test" not in page.text
    assert pressed.status == 422
    assert f"{listening} is not subscribed to product.updated" in pressed.text
    assert len(fake.deliveries(event)) == 1


def test_events_are_filtered_by_type_and_paginated(fake: FakeStripe, visitor: Visitor, shirt: Json) -> None:
    for number in range(60):
        fake.dashboard.edit_product(shirt["id"], metadata={"stock_M": str(number)})

    first = visitor.get("/dashboard/events?type=product.*")
    older = first.html.split('class="button" href="')[1].split('"')[0].replace("&amp;", "&")
    second = visitor.get(older)

    assert first.html.count("product.<wbr>updated") == 50
    assert second.html.count("product.<wbr>updated") == 10
    assert visitor.get("/dashboard/events?type=refund.*").html.count("<wbr>") == 0


def test_an_endpoint_is_disabled_and_its_secret_rolled(fake: FakeStripe, visitor: Visitor) -> None:
    endpoint = fake.add_webhook_endpoint("http://shop.test/hook", secret="whsec_old")

    rolled = visitor.press(visitor.get("/dashboard/webhooks"), "Roll secret")
    # A reload of the redirected page does not roll the secret again.
    assert rolled.status == 303
    first, second = (visitor.follow(rolled).text for _ in range(2))
    visitor.press(visitor.get("/dashboard/webhooks"), "Disable")

    new, old = valid_secrets(fake.account, endpoint["id"])
    assert old == "whsec_old"
    assert f"{new} still valid: whsec_old" in first
    assert first == second
    assert fake.webhook_endpoints[endpoint["id"]]["status"] == "disabled"


def test_a_fault_is_added_and_removed(fake: FakeStripe, visitor: Visitor) -> None:
    page = visitor.get("/dashboard/faults")

    added = visitor.press(
        page, "Add fault", kind="error_500", when="after", path="/v1/products/*", times="0", percent="50"
    )

    (rule,) = fake.faults.listed()
    assert (rule["kind"], rule["when"], rule["path"], rule["times"], rule["probability"]) == (
        "error_500",
        "after",
        "/v1/products/*",
        None,
        0.5,
    )
    visitor.press(visitor.follow(added), "Remove")
    assert fake.faults.listed() == []


def test_an_event_fault_takes_the_types_it_was_given(fake: FakeStripe, visitor: Visitor) -> None:
    page = visitor.get("/dashboard/faults")

    visitor.press(page, "Add fault", kind="twin", types="checkout.*, product.updated")

    assert fake.faults.listed()[0]["types"] == ("checkout.*", "product.updated")


@pytest.mark.parametrize(
    ("kind", "typed", "expected"),
    [
        ("duplicate", {"copies": "3", "parallel": "yes"}, "3 of them, at the same moment"),
        ("error_500", {"stored": ""}, "before the effect, not stored"),
        ("reorder", {"window": "9"}, "behind up to 9 later ones"),
    ],
)
def test_a_fault_takes_the_options_of_its_kind_and_lists_them(
    fake: FakeStripe, visitor: Visitor, kind: str, typed: dict[str, str], expected: str
) -> None:
    added = visitor.press(visitor.get("/dashboard/faults"), "Add fault", kind=kind, **typed)

    (rule,) = fake.faults.listed()
    wanted = {"copies": 3, "parallel": True, "stored": False, "window": 9}
    assert {name: rule[name] for name in typed} == {name: wanted[name] for name in typed}
    assert expected in visitor.follow(added).text


def test_by_default_a_500_is_stored_and_duplicates_are_sent_one_by_one(
    fake: FakeStripe, visitor: Visitor
) -> None:
    for kind in ("error_500", "duplicate"):
        visitor.press(visitor.get("/dashboard/faults"), "Add fault", kind=kind)

    failing, copied = fake.faults.listed()
    assert failing["stored"] is True
    assert (copied["copies"], copied["parallel"]) == (2, False)


def test_limits_are_set_and_the_page_shows_them(fake: FakeStripe, visitor: Visitor) -> None:
    done = visitor.press(visitor.get("/dashboard/faults"), "Save limits", enforced="yes", patience="0.5")

    assert (fake.api.limits.enforced, fake.api.locks.patience) == (True, 0.5)
    fields = visitor.follow(done).form("Save limits").fields
    assert (fields["enforced"], fields["patience"]) == ("yes", "0.5")


def test_invalid_limits_change_nothing(fake: FakeStripe, visitor: Visitor) -> None:
    refused = visitor.press(visitor.get("/dashboard/faults"), "Save limits", enforced="yes", patience="nan")

    assert "patience" in refused.errors
    assert (fake.api.limits.enforced, fake.api.locks.patience) == (False, 2.0)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("latency", "times", "-1"),
        ("latency", "percent", "0"),
        ("latency", "percent", "many"),
        ("latency", "seconds", "nan"),
        ("duplicate", "copies", "101"),
        ("reorder", "window", "0"),
        ("flood", "kind", "flood"),
    ],
)
def test_an_invalid_fault_shows_an_error_at_its_field(
    fake: FakeStripe, visitor: Visitor, kind: str, name: str, value: str
) -> None:
    page = visitor.get("/dashboard/faults")

    refused = visitor.press(page, "Add fault", **{"kind": kind, name: value})

    assert name in refused.errors
    assert refused.status == 422
    assert fake.faults.listed() == []


def test_the_clock_can_be_moved(fake: FakeStripe, visitor: Visitor, till: Till) -> None:
    session = till.open()

    visitor.press(visitor.get("/dashboard/faults"), "Move clock", seconds_on="86400")

    assert fake.sessions[session["id"]]["status"] == "expired"


def test_an_unknown_action_is_refused(visitor: Visitor) -> None:
    assert visitor.post("/dashboard/faults", {"do": "explode"}).status == 400


def test_the_root_redirects_to_an_overview_with_counts(visitor: Visitor, shirt: Json) -> None:
    page = visitor.follow(visitor.get("/"))

    assert "1 products" in page.text


@pytest.mark.parametrize("kind", ["products", "payments", "checkouts", "events"])
def test_an_unknown_object_is_a_404_page(visitor: Visitor, kind: str) -> None:
    page = visitor.get(f"/dashboard/{kind}/nothing<b>")

    assert page.status == 404
    assert "nothing<b>" in page.text
    assert "<b>" not in page.html
