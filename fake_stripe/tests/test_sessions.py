"""Checkout Sessions."""

from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe, SessionEnded
from fake_stripe.tests.conftest import NOW, THANKS, open_session

MEDIUM = {"label": "Medium", "value": "M"}
SIZE: Any = {"key": "size", "label": {"type": "custom", "custom": "Size"}, "type": "text"}
PICTURE = {"type": "url", "url": "https://shop.test/a.png"}


def test_an_open_session_has_a_url_and_expires_after_a_day(client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(client, shirt["default_price"], 3)

    assert session.url == f"http://127.0.0.1:12111/c/pay/{session.id}"
    assert session.id.startswith("cs_test_")
    assert (session.status, session.payment_status, session.mode) == ("open", "unpaid", "payment")
    assert (session.amount_subtotal, session.amount_total, session.currency) == (7500, 7500, "usd")
    assert session.expires_at == NOW + 24 * 3600
    assert session.ui_mode == "hosted_page"
    assert session.payment_intent is None


def test_each_line_keeps_its_own_metadata(client: stripe.StripeClient, shirt: Any) -> None:
    price = shirt["default_price"]
    lines = [
        {"price": price, "quantity": 1, "metadata": {"size": "S"}},
        {"price": price, "quantity": 2, "metadata": {"size": "M"}},
        {"price": price, "quantity": 1},
    ]
    session = open_session(client, price, line_items=lines)

    items = client.v1.checkout.sessions.line_items.list(session.id, {"expand": ["data.price.product"]}).data

    assert [item.metadata.to_dict() if item.metadata else None for item in items] == [
        {"size": "S"},
        {"size": "M"},
        {},
    ]
    assert [item.amount_total for item in items] == [2500, 5000, 2500]
    assert items[0].price is not None
    assert isinstance(items[0].price.product, stripe.Product)
    assert items[0].price.product.name == "BALM T-Shirt"


def test_a_session_shows_ten_lines_and_the_list_shows_all(client: stripe.StripeClient, shirt: Any) -> None:
    price = shirt["default_price"]
    lines = [{"price": price, "quantity": 1, "metadata": {"n": str(n)}} for n in range(25)]
    session = open_session(client, price, line_items=lines, expand=["line_items"])

    listed = client.v1.checkout.sessions.line_items.list(session.id, {"limit": 10})

    assert session.line_items is not None
    assert len(session.line_items.data) == 10
    assert session.line_items.has_more is True
    assert [item.metadata["n"] for item in listed.auto_paging_iter()] == [str(n) for n in range(25)]  # type: ignore[index]


def test_the_lines_of_a_session_show_the_current_price(client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(client, shirt["default_price"])
    client.v1.prices.update(shirt["default_price"], {"metadata": {"size": "L"}})

    (line,) = client.v1.checkout.sessions.line_items.list(session.id).data

    assert line.price is not None
    assert line.price.metadata.to_dict() == {"size": "L"}


def test_a_session_can_create_prices_and_products(fake: FakeStripe, client: stripe.StripeClient) -> None:
    data = {"currency": "eur", "unit_amount": 700, "product_data": {"name": "A tote", "metadata": {"a": "b"}}}
    session = open_session(client, "", line_items=[{"price_data": data, "quantity": 2}])

    (line,) = fake.lines(session.id)
    assert (session.currency, session.amount_total) == ("eur", 1400)
    assert line["description"] == "A tote"
    assert line["price"]["active"] is False
    assert fake.products[line["price"]["product"]]["active"] is False


def test_a_session_may_be_in_another_currency_of_its_prices(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    price = fake.add_price("prod_shirt", unit_amount=2500, currency_options={"eur": {"unit_amount": 2300}})

    assert open_session(client, price["id"], 2, currency="eur").amount_total == 4600
    with pytest.raises(stripe.InvalidRequestError, match="currency"):
        open_session(client, price["id"], currency="gbp")


def test_shipping_is_part_of_the_total(client: stripe.StripeClient, shirt: Any) -> None:
    rate = client.v1.shipping_rates.create(
        {"display_name": "Post", "type": "fixed_amount", "fixed_amount": {"amount": 500, "currency": "usd"}}
    )
    data = {"display_name": "Courier", "fixed_amount": {"amount": 1500, "currency": "usd"}}
    options = [{"shipping_rate": rate.id}, {"shipping_rate_data": data}]
    session = open_session(client, shirt["default_price"], shipping_options=options)

    assert (session.amount_subtotal, session.amount_total) == (2500, 3000)
    assert session.total_details.amount_shipping == 500
    assert session.shipping_cost.shipping_rate == rate.id
    assert [option.shipping_amount for option in session.shipping_options] == [500, 1500]


def test_currency_options_of_a_shipping_rate_are_used_and_are_shown_when_asked_for(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    price = fake.add_price("prod_shirt", unit_amount=2500, currency_options={"eur": {"unit_amount": 2300}})
    fixed: Any = {"amount": 500, "currency": "usd"}
    rate = client.v1.shipping_rates.create(
        {"display_name": "Post", "type": "fixed_amount", "fixed_amount": fixed}
    )
    options = [{"shipping_rate": rate.id}]
    with pytest.raises(stripe.InvalidRequestError, match="eur") as refused:
        open_session(client, price["id"], currency="eur", shipping_options=options)
    assert refused.value.param == "shipping_options[0][shipping_rate]"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.shipping_rates.update(
            rate.id, {"fixed_amount": {"currency_options": {"eur": {"tax_behavior": "inclusive"}}}}
        )

    client.v1.shipping_rates.update(rate.id, {"fixed_amount": {"currency_options": {"eur": {"amount": 450}}}})

    assert "currency_options" not in client.v1.shipping_rates.retrieve(rate.id).to_dict()["fixed_amount"]
    expand: Any = {"expand": ["fixed_amount.currency_options"]}
    shown = client.v1.shipping_rates.retrieve(rate.id, expand).to_dict()["fixed_amount"]["currency_options"]
    assert {code: option["amount"] for code, option in shown.items()} == {"usd": 500, "eur": 450}
    session = open_session(client, price["id"], currency="eur", shipping_options=options)
    assert (session.currency, session.amount_total) == ("eur", 2750)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"mode": None}, "parameter_missing", "mode"),
        ({"mode": "setup"}, None, "mode"),
        ({"mode": "gift"}, None, "mode"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"success_url": "nowhere"}, "url_invalid", "success_url"),
        ({"line_items": None}, "parameter_missing", "line_items"),
        (
            {"line_items": [{"price": "price_nobody", "quantity": 1}]},
            "resource_missing",
            "line_items[0][price]",
        ),
        ({"line_items": [{"quantity": 1}]}, "parameter_missing", "line_items[0][price]"),
        ({"expires_at": NOW + 1799}, None, "expires_at"),
        ({"expires_at": NOW + 86401}, None, "expires_at"),
        ({"expires_at": "soon"}, "parameter_invalid_integer", "expires_at"),
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
        ({"ui_mode": "hosted"}, None, "ui_mode"),
        ({"customer_email": "ada"}, "email_invalid", "customer_email"),
        ({"shipping_address_collection": {"allowed_countries": ["XX"]}}, None, None),
        ({"customer": "cus_1"}, None, "customer"),
        ({"automatic_tax": {"enabled": True}}, None, "automatic_tax"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"metadata": {"a[b": "v"}}, None, None),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, None, "metadata"),
        ({"return_url": THANKS}, None, "return_url"),
        ({"tax_id_collection": {"enabled": True}}, None, "tax_id_collection"),
        ({"allowed_payment_method_types": ["nonsense"]}, None, "allowed_payment_method_types[0]"),
        ({"allowed_payment_method_types": ["klarna"]}, None, "allowed_payment_method_types"),
        (
            {"excluded_payment_method_types": ["card", "us_bank_account"]},
            None,
            "excluded_payment_method_types",
        ),
        ({"custom_fields": [SIZE, SIZE]}, None, "custom_fields[1][key]"),
        ({"custom_fields": [{**SIZE, "key": "the size"}]}, None, "custom_fields[0][key]"),
        (
            {"custom_fields": [{**SIZE, "text": {"minimum_length": 5, "maximum_length": 4}}]},
            None,
            "custom_fields[0][text][minimum_length]",
        ),
        (
            {"custom_fields": [{**SIZE, "type": "dropdown"}]},
            "parameter_missing",
            "custom_fields[0][dropdown]",
        ),
        (
            {"custom_fields": [{**SIZE, "type": "dropdown", "dropdown": {"options": [MEDIUM, MEDIUM]}}]},
            None,
            "custom_fields[0][dropdown][options][1][value]",
        ),
        (
            {
                "custom_fields": [
                    {**SIZE, "type": "dropdown", "dropdown": {"options": [MEDIUM], "default_value": "S"}}
                ]
            },
            None,
            "custom_fields[0][dropdown][default_value]",
        ),
        (
            {"branding_settings": {"icon": PICTURE, "logo": PICTURE}},
            "parameters_exclusive",
            "branding_settings[icon]",
        ),
    ],
)
def test_an_invalid_session_is_refused_and_leaves_nothing_behind(
    fake: FakeStripe,
    client: stripe.StripeClient,
    shirt: Any,
    change: Any,
    code: str | None,
    param: str | None,
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        open_session(client, shirt["default_price"], **change)

    assert refused.value.http_status == 400
    assert refused.value.code == code
    if param is not None:
        assert refused.value.param == param
    assert len(fake.sessions) == 0


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"customer": "cus_1"}, "customer"),
        ({"customer_update": {"name": "auto"}}, "customer_update"),
        ({"discounts": [{"coupon": "ten"}]}, "discounts"),
        ({"name_collection": {"individual": {"enabled": True}}}, "name_collection"),
        ({"optional_items": [{"price": "price_1", "quantity": 1}]}, "optional_items"),
        ({"payment_method_options": {"card": {"request_three_d_secure": "any"}}}, "payment_method_options"),
        ({"subscription_data": {"trial_period_days": 3}}, "subscription_data"),
        ({"payment_intent_data": {"on_behalf_of": "acct_1"}}, "payment_intent_data[on_behalf_of]"),
        (
            {"payment_intent_data": {"application_fee_amount": 1}},
            "payment_intent_data[application_fee_amount]",
        ),
        (
            {"line_items": [{"price": "price_1", "quantity": 1, "tax_rates": ["txr_1"]}]},
            "line_items[0][tax_rates]",
        ),
        (
            {"line_items": [{"price": "price_1", "quantity": 1, "dynamic_tax_rates": ["txr_1"]}]},
            "line_items[0][dynamic_tax_rates]",
        ),
    ],
)
def test_unsupported_features_are_refused_with_a_message(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, change: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="does not support") as refused:
        open_session(client, shirt["default_price"], **change)

    assert refused.value.param == param
    assert len(fake.sessions) == 0


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ({"custom_unit_amount": {"enabled": True}}, "the customer chooses"),
        ({"unit_amount_decimal": "0.5"}, "fractions"),
        ({"billing_scheme": "tiered", "tiers": [{"up_to": "inf", "unit_amount": 80}]}, "tiers"),
        (
            {"unit_amount": 100, "transform_quantity": {"divide_by": 10, "round": "up"}},
            "transform_quantity",
        ),
    ],
)
def test_unsupported_kinds_of_prices_are_refused_with_a_message(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, price: Any, words: str
) -> None:
    asked: Any = {"currency": "usd", "product": "prod_shirt", **price}
    uncommon = client.v1.prices.create(asked)

    with pytest.raises(stripe.InvalidRequestError, match=f"does not support .*{words}") as refused:
        open_session(client, uncommon.id, 20)

    assert refused.value.param == "line_items[0][price]"
    assert len(fake.sessions) == 0


def test_a_session_stores_its_branding(client: stripe.StripeClient, shirt: Any) -> None:
    plain = open_session(client, shirt["default_price"])
    branded = open_session(
        client, shirt["default_price"], branding_settings={"display_name": "BALM", "border_style": "pill"}
    )

    assert "branding_settings" not in plain
    looks = branded.branding_settings
    assert (looks.display_name, looks.border_style, looks.font_family) == ("BALM", "pill", "default")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        open_session(
            client,
            shirt["default_price"],
            branding_settings={"display_name": "BALM"},
            ui_mode="elements",
            success_url=None,
            cancel_url=None,
            return_url=THANKS,
        )
    assert refused.value.param == "branding_settings"


@pytest.mark.parametrize(("ui_mode", "status"), [("hosted_page", 400), ("form", 400), ("elements", 200)])
def test_collected_information_is_only_set_for_embedded_sessions(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, ui_mode: str, status: int
) -> None:
    own: Any = {"success_url": None, "cancel_url": None, "return_url": THANKS}
    back = {} if ui_mode == "hosted_page" else own
    session = open_session(client, shirt["default_price"], ui_mode=ui_mode, **back)
    details = "collected_information[shipping_details]"
    form = f"{details}[name]=Ada&{details}[address][line1]=Weg 1&{details}[address][country]=DE"

    answered, answer = fake.call("POST", f"/v1/checkout/sessions/{session.id}", form)

    assert answered == status
    if status == 400:
        assert answer["error"]["param"] == "collected_information"
        assert fake.sessions[session.id]["collected_information"] is None


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "two", 1_000_000, ""])
def test_a_quantity_is_a_whole_number_of_at_least_one(
    client: stripe.StripeClient, shirt: Any, quantity: Any
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        open_session(client, shirt["default_price"], quantity)

    assert refused.value.param == "line_items[0][quantity]"


def test_a_session_has_at_most_100_lines(client: stripe.StripeClient, shirt: Any) -> None:
    line = {"price": shirt["default_price"], "quantity": 1}

    assert open_session(client, "", line_items=[line] * 100).amount_total == 250_000
    with pytest.raises(stripe.InvalidRequestError) as refused:
        open_session(client, "", line_items=[line] * 101)
    assert refused.value.param == "line_items"


def test_archived_and_recurring_prices_cannot_be_bought(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    retired = fake.add_price("prod_shirt", unit_amount=100, active=False)
    monthly = fake.add_price("prod_shirt", unit_amount=100, recurring={"interval": "month"})
    gone = fake.add_product(name="Gone", active=False, prices=[{"unit_amount": 100}])

    for price in (retired["id"], monthly["id"], gone["default_price"]):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            open_session(client, price)
        assert refused.value.param == "line_items[0][price]"


def test_a_total_below_the_minimum_charge_is_refused(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    cheap = fake.add_price("prod_shirt", unit_amount=49)
    dear = fake.add_price("prod_shirt", unit_amount=99_999_999)

    with pytest.raises(stripe.InvalidRequestError) as little:
        open_session(client, cheap["id"])
    with pytest.raises(stripe.InvalidRequestError) as much:
        open_session(client, dear["id"], 2)

    assert (little.value.code, much.value.code) == ("amount_too_small", "amount_too_large")


def test_metadata_of_a_session_is_merged_in_any_state(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(client, shirt["default_price"], metadata={"a": "1", "b": "2"})
    fake.pay(session.id)

    updated = client.v1.checkout.sessions.update(session.id, {"metadata": {"a": "", "c": "3"}})

    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"b": "2", "c": "3"}


def test_the_lines_of_a_hosted_session_cannot_change(client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(client, shirt["default_price"])

    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.checkout.sessions.update(
            session.id, {"line_items": [{"price": shirt["default_price"], "quantity": 2}]}
        )

    assert refused.value.param == "line_items"


def test_an_open_session_can_be_expired_once(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(client, shirt["default_price"])

    expired = client.v1.checkout.sessions.expire(session.id)

    assert (expired.status, expired.url) == ("expired", None)
    assert [e["type"] for e in fake.events.values()] == ["checkout.session.expired"]
    with pytest.raises(stripe.InvalidRequestError, match="status of expired"):
        client.v1.checkout.sessions.expire(session.id)
    with pytest.raises(SessionEnded):
        fake.pay(session.id)


def test_a_paid_session_cannot_be_expired(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(client, shirt["default_price"])
    fake.pay(session.id)

    with pytest.raises(stripe.InvalidRequestError, match="status of complete"):
        client.v1.checkout.sessions.expire(session.id)


def test_a_session_expires_at_its_time(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    short = open_session(client, shirt["default_price"], expires_at=NOW + 1800)
    long = open_session(client, shirt["default_price"])

    fake.forward(1799)
    assert client.v1.checkout.sessions.retrieve(short.id).status == "open"
    fake.forward(1)

    assert client.v1.checkout.sessions.retrieve(short.id).status == "expired"
    assert client.v1.checkout.sessions.retrieve(long.id).status == "open"
    (event,) = fake.events.values()
    assert event["type"] == "checkout.session.expired"
    assert event["request"] == {"id": None, "idempotency_key": None}


def test_sessions_are_found_by_payment_status_email_and_time(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    first = open_session(client, shirt["default_price"])
    fake.pay(first.id, email="ada@example.com")
    fake.clock.forward(60)
    second = open_session(client, shirt["default_price"])
    paid = client.v1.checkout.sessions.retrieve(first.id)

    def found(**filters: Any) -> list[str]:
        return [s.id for s in client.v1.checkout.sessions.list(filters)]  # type: ignore[arg-type]

    assert found() == [second.id, first.id]
    assert found(payment_intent=paid.payment_intent) == [first.id]
    assert found(status="complete") == [first.id]
    assert found(status="open", created={"gte": NOW + 60}) == [second.id]
    assert found(customer_details={"email": "ada@example.com"}) == [first.id]


def test_older_versions_can_use_removed_values(fake: FakeStripe, shirt: Any) -> None:
    form = (
        f"mode=payment&success_url=https://a.test&line_items[0][price]={shirt['default_price']}"
        "&line_items[0][quantity]=1&ui_mode=hosted&payment_method_types[0]=card"
    )

    old, session = fake.call("POST", "/v1/checkout/sessions", form, stripe_version="2025-09-30.clover")
    new, error = fake.call("POST", "/v1/checkout/sessions", form, stripe_version="2026-03-25.dahlia")

    assert (old, session["payment_method_types"]) == (200, ["card"])
    assert (new, error["error"]["param"]) == (400, "ui_mode")


def test_a_session_can_be_opened_outside_the_shop(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.forget_calls()
    size = {"key": "size", "label": {"type": "custom", "custom": "Size"}, "type": "text"}
    lines = [{"price": shirt["default_price"], "quantity": 1}]

    opened = fake.open_session(line_items=lines, custom_fields=[size], allow_promotion_codes=True)
    fake.pay(opened["id"], custom_fields={"size": "M"})

    assert fake.calls == []
    (found,) = client.v1.checkout.sessions.list({"status": "complete"}).data
    assert found.custom_fields[0].text is not None
    assert (found.id, found.custom_fields[0].text.value) == (opened["id"], "M")


def test_an_embedded_session_has_a_client_secret_and_no_url(client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(
        client,
        shirt["default_price"],
        ui_mode="embedded_page",
        success_url=None,
        cancel_url=None,
        return_url=THANKS,
    )

    assert session.url is None
    assert session.client_secret.startswith(f"{session.id}_secret_")


def test_a_subscription_session_takes_one_time_prices_beside_a_recurring_one(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    monthly = fake.add_price("prod_shirt", unit_amount=500, recurring={"interval": "month"})
    lines = [{"price": price, "quantity": 1} for price in (monthly["id"], shirt["default_price"])]
    session = fake.open_session(mode="subscription", line_items=lines)

    paid = fake.pay(session["id"])

    assert (paid["mode"], paid["payment_status"], paid["amount_total"]) == ("subscription", "paid", 3000)
    assert paid["payment_intent"] is None and paid["subscription"].startswith("sub_")
    with pytest.raises(stripe.InvalidRequestError, match="at least one recurring price"):
        open_session(client, shirt["default_price"], mode="subscription")


def test_only_a_preview_version_tells_the_reference_of_an_agents_catalog(fake: FakeStripe) -> None:
    session = fake.sell_through_agent([{"name": "Tee", "unit_amount": 900, "reference": "TEE-M"}])
    path, preview = f"/v1/checkout/sessions/{session['id']}/line_items", "2025-12-15.preview"

    plain, told = fake.call("GET", path), fake.call("GET", path, stripe_version=preview)
    fake.api.previews = False
    refused = fake.call("GET", path, stripe_version=preview)

    assert "external_reference" not in plain[1]["data"][0]["price"]
    assert told[1]["data"][0]["price"]["external_reference"] == "TEE-M"
    assert refused[0] == 400
