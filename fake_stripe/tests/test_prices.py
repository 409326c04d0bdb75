"""Prices: amounts, currencies, lookup keys, archiving."""

from decimal import Decimal
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe


def test_a_price_has_an_integer_and_a_decimal_amount(client: stripe.StripeClient, shirt: Any) -> None:
    price = client.v1.prices.create({"product": "prod_shirt", "currency": "usd", "unit_amount": 1999})

    assert (price.currency, price.unit_amount, price.unit_amount_decimal) == ("usd", 1999, Decimal(1999))
    assert (price.type, price.billing_scheme, price.active) == ("one_time", "per_unit", True)


def test_a_fraction_of_a_cent_leaves_the_whole_amount_null(client: stripe.StripeClient, shirt: Any) -> None:
    price = client.v1.prices.create(
        {"product": "prod_shirt", "currency": "usd", "unit_amount_decimal": "0.5"}  # type: ignore[typeddict-item]
    )

    assert price.unit_amount is None
    assert str(price.unit_amount_decimal) == "0.5"


def test_a_price_can_create_its_product(fake: FakeStripe, client: stripe.StripeClient) -> None:
    price = client.v1.prices.create(
        {"currency": "usd", "unit_amount": 100, "product_data": {"name": "A sticker"}}
    )

    assert fake.products[str(price.product)]["name"] == "A sticker"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"currency": "usd", "unit_amount": 1}, "product"),
        ({"currency": "usd", "product": "prod_shirt"}, "unit_amount"),
        ({"currency": "usd", "product": "prod_nobody", "unit_amount": 1}, "product"),
        ({"product": "prod_shirt", "unit_amount": 1}, "currency"),
        ({"currency": "usd", "product": "prod_shirt", "unit_amount": -1}, "unit_amount"),
        ({"currency": "dollars", "product": "prod_shirt", "unit_amount": 1}, "currency"),
        ({"currency": "zzz", "product": "prod_shirt", "unit_amount": 1}, "currency"),
        ({"currency": "kwd", "product": "prod_shirt", "unit_amount": 1001}, "unit_amount"),
        ({"currency": "isk", "product": "prod_shirt", "unit_amount": 150}, "unit_amount"),
        ({"currency": "isk", "product": "prod_shirt", "unit_amount_decimal": "101"}, "unit_amount_decimal"),
        ({"currency": "isk", "product": "prod_shirt", "unit_amount_decimal": "0.5"}, "unit_amount_decimal"),
        *(
            ({"currency": "usd", "product": "prod_shirt", "unit_amount_decimal": text}, "unit_amount_decimal")
            for text in ("1000000000000", "1_000", "1E3", " 5 ", "٣", "-1", "1.", "NaN", "0." + "1" * 13)
        ),
        (
            {
                "currency": "usd",
                "product": "prod_shirt",
                "unit_amount": 1,
                "currency_options": {"usd": {"unit_amount": 2}},
            },
            "currency_options[usd]",
        ),
        (
            {
                "currency": "usd",
                "product": "prod_shirt",
                "unit_amount": 1,
                "currency_options": {"eur": {"tax_behavior": "inclusive"}},
            },
            "currency_options[eur][unit_amount]",
        ),
    ],
)
def test_an_invalid_price_is_refused(
    client: stripe.StripeClient, shirt: Any, params: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.prices.create(params)

    assert (refused.value.http_status, refused.value.param) == (400, param)
    assert list(client.v1.prices.list()) == [client.v1.prices.retrieve(shirt["default_price"])]


def test_currency_options_are_shown_when_asked_for(client: stripe.StripeClient, shirt: Any) -> None:
    price = client.v1.prices.create(
        {
            "product": "prod_shirt",
            "currency": "usd",
            "unit_amount": 2500,
            "currency_options": {"eur": {"unit_amount": 2300}},
        }
    )

    assert "currency_options" not in price
    shown = client.v1.prices.retrieve(price.id, {"expand": ["currency_options"]}).currency_options
    assert shown is not None
    assert shown["eur"].unit_amount == 2300
    assert shown["usd"].unit_amount == 2500


def test_recurring_and_tiered_prices_are_stored(client: stripe.StripeClient, shirt: Any) -> None:
    recurring = client.v1.prices.create(
        {"product": "prod_shirt", "currency": "usd", "unit_amount": 5, "recurring": {"interval": "month"}}
    )
    tiered = client.v1.prices.create(
        {
            "product": "prod_shirt",
            "currency": "usd",
            "billing_scheme": "tiered",
            "tiers_mode": "volume",
            "tiers": [{"up_to": 10, "unit_amount": 100}, {"up_to": "inf", "unit_amount": 80}],
            "expand": ["tiers"],
        }
    )

    assert recurring.recurring is not None
    assert (recurring.type, recurring.recurring.interval_count) == ("recurring", 1)
    assert tiered.unit_amount is None
    assert tiered.tiers is not None
    assert [tier.up_to for tier in tiered.tiers] == [10, None]


def test_a_default_price_cannot_be_archived_and_another_can(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    other = fake.add_price("prod_shirt", unit_amount=1)

    with pytest.raises(stripe.InvalidRequestError, match="default price"):
        client.v1.prices.update(shirt["default_price"], {"active": False})
    assert client.v1.prices.update(other["id"], {"active": False}).active is False
    assert [p.id for p in client.v1.prices.list({"product": "prod_shirt", "active": True})] == [
        shirt["default_price"]
    ]


def test_a_lookup_key_belongs_to_one_price(client: stripe.StripeClient, shirt: Any) -> None:
    def make(**more: Any) -> stripe.Price:
        params: Any = {"product": "prod_shirt", "currency": "usd", "unit_amount": 1, "lookup_key": "shirt"}
        params.update(more)
        return client.v1.prices.create(params)

    first = make()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        make()
    second = make(transfer_lookup_key=True)

    assert refused.value.param == "lookup_key"
    assert [p.id for p in client.v1.prices.list({"lookup_keys": ["shirt"]})] == [second.id]
    assert client.v1.prices.retrieve(first.id).lookup_key is None


def test_a_changed_price_emits_an_event(fake: FakeStripe, client: stripe.StripeClient, shirt: Any) -> None:
    client.v1.prices.update(shirt["default_price"], {"metadata": {"size": "M"}, "nickname": "n"})

    (event,) = fake.events.values()
    assert event["type"] == "price.updated"
    assert event["data"]["previous_attributes"] == {"metadata": {"size": None}, "nickname": None}


def test_a_change_of_currency_options_emits_an_event(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    price = fake.add_price("prod_shirt", unit_amount=2500, currency_options={"eur": {"unit_amount": 2300}})

    def change(options: Any) -> Any:
        expand: Any = {"currency_options": options, "expand": ["currency_options"]}
        changed = client.v1.prices.update(price["id"], expand)
        assert changed.currency_options is not None
        return changed.currency_options.to_dict()

    dearer = change({"eur": {"unit_amount": 2400}})
    taxed = change({"eur": {"tax_behavior": "inclusive"}})
    change({"eur": {"unit_amount": 2400}})

    assert (dearer["eur"]["unit_amount"], dearer["usd"]["unit_amount"]) == (2400, 2500)
    assert (taxed["eur"]["unit_amount"], taxed["eur"]["tax_behavior"]) == (2400, "inclusive")
    first, second = (event["data"]["previous_attributes"] for event in fake.events.values())
    assert first["currency_options"]["eur"]["unit_amount"] == 2300
    assert second == {"currency_options": {"eur": {"tax_behavior": "unspecified"}}}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        change({"gbp": {"tax_behavior": "inclusive"}})
    assert refused.value.param == "currency_options[gbp][unit_amount]"
    assert change("").keys() == {"usd"}


@pytest.mark.parametrize("kind", ["charges", "payment_intents"])
def test_an_amount_below_the_minimum_charge_is_refused(
    fake: FakeStripe, client: stripe.StripeClient, kind: str
) -> None:
    params: Any = {"amount": 49, "currency": "usd"} | ({"source": "tok_visa"} if kind == "charges" else {})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        getattr(client.v1, kind).create(params)

    assert (refused.value.code, refused.value.param) == ("amount_too_small", "amount")
    assert (len(fake.charges), len(fake.payment_intents)) == (0, 0)
