"""Tests of the local copy of shipping rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from config.stripe_client import StripeCallError, stripe_client
from shop.models import ShippingRate
from shop.shipping import refresh_shipping_rates

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db


def rate_at_stripe(amount: int = 500, name: str = "Post") -> str:
    fixed = {"amount": amount, "currency": "usd"}
    rate = stripe_client().v1.shipping_rates.create(
        {"display_name": name, "type": "fixed_amount", "fixed_amount": fixed}  # type: ignore[typeddict-item]
    )
    return str(rate.id)


def test_the_rates_of_the_settings_are_copied(fake: FakeStripe, settings: Settings) -> None:
    settings.SHIPPING_RATES = [rate_at_stripe(), rate_at_stripe(1500, "Express")]

    assert refresh_shipping_rates(timezone.now()) == 2

    assert list(ShippingRate.objects.values_list("name", "amount", "currency")) == [
        ("Post", 500, "usd"),
        ("Express", 1500, "usd"),
    ]
    assert refresh_shipping_rates(timezone.now()) == 0


@pytest.mark.parametrize(
    ("estimate", "days"),
    [
        (None, []),
        ({"minimum": {"unit": "business_day", "value": 2}, "maximum": {"unit": "week", "value": 1}}, [2, 7]),
        ({"maximum": {"unit": "hour", "value": 36}}, [None, 2]),
        ({"minimum": {"unit": "month", "value": 1}}, [30, None]),
    ],
)
def test_the_estimate_of_a_rate_is_copied_in_days(
    fake: FakeStripe, settings: Settings, estimate: Any, days: list[int | None]
) -> None:
    fixed = {"amount": 500, "currency": "usd"}
    params: Any = {"display_name": "Post", "type": "fixed_amount", "fixed_amount": fixed}
    if estimate:
        params["delivery_estimate"] = estimate
    rate = stripe_client().v1.shipping_rates.create(params)
    settings.SHIPPING_RATES = [rate.id]

    refresh_shipping_rates(timezone.now())

    assert ShippingRate.objects.get().delivery_days == days
    assert refresh_shipping_rates(timezone.now()) == 0


def test_an_archived_or_unknown_rate_is_not_kept(fake: FakeStripe, settings: Settings) -> None:
    settings.SHIPPING_RATES = [rate_at_stripe(), "shr_gone"]
    refresh_shipping_rates(timezone.now())
    assert ShippingRate.objects.count() == 1

    stripe_client().v1.shipping_rates.update(settings.SHIPPING_RATES[0], {"active": False})
    refresh_shipping_rates(timezone.now())

    assert not ShippingRate.objects.exists()


def test_an_outage_keeps_the_rates(fake: FakeStripe, settings: Settings) -> None:
    settings.SHIPPING_RATES = [rate_at_stripe()]
    refresh_shipping_rates(timezone.now())

    fake.faults.add("error_500", path="/v1/shipping_rates/*", when="before", times=None)
    with pytest.raises(StripeCallError):
        refresh_shipping_rates(timezone.now())

    assert ShippingRate.objects.count() == 1


def test_a_shop_without_a_key_or_rates_asks_nothing(fake: FakeStripe, settings: Settings) -> None:
    fake.faults.add("error_500", path="/v1/shipping_rates/*", when="before", times=None)
    settings.SHIPPING_RATES = []
    assert refresh_shipping_rates(timezone.now()) == 0
    settings.STRIPE_SECRET_KEY, settings.SHIPPING_RATES = "", ["shr_1"]
    assert refresh_shipping_rates(timezone.now()) == 0
